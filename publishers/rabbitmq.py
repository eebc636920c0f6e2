"""Events to a queue of a RabbitMQ broker, through the default exchange, each one confirmed."""

import json
import ssl
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pika
from pika import exceptions as amqp
from pika.adapters.utils.connection_workflow import AMQPConnectorException

from publishers.addresses import reachable
from publishers.base import PublishError, Refused, Unavailable
from publishers.config import RabbitMq
from publishers.connections import IDLE_SECONDS
from publishers.events import Message
from publishers.pace import STEP_BYTES, HostError
from publishers.tls import verifying

if TYPE_CHECKING:
    from pika.adapters.blocking_connection import BlockingChannel

PATIENCE = 10
"""Seconds: to connect, for what was sent to arrive, and with a broker that takes nothing as its disk is full."""

CONFIRM_SECONDS = 90.0
"""To confirm an event, or to tell of a queue: one that has lost most of its nodes takes a minute to say so."""

NOT_FOUND = 404


class _Overdue(Exception):
    """The broker has not answered in time, whatever else it says."""


# The first class that fits decides; `{queue}` and `{broker}` are filled in.
FAILURES: tuple[tuple[type[BaseException], type[PublishError], str], ...] = (
    (amqp.UnroutableError, Refused, "the queue {queue} does not exist on {broker}; create it"),
    (amqp.NackError, Unavailable, "{broker} does not take messages for the queue {queue} now: it is full"),
    (amqp.ProbableAuthenticationError, Refused, "{broker} does not accept this user name and password"),
    (amqp.AuthenticationError, Refused, "{broker} does not accept this user name and password"),
    (amqp.ProbableAccessDeniedError, Refused, "{broker} does not let this user into this virtual host"),
    (amqp.ConnectionBlockedTimeout, Unavailable, "{broker} takes no messages: its disk or memory is full"),
    (amqp.AMQPHeartbeatTimeout, Unavailable, "{broker} stopped answering"),
    (_Overdue, Unavailable, "{broker} does not confirm in time"),
    (amqp.InvalidFrameError, Unavailable, "{broker} sends more at once than was agreed"),
    (amqp.IncompatibleProtocolError, Unavailable, "{broker} breaks off the first words; check Protocol and Port"),
    (ssl.SSLCertVerificationError, Refused, "the certificate of {broker} is not trusted"),
    (ssl.SSLEOFError, Unavailable, "{broker} cannot be reached"),
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


class _Limited(pika.SelectConnection):  # type: ignore[misc] # the library tells no types
    """pika gathers whatever size a frame announces, and waits for its answer as long as anything else comes."""

    _before = 0

    def _on_data_available(self, data_in: bytes) -> None:
        super()._on_data_available(data_in)  # what is left is a frame that has not come in full
        if len(self._frame_buffer) > self.params.frame_max or self.bytes_received - self._before > STEP_BYTES:
            self._terminate_stream(amqp.InvalidFrameError("too much"))

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Break it off if the block lasts longer."""
        self._before = self.bytes_received
        timer = self._adapter_call_later(seconds, lambda: self._terminate_stream(_Overdue()))
        try:
            yield
        finally:
            self._adapter_remove_timeout(timer)


class RabbitMqConnection:
    """One connection with one channel that asks for confirms."""

    def __init__(self, config: RabbitMq) -> None:
        with _explained(config):
            self._connection = pika.BlockingConnection([*_ways(config)], _impl_class=_Limited)
            with self._within(PATIENCE):
                self._channel: BlockingChannel = self._connection.channel()
                self._channel.confirm_delivery()

    def send(self, config: RabbitMq, message: Message) -> None:
        """See base class."""
        with _explained(config), self._within(CONFIRM_SECONDS):
            self._channel.basic_publish(
                exchange="",
                routing_key=config.queue,
                body=json.dumps(message.body, ensure_ascii=False, separators=(",", ":")).encode(),
                properties=properties(message),
                mandatory=True,
            )

    def check(self, config: RabbitMq) -> None:
        """See base class."""
        with _explained(config), self._within(CONFIRM_SECONDS):
            try:
                with self._connection.channel() as channel:  # one that stays open counts towards the broker's limit
                    channel.queue_declare(config.queue, passive=True)
            except amqp.ChannelClosedByBroker as error:
                if error.reply_code == NOT_FOUND:
                    raise amqp.UnroutableError([]) from None
                raise

    def close(self) -> None:
        """See base class."""
        if self._connection.is_open:
            with suppress(amqp.AMQPError, OSError, _Overdue), self._within(PATIENCE):
                self._connection.close()

    def _within(self, seconds: float) -> AbstractContextManager[None]:
        limited: _Limited = self._connection._impl  # noqa: SLF001 - there is no public way to its timers that run
        return limited.within(seconds)


def connect(config: RabbitMq) -> RabbitMqConnection:
    """Open a connection to the broker of `config`."""
    return RabbitMqConnection(config)


def _ways(config: RabbitMq) -> Iterator[Any]:
    """One for each address of the host, tried in turn; TLS is for the name all the same."""
    addresses = dict.fromkeys(str(found[4][0]) for found in reachable(*config.place))
    return (_parameters(config, address) for address in addresses)


def _parameters(config: RabbitMq, address: str) -> Any:
    return pika.ConnectionParameters(
        host=address,
        port=config.place[1],
        virtual_host=config.virtual_host,
        credentials=pika.PlainCredentials(config.credentials_name, config.credentials_secret),
        ssl_options=pika.SSLOptions(verifying(), config.host) if config.protocol == "amqps" else None,
        # pika answers heartbeats only while it is called: longer than a connection lies idle.
        heartbeat=round(3 * IDLE_SECONDS),
        tcp_options={"TCP_USER_TIMEOUT": PATIENCE * 1000},  # a network that swallows everything
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
def _explained(config: RabbitMq) -> Iterator[None]:
    """Turn what pika and the network raise into a `PublishError`."""
    host, port = config.place
    names = {"queue": config.queue, "broker": f"RabbitMQ at {host}:{port}"}
    try:
        yield
    except (amqp.ConnectionClosedByBroker, amqp.ChannelClosedByBroker) as error:
        if error.reply_code not in REPLIES:
            raise Unavailable("{broker} closed the connection".format_map(names)) from None
        raise Refused(f"{{broker}}: {REPLIES[error.reply_code]}".format_map(names)) from None
    except HostError as error:
        raise Refused(f"{names['broker']}: {error}") from None
    except tuple(failure for failure, _, _ in FAILURES) as error:
        _, kind, text = next(row for row in FAILURES if isinstance(error, row[0]))
        raise kind(text.format_map(names)) from None
