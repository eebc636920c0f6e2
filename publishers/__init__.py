"""The events of a job and the transports that carry them to the client's queues."""

from contextlib import AbstractAsyncContextManager

from publishers.base import Publisher
from publishers.config import MessagePublisher, RabbitMq
from publishers.files import open_files
from publishers.rabbitmq import open_rabbitmq


def open_publisher(config: MessagePublisher) -> AbstractAsyncContextManager[Publisher]:
    """The transport for one `MessagePublishers` block; entering and publishing raise `PublishError`."""
    return open_rabbitmq(config) if isinstance(config, RabbitMq) else open_files(config)
