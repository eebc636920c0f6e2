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


@pytest.mark.parametrize("name", ["AmazonSqs", "azureservicebusqueue", "FTPS"])
def test_a_transport_of_a_later_release_is_refused_clearly(name: str) -> None:
    with pytest.raises(ValidationError, match=r"not supported by this release yet; supported: RabbitMQ, Files"):
        BLOCK.validate_python({"Type": name, "QueueUrl": "https://queue.example"})


@pytest.mark.parametrize("name", ["Kafka", "", 7, None])
def test_an_unknown_type_lists_the_known_ones(name: object) -> None:
    with pytest.raises(ValidationError, match=r"unknown Type .*; supported: RabbitMQ, Files"):
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
        ("CredentialsProtection", "Encrypted"),
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


def test_the_secret_is_in_no_text_for_people() -> None:
    block = RabbitMq.model_validate(RABBIT)
    assert "s3cret" not in repr(block) + str(block) + block.address


def test_a_block_survives_the_way_through_json() -> None:
    block = BLOCK.validate_python(RABBIT)
    assert BLOCK.validate_json(BLOCK.dump_json(block)) == block
