"""The `MessagePublishers` section of a job: where its events go (contract, section 3)."""

from collections.abc import Hashable
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from publishers.urls import FtpUrl, HttpFolder, split_url
from publishers.wire import Protected, Secret, spelled


def _short(text: str) -> str:
    """AMQP holds names in 255 bytes."""
    if len(text.encode()) > 255:  # noqa: PLR2004
        raise ValueError("at most 255 bytes as UTF-8")
    return text


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


Name = Annotated[str, Field(min_length=1), AfterValidator(_short)]
UserName = Annotated[str, Field(max_length=1000)]
PORTS = {"amqp": 5672, "amqps": 5671}
"""Usual ones of brokers."""


class RabbitMq(Protected):
    """A queue of a RabbitMQ broker; it must exist."""

    type: Literal["RabbitMQ"]
    protocol: Annotated[Literal["amqp", "amqps"], BeforeValidator(_lower)] = "amqps"
    host: str = Field(max_length=253, pattern=r"^[A-Za-z0-9._:-]+$")
    port: int | None = Field(None, ge=1, le=65535)
    """None = the usual one of the protocol."""
    virtual_host: Name = "/"
    queue: Name
    credentials_name: UserName
    credentials_secret: Secret

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port or PORTS[self.protocol]

    @property
    def address(self) -> str:
        """For people: which queue where, without the secret."""
        host, port = self.place
        return f"RabbitMQ {host}:{port} queue {self.queue}"

    @property
    def endpoint(self) -> Hashable:
        """What shares a connection: the same broker, virtual host and user."""
        credentials = self.credentials_name, self.credentials_secret
        return self.type, self.protocol, *self.place, self.virtual_host, *credentials

    @property
    def published_type(self) -> str:
        """The name `JobCreated` uses."""
        return "RabbitMqMessagePublishing"


def _parsed(connection: str) -> Any:
    """A connection string of Azure, by its own library, which takes half a second to load: only where there is one."""
    from azure.servicebus import parse_connection_string  # noqa: PLC0415

    return parse_connection_string(connection)


class AzureServiceBusQueue(Protected):
    """Queues of an Azure Service Bus namespace: one named after each event, or the one in `Queue`."""

    type: Literal["AzureServiceBusQueue"]
    connection: Secret
    format: Annotated[Literal["json"], BeforeValidator(_lower)] = "json"
    queue: Annotated[str, Field(min_length=1, max_length=260, pattern=r"^[A-Za-z0-9._/-]+$")] | None = None

    @model_validator(mode="after")
    def _connection_is_one(self) -> Self:
        if not self.is_encrypted:
            try:
                _parsed(self.connection)
            except Exception:  # noqa: BLE001 - the SDK's own text can quote the secret
                raise ValueError(
                    "Connection is not a connection string: it has the form "
                    "Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…"
                ) from None
        return self

    @property
    def namespace(self) -> str:
        """Its host, where it can be read."""
        return "" if self.is_encrypted else str(_parsed(self.connection).fully_qualified_namespace).rpartition("@")[2]

    @property
    def address(self) -> str:
        """For people: which queue where, without the secret."""
        where = f"AzureServiceBusQueue {self.namespace}".rstrip()
        return f"{where} queue {self.queue}" if self.queue else where

    @property
    def endpoint(self) -> Hashable:
        """What shares a connection: the same namespace and key."""
        return self.type, self.connection

    @property
    def published_type(self) -> str:
        """The name `JobCreated` uses."""
        return "AzureServiceBusQueueMessagePublishing"


class AmazonSqs(Protected):
    """An Amazon SQS queue, standard or FIFO (`….fifo`)."""

    type: Literal["AmazonSqs"]
    queue_url: HttpFolder
    region: str = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9-]+$")
    credentials_name: UserName
    credentials_secret: Secret
    endpoint_url: HttpFolder | None = None

    @property
    def is_fifo(self) -> bool:
        """Whether the queue keeps order and drops duplicates by itself."""
        return self.queue_url.endswith(".fifo")

    @property
    def address(self) -> str:
        """For people: which queue, without the secret."""
        return f"AmazonSqs {self.queue_url}"

    @property
    def endpoint(self) -> Hashable:
        """What shares connections: the same service and user."""
        return self.type, self.endpoint_url, self.region, self.credentials_name, self.credentials_secret

    @property
    def published_type(self) -> str:
        """The name `JobCreated` uses."""
        return "AmazonSqsMessagePublishing"


class Ftps(Protected):
    """A folder on an FTP server, one file an event."""

    type: Literal["Ftps"]
    uri_path: FtpUrl
    credentials_name: UserName
    credentials_secret: Secret

    @property
    def address(self) -> str:
        """For people: which folder where."""
        return f"Ftps {self.uri_path}"

    @property
    def endpoint(self) -> Hashable:
        """What shares a connection: the same server and user."""
        parts = split_url(self.uri_path)
        return self.type, parts.scheme.lower(), parts.netloc.lower(), self.credentials_name, self.credentials_secret

    @property
    def published_type(self) -> str:
        """The name `JobCreated` uses."""
        return "FtpFileMessagePublishing"


class Files(Protected):
    """A local folder below an allowed root, one file an event."""

    type: Literal["Files"]
    uri_path: str = Field(min_length=1, max_length=4096)

    @property
    def address(self) -> str:
        """For people: which folder."""
        return f"Files {self.uri_path}"

    @property
    def endpoint(self) -> Hashable:
        """What shares threads: the same folder; a file system that hangs holds no other up."""
        return self.type, self.uri_path

    @property
    def published_type(self) -> str:
        """The name `JobCreated` uses."""
        return "FileMessagePublishing"


MessagePublisher = Annotated[
    RabbitMq | AzureServiceBusQueue | AmazonSqs | Ftps | Files,
    Field(discriminator="type"),
    spelled("Type", "RabbitMQ", "AzureServiceBusQueue", "AmazonSqs", "Ftps", "Files"),
]
