"""The `MessagePublishers` section of a job: where its events go (contract, section 3)."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from publishers.wire import Wire, supported

TYPES = {"rabbitmq": "RabbitMQ", "files": "Files"}
"""The contract's spelling of each `Type`, which clients may write in any case."""

LATER = {"azureservicebusqueue": "AzureServiceBusQueue", "amazonsqs": "AmazonSqs", "ftps": "Ftps"}
"""Types that the contract has and this release has not."""


def _short(text: str) -> str:
    """AMQP holds names in 255 bytes."""
    if len(text.encode()) > 255:  # noqa: PLR2004
        raise ValueError("at most 255 bytes as UTF-8")
    return text


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


Name = Annotated[str, Field(min_length=1), AfterValidator(_short)]
UnprotectedYet = Annotated[Literal["Unencrypted", "Encrypted"], supported("Unencrypted")]


class RabbitMq(Wire):
    """A queue of a RabbitMQ broker; it must exist."""

    type: Literal["RabbitMQ"]
    protocol: Annotated[Literal["amqp", "amqps"], BeforeValidator(_lower)] = "amqps"
    host: str = Field(max_length=253, pattern=r"^[A-Za-z0-9._:-]+$")
    port: int = Field(ge=1, le=65535)
    virtual_host: Name = "/"
    queue: Name
    credentials_name: str = Field(max_length=1000)
    credentials_secret: str = Field(max_length=10_000, repr=False)
    credentials_protection: UnprotectedYet = "Unencrypted"

    @property
    def address(self) -> str:
        """For people: which queue where, without the secret."""
        return f"RabbitMQ {self.host}:{self.port} queue {self.queue}"

    @property
    def published_type(self) -> str:
        """The name `JobCreated` uses."""
        return "RabbitMqMessagePublishing"


class Files(Wire):
    """A local folder below an allowed root, one file an event."""

    type: Literal["Files"]
    uri_path: str = Field(min_length=1, max_length=4096)
    credentials_protection: UnprotectedYet = "Unencrypted"

    @property
    def address(self) -> str:
        """For people: which folder."""
        return f"Files {self.uri_path}"

    @property
    def published_type(self) -> str:
        """The name `JobCreated` uses."""
        return "FileMessagePublishing"


def _spelled(block: Any) -> Any:
    """`Type` as the contract spells it, or an error that says which there are."""
    if not isinstance(block, dict) or "Type" not in block:
        return block
    name = str(block["Type"])
    known = ", ".join(TYPES.values())
    if later := LATER.get(name.lower()):
        raise ValueError(f"the Type {later} is not supported by this release yet; supported: {known}")
    if name.lower() not in TYPES:
        raise ValueError(f"unknown Type {name[:50]!r}; supported: {known}")
    return {**block, "Type": TYPES[name.lower()]}


MessagePublisher = Annotated[RabbitMq | Files, Field(discriminator="type"), BeforeValidator(_spelled)]
