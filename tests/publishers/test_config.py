import pytest
from pydantic import TypeAdapter, ValidationError

from publishers.config import MessagePublisher, RabbitMq

BLOCK: TypeAdapter[MessagePublisher] = TypeAdapter(MessagePublisher)
RABBIT = {
    "Type": "RabbitMQ",
    "Host": "broker.example",
    "Port": 5671,
    "Queue": "events",
    "CredentialsName": "me",
    "CredentialsSecret": "s3cret",
}


@pytest.mark.parametrize("spelling", ["RabbitMQ", "rabbitmq", "RABBITMQ", "rabbitMq"])
def test_type_is_matched_without_case(spelling: str) -> None:
    assert BLOCK.validate_python(RABBIT | {"Type": spelling}).type == "RabbitMQ"


@pytest.mark.parametrize("name", ["Kafka", "", 7, None])
def test_an_unknown_type_lists_the_known_ones(name: object) -> None:
    known = "RabbitMQ, AzureServiceBusQueue, AmazonSqs, Ftps, Files"
    with pytest.raises(ValidationError, match=f"unknown Type .*; supported: {known}"):
        BLOCK.validate_python({"Type": name})


@pytest.mark.parametrize("block", [{}, None, 3, "RabbitMQ", []])
def test_a_block_without_type_is_refused(block: object) -> None:
    with pytest.raises(ValidationError):
        BLOCK.validate_python(block)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Host", ""),
        ("Host", "broker/../x"),
        ("Host", "a b"),
        ("Port", 0),
        ("Port", 65536),
        ("Queue", ""),
        ("Queue", "ü" * 128),
        ("VirtualHost", "x" * 256),
        ("Protocol", "http"),
        ("CredentialsProtection", "encoded"),
        ("Excahnge", "typo"),
    ],
)
def test_a_bad_field_is_named(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        BLOCK.validate_python(RABBIT | {field: value})
    assert [error["loc"][-1] for error in caught.value.errors()] == [field]


def test_protocol_is_matched_without_case_and_is_encrypted_by_default() -> None:
    plain = RabbitMq.model_validate(RABBIT | {"Protocol": "AMQP"})
    assert (plain.protocol, RabbitMq.model_validate(RABBIT).protocol) == ("amqp", "amqps")


@pytest.mark.parametrize(("given", "port"), [({}, 5671), ({"Protocol": "AMQP"}, 5672)])
def test_without_a_port_it_is_the_usual_one_of_the_protocol(given: dict[str, str], port: int) -> None:
    block = {name: value for name, value in RABBIT.items() if name != "Port"} | given
    assert RabbitMq.model_validate(block).place == ("broker.example", port)


CONNECTION = "Endpoint=sb://bus.example/;SharedAccessKeyName=me;SharedAccessKey=s3cret"
LOGIN = {"CredentialsName": "me", "CredentialsSecret": "s3cret"}
BUS = {"Type": "AzureServiceBusQueue", "Connection": CONNECTION}
SQS = {"Type": "AmazonSqs", "QueueUrl": "https://sqs.example/1/events", "Region": "eu-central-1", **LOGIN}
FTPS = {"Type": "Ftps", "UriPath": "ftpes://files.example/events/", **LOGIN}
FILES = {"Type": "Files", "UriPath": "/media/events"}
ALL = [RABBIT, BUS, SQS, FTPS, FILES]


@pytest.mark.parametrize("block", ALL, ids=lambda block: block["Type"])
def test_the_secret_is_in_no_text_for_people(block: dict[str, object]) -> None:
    parsed = BLOCK.validate_python(block)
    assert "s3cret" not in repr(parsed) + str(parsed) + parsed.address


@pytest.mark.parametrize("block", ALL, ids=lambda block: block["Type"])
def test_a_block_survives_the_way_through_json(block: dict[str, object]) -> None:
    parsed = BLOCK.validate_python(block)
    assert BLOCK.validate_json(BLOCK.dump_json(parsed)) == parsed


@pytest.mark.parametrize("block", ALL, ids=lambda block: block["Type"])
def test_the_same_endpoint_shares_and_another_user_does_not(block: dict[str, object]) -> None:
    same, again = (BLOCK.validate_python(block) for _ in range(2))
    assert same.endpoint == again.endpoint
    if "CredentialsName" in block:
        assert BLOCK.validate_python(block | {"CredentialsName": "you"}).endpoint != same.endpoint
        assert BLOCK.validate_python(block | {"CredentialsSecret": "other"}).endpoint != same.endpoint


def text_of(error: ValidationError) -> str:
    """What a job's problems are made of: pydantic's input and context are left out."""
    return "; ".join(detail["msg"] for detail in error.errors(include_input=False, include_context=False))


def test_queues_of_a_broker_share_its_connections() -> None:
    assert BLOCK.validate_python(RABBIT).endpoint == BLOCK.validate_python(RABBIT | {"Queue": "other"}).endpoint


@pytest.mark.parametrize(
    ("block", "field", "value"),
    [
        (BUS, "Format", "xml"),
        (BUS, "Queue", ""),
        (BUS, "Queue", "a b"),
        (SQS, "QueueUrl", "sqs.example/1/events"),
        (SQS, "QueueUrl", "file:///etc/passwd"),
        (SQS, "QueueUrl", "https://[::1"),
        (SQS, "QueueUrl", "https://me:s3cret@sqs.example/1/events"),
        (SQS, "QueueUrl", "https://sqs.example/1/events?X-Amz-Signature=s3cret"),
        (SQS, "QueueUrl", "https://sqs.example/1/events#s3cret"),
        (SQS, "EndpointUrl", "https://me:s3cret@sqs.example/"),
        (SQS, "EndpointUrl", "http://"),
        (SQS, "Region", "eu/central"),
        (FTPS, "UriPath", "sftp://files.example/"),
        (FTPS, "UriPath", "ftps:///events"),
        (FTPS, "UriPath", "ftps://me:s3cret@files.example/"),
        (FTPS, "UriPath", "ftps://files.example/?x"),
        (FTPS, "UriPath", "ftps://files.example:99999/"),
        (FTPS, "UriPath", "ftps://files.example/events/%2E./other/"),
        (FILES, "UriPath", ""),
    ],
)
def test_a_bad_field_of_each_type_is_named_without_its_secret(
    block: dict[str, object], field: str, value: object
) -> None:
    with pytest.raises(ValidationError) as caught:
        BLOCK.validate_python(block | {field: value})
    assert [error["loc"][-1] for error in caught.value.errors()] == [field]
    assert "s3cret" not in text_of(caught.value)


@pytest.mark.parametrize(
    "connection", ["s3cret", "Endpoint=sb://bus.example/;SharedAccessKey=s3cret", CONNECTION.replace("sb://", "")]
)
def test_a_connection_string_that_is_none_is_refused_without_showing_it(connection: str) -> None:
    with pytest.raises(ValidationError) as caught:
        BLOCK.validate_python(BUS | {"Connection": connection})
    assert "Connection" in text_of(caught.value)
    assert "s3cret" not in text_of(caught.value)


def test_an_encrypted_connection_string_is_read_by_workers_alone() -> None:
    block = BLOCK.validate_python(BUS | {"Connection": "c2VjcmV0", "CredentialsProtection": "Encrypted"})
    assert block.address == "AzureServiceBusQueue"


def test_a_login_in_a_connection_string_is_in_no_text_for_people() -> None:
    block = BLOCK.validate_python(BUS | {"Connection": CONNECTION.replace("sb://", "sb://me:s3cret@")})
    assert block.address == "AzureServiceBusQueue bus.example"
