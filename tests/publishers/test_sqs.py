import asyncio
import json
import logging
from uuid import uuid4

import pytest

from publishers import check, publish
from publishers.base import PublishError, Refused, Unavailable
from publishers.config import AmazonSqs
from publishers.connections import CONNECTIONS
from publishers.events import Message
from tests.publishers.messages import JOB_ID, lifecycle
from tests.servers.ports import free_ports
from tests.servers.proxy import Proxy
from tests.servers.sqs import Sqs


def config(sqs: Sqs, queue_url: str, **changes: object) -> AmazonSqs:
    fields = {
        "Type": "AmazonSqs",
        "QueueUrl": queue_url,
        "Region": sqs.region,
        "CredentialsName": sqs.key_id,
        "CredentialsSecret": sqs.secret,
        "EndpointUrl": sqs.url,
    }
    return AmazonSqs.model_validate(fields | changes)


def standard(sqs: Sqs, **changes: object) -> AmazonSqs:
    return config(sqs, sqs.create_queue(f"events-{uuid4()}"), **changes)


def fifo(sqs: Sqs, **changes: object) -> AmazonSqs:
    return config(sqs, sqs.create_queue(f"events-{uuid4()}.fifo", FifoQueue="true"), **changes)


async def failure(block: AmazonSqs) -> PublishError:
    with pytest.raises(PublishError) as caught:
        await publish(block, lifecycle())
    assert block.credentials_secret not in str(caught.value)
    return caught.value


async def test_a_standard_queue_gets_the_body_and_the_event_name(sqs: Sqs) -> None:
    await publish(block := standard(sqs), event := lifecycle())
    [message] = sqs.drain(block.queue_url)
    assert json.loads(message["Body"]) == event.body
    assert "größer, 世界" in message["Body"]
    assert message["MessageAttributes"]["type"] == {"StringValue": "ImagesExtractionFailure", "DataType": "String"}


async def test_no_character_is_sent_that_sqs_does_not_take(sqs: Sqs) -> None:
    """U+FFFE and U+FFFF. The server here takes them; by Amazon's documentation, its own does not."""
    event = Message(lifecycle().body | {"ExternalId": "a\ufffe\uffff\ufffd"})
    await publish(block := standard(sqs), event)
    [message] = sqs.drain(block.queue_url)
    assert json.loads(message["Body"]) == event.body
    assert not {"\ufffe", "\uffff"} & {*message["Body"]}


async def test_a_fifo_queue_keeps_the_order_of_a_job(sqs: Sqs) -> None:
    block, events = fifo(sqs), [lifecycle(number) for number in range(1, 12)]
    for event in events:
        await publish(block, event)
    messages = sqs.drain(block.queue_url)
    assert [json.loads(message["Body"]) for message in messages] == [event.body for event in events]
    attributes = messages[0]["Attributes"]
    assert (attributes["MessageGroupId"], attributes["MessageDeduplicationId"]) == (JOB_ID, events[0].event_id)


async def test_a_fifo_queue_drops_what_comes_again(sqs: Sqs) -> None:
    block = fifo(sqs)
    for number in (1, 2, 2):
        await publish(block, lifecycle(number))
    assert [json.loads(message["Body"])["SequenceNumber"] for message in sqs.drain(block.queue_url)] == [1, 2]


async def test_many_jobs_at_once_share_a_few_connections(sqs: Sqs) -> None:
    with Proxy(sqs.port) as proxy:
        block = standard(sqs, EndpointUrl=f"http://127.0.0.1:{proxy.port}")
        await asyncio.gather(*(publish(block, lifecycle(number)) for number in range(1, 41)))
        assert proxy.opened <= CONNECTIONS
    assert len(sqs.drain(block.queue_url)) == 40


async def test_a_check_sends_nothing(sqs: Sqs) -> None:
    await check(block := standard(sqs))
    assert sqs.drain(block.queue_url) == []


async def test_a_missing_queue_is_named(sqs: Sqs) -> None:
    block = standard(sqs)
    sqs.client.delete_queue(QueueUrl=block.queue_url)
    error = await failure(block)
    assert isinstance(error, Refused)
    assert block.queue_url in str(error)
    assert "no such queue" in str(error)
    with pytest.raises(Refused, match="no such queue"):
        await check(block)


@pytest.mark.parametrize("changes", [{"Region": "-eu"}, {"EndpointUrl": "https://a_b.example/"}])
async def test_an_address_that_can_be_none_is_refused(sqs: Sqs, changes: dict[str, str]) -> None:
    error = await failure(config(sqs, "https://sqs.example/1/events", **changes))
    assert isinstance(error, Refused)
    assert "check Region and EndpointUrl" in str(error)


async def test_an_event_larger_than_sqs_allows_is_refused(sqs: Sqs) -> None:
    block = standard(sqs)
    with pytest.raises(Refused, match="too large"):
        await publish(block, lifecycle(text="x" * 1_100_000))


async def test_a_control_character_is_no_obstacle(sqs: Sqs) -> None:
    await publish(block := standard(sqs), event := lifecycle(text="bell \a and escape \x1b"))
    [message] = sqs.drain(block.queue_url)
    assert json.loads(message["Body"]) == event.body


async def test_a_service_that_is_away_is_tried_again(sqs: Sqs) -> None:
    error = await failure(standard(sqs, EndpointUrl=f"http://127.0.0.1:{free_ports(1)[0]}"))
    assert isinstance(error, Unavailable)
    assert "cannot be reached" in str(error)


async def test_a_service_that_breaks_off_is_tried_again(sqs: Sqs) -> None:
    with Proxy(sqs.port) as proxy:
        block = fifo(sqs, EndpointUrl=f"http://127.0.0.1:{proxy.port}")
        await publish(block, lifecycle(1))
        proxy.cut_at_answer = True
        assert isinstance(await failure(block), Unavailable)
        proxy.cut_at_answer = False
        await publish(block, lifecycle(2))
    assert [json.loads(message["Body"])["SequenceNumber"] for message in sqs.drain(block.queue_url)] == [1, 2]


async def test_tls_to_a_plain_port_is_refused(sqs: Sqs) -> None:
    error = await failure(standard(sqs, EndpointUrl=sqs.url.replace("http:", "https:")))
    assert isinstance(error, Refused)
    assert "TLS" in str(error)


async def test_the_secret_is_in_no_log(sqs: Sqs, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await publish(standard(sqs), lifecycle())
    assert caplog.text
    assert sqs.secret not in caplog.text
