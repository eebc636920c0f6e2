"""The events of a job and the transports that carry them to the client's queues."""

from collections.abc import Callable
from typing import Any

from publishers import files, ftps, rabbitmq, service_bus, sqs
from publishers.base import Connection
from publishers.config import AmazonSqs, AzureServiceBusQueue, Files, Ftps, MessagePublisher, RabbitMq
from publishers.connections import use
from publishers.events import Message

CONNECT: dict[type[MessagePublisher], Callable[[Any], Connection]] = {
    RabbitMq: rabbitmq.connect,
    AzureServiceBusQueue: service_bus.connect,
    AmazonSqs: sqs.connect,
    Ftps: ftps.connect,
    Files: files.connect,
}


async def publish(to: MessagePublisher, message: Message) -> None:
    """Hand over one event; returns once the receiver has confirmed it.

    Raises:
        PublishError: it is not known to have arrived.
    """
    await use(to.endpoint, lambda: CONNECT[type(to)](to), lambda connection: connection.send(to, message))


async def check(to: MessagePublisher) -> None:
    """See whether events could be handed over, without sending one.

    Raises:
        PublishError: they could not.
    """
    await use(to.endpoint, lambda: CONNECT[type(to)](to), lambda connection: connection.check(to))
