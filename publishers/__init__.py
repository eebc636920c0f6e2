"""The events of a job and the transports that carry them to the client's queues."""

import math
import time
from importlib import import_module

from publishers.base import Connection, PublishError
from publishers.config import MessagePublisher
from publishers.connections import use
from publishers.events import Message

# Imported when first needed: the libraries of some take half a second to load, at each start of a command.
TRANSPORTS = {
    "RabbitMQ": "rabbitmq",
    "AzureServiceBusQueue": "service_bus",
    "AmazonSqs": "sqs",
    "Ftps": "ftps",
    "Files": "files",
}


async def publish(to: MessagePublisher, message: Message, *, within: float = math.inf) -> None:
    """Hand over one event; returns once the receiver has confirmed it.

    Args:
        within: seconds after which it is not sent any more, however long the way was or this process stood still.

    Raises:
        PublishError: it is not known to have arrived.
    """
    latest, is_late = time.monotonic() + within, False

    def send(connection: Connection) -> None:
        nonlocal is_late
        if not (is_late := time.monotonic() >= latest):
            connection.send(to, message)

    await use(to.endpoint, lambda: _connect(to), send)
    if is_late:
        raise PublishError(f"{message.event_type} is out of date by now")


async def check(to: MessagePublisher) -> None:
    """See whether events could be handed over, without sending one.

    Raises:
        PublishError: they could not.
    """
    await use(to.endpoint, lambda: _connect(to), lambda connection: connection.check(to))


def _connect(to: MessagePublisher) -> Connection:
    connection: Connection = import_module(f"publishers.{TRANSPORTS[to.type]}").connect(to)
    return connection
