"""Events to queues of an Azure Service Bus namespace, each one confirmed."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusSender,
    exceptions,
    parse_connection_string,
)
from azure.servicebus._pyamqp import _transport
from azure.servicebus._pyamqp.constants import MAX_FRAME_SIZE_BYTES

from publishers.addresses import connected
from publishers.base import PublishError, Refused, Unavailable, Unwanted
from publishers.config import AzureServiceBusQueue
from publishers.events import Message
from publishers.pace import HostError, Socket, TlsSocket, pace
from publishers.tls import verifying

PATIENCE = 10
"""Seconds: to connect, to be let in, and to wait for a confirmation."""
NEWS_SECONDS = 0.5
"""In which a queue that seemed open has said that it is not."""
NEWS = 3
"""Packets at most before that one: how much may be sent, and that the key was received."""
SOCKET_SECONDS = 0.25
"""In which a packet must leave. It also ends each wait for an answer, of which there are many in `PATIENCE`."""
PROPERTIES_SIZE = 1024
"""Bytes of a message besides its body, at most."""

CHECKED = ("JobCreated", "JobSuccess", "FinalError")
"""Events whose queues must be there where each has its own: no job can end without two of them."""

NOT_FOUND = 404


# The first class that fits the error, or what it came from, decides; `{queue}` and `{bus}` are filled in.
FAILURES: tuple[tuple[type[BaseException], type[PublishError], str], ...] = (
    (exceptions.MessagingEntityNotFoundError, Refused, "{bus} has no queue {queue}; create it"),
    (exceptions.MessagingEntityDisabledError, Refused, "the queue {queue} of {bus} is disabled; enable it"),
    (exceptions.MessageSizeExceededError, Refused, "the event is larger than the queue {queue} of {bus} allows"),
    (exceptions.ServiceBusAuthenticationError, Refused, "{bus} does not accept the key or signature in Connection"),
    (exceptions.ServiceBusAuthorizationError, Refused, "{bus} does not let this key send to the queue {queue}"),
    (exceptions.ServiceBusQuotaExceededError, Unavailable, "the queue {queue} of {bus} is full"),
    (exceptions.ServiceBusServerBusyError, Unavailable, "{bus} is too busy"),
    (exceptions.OperationTimeoutError, Unavailable, "{bus} does not answer in time; does the queue {queue} exist?"),
    (ssl.SSLCertVerificationError, Refused, "the certificate of {bus} is not trusted"),
    (ssl.SSLEOFError, Unavailable, "{bus} cannot be reached"),
    (ssl.SSLError, Refused, "{bus} does not speak TLS"),
    (OSError, Unavailable, "{bus} cannot be reached"),
    (exceptions.ServiceBusError, Unavailable, "{bus} broke off the conversation"),
    (ValueError, Refused, "Connection and Queue do not fit {bus}: an EntityPath must name the same queue as Queue"),
)


class _Impatient(Socket):
    """The library waits without limit for the first words, and for the handshake; this does not."""

    def settimeout(self, value: float | None) -> None:
        super().settimeout(PATIENCE if value is None else value)

    def __del__(self) -> None:
        self.close()  # the library loses those that fail early


class _ImpatientTls(_Impatient, TlsSocket):
    """The same inside of TLS."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - as the base class has it
        self.settimeout(PATIENCE)
        super().do_handshake(block)


class _Sockets:
    """The `socket` module for the library, which has no other way to choose the address that it connects to."""

    def __getattr__(self, name: str) -> Any:
        return getattr(socket, name)

    def create_connection(self, address: tuple[str, int], timeout: float) -> socket.socket:
        return _Impatient(fileno=connected(*address, timeout).detach())


def _room(size: int) -> bytearray:
    """What the library makes for each frame, of whatever size that announces."""
    if size > MAX_FRAME_SIZE_BYTES:
        raise HostError("what it sends is larger than was agreed")
    return bytearray(size)


_transport.socket = _Sockets()  # type: ignore[assignment, attr-defined]
_transport.bytearray = _room  # type: ignore[attr-defined]


class ServiceBusConnection:
    """A client with a sender for each queue that was used; each sender has a socket of its own."""

    def __init__(self, config: AzureServiceBusQueue) -> None:
        with _explained(config, ""):
            self._client = ServiceBusClient.from_connection_string(
                config.connection,
                # Whoever calls decides on the next attempt: a hidden one would take the time of all others.
                retry_total=0,
                try_timeout=PATIENCE,
                ssl_context=_impatient(verifying()),
            )
        self._senders: dict[str, ServiceBusSender] = {}
        self._transports: list[Any] = []

    def send(self, config: AzureServiceBusQueue, message: Message) -> None:
        """See base class."""
        body = json.dumps(message.body, ensure_ascii=False, separators=(",", ":"))
        queue = _queue(config, message.event_type)
        can_do_without = queue == message.event_type and queue not in CHECKED
        with _explained(config, queue, missing=Unwanted if can_do_without else Refused):
            sender = self._sender(queue)
            # A service that ends the link over the size gives the library no chance to tell why.
            if len(body.encode()) + PROPERTIES_SIZE > sender._max_message_size_on_link:  # noqa: SLF001
                raise exceptions.MessageSizeExceededError
            sender.send_messages(
                ServiceBusMessage(
                    body,
                    application_properties={"OriginalMessageType": message.event_type},
                    message_id=message.event_id,
                    session_id=message.job_id,
                    subject=message.event_type,
                    content_type="application/json",
                ),
                timeout=PATIENCE,
            )

    def check(self, config: AzureServiceBusQueue) -> None:
        """See base class."""
        queues = sorted({_queue(config, event_type) for event_type in CHECKED})
        for queue in queues:
            with _explained(config, queue):
                self._sender(queue)
        time.sleep(NEWS_SECONDS)
        for queue in queues:
            with _explained(config, queue):
                self._read_news(self._sender(queue))

    def close(self) -> None:
        """See base class."""
        for each in (self._client, *self._transports):
            with suppress(Exception):  # of a connection that has broken
                each.close()

    @staticmethod
    def _read_news(sender: ServiceBusSender) -> None:
        """A queue that may not be used looks well at first."""
        try:
            for _ in range(NEWS):
                sender._handler.do_work()  # noqa: SLF001
        except Exception as error:  # the library has a table of its own for these
            raise sender._handle_exception(error) from error  # noqa: SLF001

    def _sender(self, queue: str) -> ServiceBusSender:
        if queue not in self._senders:
            # No thread of the library's own: connections close before any sign of life is due.
            sender = self._client.get_queue_sender(queue, socket_timeout=SOCKET_SECONDS, keep_alive=None)
            self._senders[queue] = sender.__enter__()
            # When the other side breaks off, the library forgets the socket and leaves it open.
            self._transports.append(sender._handler._connection._transport)  # type: ignore[union-attr]  # noqa: SLF001
        return self._senders[queue]


def connect(config: AzureServiceBusQueue) -> ServiceBusConnection:
    """Prepare a client for the namespace of `config`; it connects to a queue with the first event for it."""
    return ServiceBusConnection(config)


def _queue(config: AzureServiceBusQueue, event_type: str) -> str:
    return config.queue or parse_connection_string(config.connection).entity_path or event_type


def _impatient(context: ssl.SSLContext) -> ssl.SSLContext:
    context.sslsocket_class = _ImpatientTls
    return context


@contextmanager
def _explained(config: AzureServiceBusQueue, queue: str, missing: type[PublishError] = Refused) -> Iterator[None]:
    """Turn whatever the library raises, whose text may hold anything, into a `PublishError`; `missing` for no queue."""
    names = {"queue": queue, "bus": f"Azure Service Bus {config.namespace}"}
    pace().begin()
    try:
        yield
    except Exception as error:  # noqa: BLE001
        causes = list(_causes(error))
        if any(getattr(cause, "status_code", None) == NOT_FOUND for cause in causes):  # said instead of letting in
            causes.insert(0, exceptions.MessagingEntityNotFoundError())
        if refused := next((cause for cause in causes if isinstance(cause, HostError)), None):
            raise Refused(f"{names['bus']}: {refused}") from None
        for kind, outcome, text in FAILURES:
            if any(isinstance(cause, kind) for cause in causes):
                told = missing if kind is exceptions.MessagingEntityNotFoundError else outcome
                raise told(text.format_map(names)) from None
        raise Unavailable("the conversation with {bus} failed".format_map(names)) from None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from."""
    while error:
        yield error
        error = getattr(error, "inner_exception", None) or error.__cause__
