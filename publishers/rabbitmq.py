"""Events to a queue of a RabbitMQ broker, through the default exchange, each one confirmed."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import pika
from pika import exceptions as amqp
from pika.adapters.utils.connection_workflow import AMQPConnectorException

from publishers.base import PublishError, Refused, Unavailable
from publishers.config import RabbitMq
from publishers.events import Message

if TYPE_CHECKING:
    from pika.adapters.blocking_connection import BlockingChannel

PATIENCE = 10
"""Seconds: to connect, without a sign of life, and with a broker that takes nothing as its disk is full."""

Result = TypeVar("Result")

# The first class that fits decides; `{queue}` and `{broker}` are filled in.
FAILURES: tuple[tuple[type[BaseException], type[PublishError], str], ...] = (
    (amqp.UnroutableError, Refused, "the queue {queue} does not exist on {broker}; create it"),
    (amqp.NackError, Unavailable, "{broker} does not take messages for the queue {queue}: it is full"),
    (amqp.ProbableAuthenticationError, Refused, "{broker} does not accept this user name and password"),
    (amqp.AuthenticationError, Refused, "{broker} does not accept this user name and password"),
    (amqp.ProbableAccessDeniedError, Refused, "{broker} does not let this user into this virtual host"),
    (amqp.ConnectionBlockedTimeout, Unavailable, "{broker} takes no messages: its disk or memory is full"),
    (amqp.AMQPHeartbeatTimeout, Unavailable, "{broker} stopped answering"),
    (amqp.IncompatibleProtocolError, Refused, "{broker} does not speak AMQP 0-9-1; check Protocol and Port"),
    (ssl.SSLCertVerificationError, Refused, "the certificate of {broker} is not trusted"),
    (ssl.SSLError, Refused, "{broker} does not speak TLS; check Protocol and Port"),
    (AMQPConnectorException, Unavailable, "{broker} does not answer"),
    (amqp.AMQPConnectionError, Unavailable, "{broker} cannot be reached"),
    (OSError, Unavailable, "{broker} cannot be reached"),
    (amqp.AMQPError, Unavailable, "{broker} broke off the conversation"),
    (UnicodeError, Refused, "{broker} is not a valid host name"),
)

REPLIES = {
    311: "the event is larger than the broker allows",
    403: "this user may not write to the queue {queue}",
    404: "the exchange is missing",
    406: "the event is larger than the broker allows",
    530: "this virtual host does not exist, or the user may not enter it",
}
"""What the broker's reply codes mean that stay the same however often one asks."""


class RabbitMqPublisher:
    """One connection, used by one thread alone, as pika demands."""

    def __init__(self, config: RabbitMq) -> None:
        self._config = config
        self._thread = ThreadPoolExecutor(1, "rabbitmq")
        self._channel: BlockingChannel | None = None

    async def publish(self, message: Message) -> None:
        """Returns once the broker has confirmed the event."""
        await self._in_thread(lambda: self._send(message))

    async def connect(self) -> None:
        """Open the connection and ask for confirms."""
        await self._in_thread(self._connect)

    async def close(self) -> None:
        """Say good-bye where that is still possible, and end the thread."""
        with suppress(PublishError):
            await self._in_thread(self._close)
        self._thread.shutdown(wait=False)

    async def keep_alive(self) -> None:
        """Answer the broker's heartbeats while nothing is published: pika reads them only when it is called."""
        with suppress(PublishError):  # the next event meets the same and says so
            while True:
                await asyncio.sleep(PATIENCE / 4)
                await self._in_thread(self._listen)

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        with explained(self._config):
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _connect(self) -> None:
        self._channel = pika.BlockingConnection(parameters(self._config)).channel()
        self._channel.confirm_delivery()

    def _send(self, message: Message) -> None:
        if self._channel is None:
            raise amqp.ConnectionWrongStateError
        self._channel.basic_publish(
            exchange="",
            routing_key=self._config.queue,
            body=json.dumps(message.body, ensure_ascii=False, separators=(",", ":")).encode(),
            properties=properties(message),
            mandatory=True,
        )

    def _listen(self) -> None:
        if self._channel is not None:
            self._channel.connection.process_data_events(time_limit=0)

    def _close(self) -> None:
        if self._channel is not None and self._channel.connection.is_open:
            self._channel.connection.close()


@asynccontextmanager
async def open_rabbitmq(config: RabbitMq) -> AsyncIterator[RabbitMqPublisher]:
    """Connect, and close at the end of the block."""
    publisher = RabbitMqPublisher(config)
    try:
        await publisher.connect()
        alive = asyncio.create_task(publisher.keep_alive())
        try:
            yield publisher
        finally:
            alive.cancel()
    finally:
        await publisher.close()


def parameters(config: RabbitMq) -> Any:
    """How pika connects; certificates are verified against the system's authorities."""
    tls = pika.SSLOptions(ssl.create_default_context(), config.host) if config.protocol == "amqps" else None
    return pika.ConnectionParameters(
        host=config.host,
        port=config.port,
        virtual_host=config.virtual_host,
        credentials=pika.PlainCredentials(config.credentials_name, config.credentials_secret),
        ssl_options=tls,
        heartbeat=PATIENCE,
        blocked_connection_timeout=PATIENCE,
        socket_timeout=PATIENCE,
        stack_timeout=PATIENCE,
    )


def properties(message: Message) -> Any:
    """What the broker and consumers may read without opening the body."""
    return pika.BasicProperties(
        type=message.event_type,
        message_id=message.event_id,
        timestamp=int(message.timestamp.timestamp()),
        content_type="application/json",
        delivery_mode=pika.DeliveryMode.Persistent.value,
    )


@contextmanager
def explained(config: RabbitMq) -> Iterator[None]:
    """Turn what pika and the network raise into a `PublishError`."""
    names = {"queue": config.queue, "broker": f"RabbitMQ at {config.host}:{config.port}"}
    try:
        yield
    except (amqp.ConnectionClosedByBroker, amqp.ChannelClosedByBroker) as error:
        if error.reply_code not in REPLIES:
            raise Unavailable("{broker} closed the connection".format_map(names)) from None
        raise Refused(f"{{broker}}: {REPLIES[error.reply_code]}".format_map(names)) from None
    except tuple(failure for failure, _, _ in FAILURES) as error:
        _, kind, text = next(row for row in FAILURES if isinstance(error, row[0]))
        raise kind(text.format_map(names)) from None
