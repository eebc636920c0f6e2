"""A stand-in for Azure Service Bus, run as a process of its own: no emulator of the service runs without containers.

It speaks AMQP 1.0 with the engine of Apache Qpid Proton, verifies the shared access signature, keeps messages in a
file and hands them out once (`RECEIVE_AND_DELETE`, or `PEEK_LOCK` whose lock never ends). It proves the client's code
and what goes over the wire, not how Azure behaves: no redelivery, sessions, topics, throttling or administration.
"""

# mypy: ignore-errors
# The package is without annotations, and in the environment of the servers alone.

import argparse
import base64
import hashlib
import hmac
import sqlite3
import time
import uuid
from collections import defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from proton import Condition, Delivery, Link, Message, symbol, timestamp
from proton.handlers import MessagingHandler
from proton.reactor import Container

MAX_MESSAGE_SIZE = 1 << 20
LOCK_SECONDS = 60
CBS = "$cbs"
"""Where clients put their tokens."""


class Queues:
    """Messages as they came, by queue, in a file."""

    def __init__(self, file: Path) -> None:
        self._db = sqlite3.connect(file, isolation_level=None)
        self._db.execute("CREATE TABLE IF NOT EXISTS messages (number INTEGER PRIMARY KEY, queue, raw, at)")

    def put(self, queue: str, raw: bytes) -> None:
        self._db.execute("INSERT INTO messages (queue, raw, at) VALUES (?, ?, ?)", (queue, raw, time.time()))

    def take(self, queue: str) -> Message | None:
        """The oldest one, which is gone then."""
        oldest = "SELECT number, raw, at FROM messages WHERE queue = ? ORDER BY number LIMIT 1"
        if (row := self._db.execute(oldest, (queue,)).fetchone()) is None:
            return None
        number, raw, at = row
        self._db.execute("DELETE FROM messages WHERE number = ?", (number,))
        message = Message()
        message.decode(raw)
        message.annotations = {
            **(message.annotations or {}),
            symbol("x-opt-sequence-number"): number,
            symbol("x-opt-enqueued-time"): timestamp(int(at * 1000)),
            symbol("x-opt-locked-until"): timestamp(int((time.time() + LOCK_SECONDS) * 1000)),
        }
        return message


class ServiceBus(MessagingHandler):
    """One namespace with one key, which may not send to the queues that are locked."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(auto_accept=False, auto_settle=False, prefetch=100)
        self._address = options.address
        self._locked = {queue.lower() for queue in options.locked}
        self._known = {queue.lower() for queue in options.queue} | self._locked
        self._key_name, _, self._key = options.key.partition("=")
        self._queues = Queues(options.file)
        self._receivers = defaultdict(list)  # queue -> links to clients that wait for messages
        self._trusted = set()  # connections that put a valid token

    def on_start(self, event: Any) -> None:
        event.container.listen(self._address)

    def on_link_opening(self, event: Any) -> None:
        link = event.link
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        link.snd_settle_mode, link.rcv_settle_mode = link.remote_snd_settle_mode, link.remote_rcv_settle_mode
        link.queue = self._queue((link.remote_source if link.is_sender else link.remote_target).address)
        if link.queue == CBS:
            return
        if event.connection not in self._trusted or link.queue not in self._known:
            self._refuse(event, "amqp:not-allowed", "no token for this queue")
        elif link.queue in self._locked and not link.is_sender:
            self._refuse(event, "amqp:unauthorized-access", "Unauthorized access. 'Send' claim(s) are required.")
        elif link.is_sender:
            self._receivers[link.queue].append(link)
        else:
            link.max_message_size = MAX_MESSAGE_SIZE

    def on_link_closing(self, event: Any) -> None:
        if event.link in self._receivers[event.link.queue]:
            self._receivers[event.link.queue].remove(event.link)
        event.link.close()

    on_link_error = on_link_closing

    def on_disconnected(self, event: Any) -> None:
        self._trusted.discard(event.connection)
        for links in self._receivers.values():
            links[:] = [link for link in links if link.connection != event.connection]

    def on_delivery(self, event: Any) -> None:
        """A message of a client is here, wholly or in part."""
        delivery, link = event.delivery, event.link
        if link.is_sender and delivery.updated and delivery.remote_state:
            delivery.update(delivery.remote_state)
            delivery.settle()
        if link.is_sender or not delivery.readable or delivery.partial or not link.queue:
            return
        raw = bytes(link.recv(delivery.pending))
        link.advance()
        if len(raw) > MAX_MESSAGE_SIZE:
            self._end(link, "amqp:link:message-size-exceeded", "The received message is too large.")
            return
        if link.queue == CBS:
            self._answer_token(event, raw)
        else:
            self._queues.put(link.queue, raw)
        delivery.update(Delivery.ACCEPTED)
        delivery.settle()
        link.flow(1)
        self._hand_out(link.queue)

    def on_message(self, event: Any) -> None:
        """Proton would decode what `on_delivery` stores as it came."""

    def on_link_flow(self, event: Any) -> None:
        """A client is ready to take messages."""
        if event.link.is_sender and event.link.queue in self._known:
            self._hand_out(event.link.queue)
            if event.link.drain_mode:
                event.link.drained()

    def _hand_out(self, queue: str) -> None:
        for link in self._receivers[queue]:
            while link.credit > 0 and (message := self._queues.take(queue)):
                delivery = link.delivery(uuid.uuid4().hex[:16])  # the tag is the lock's token: 16 bytes
                link.stream(message.encode())
                link.advance()
                if link.remote_snd_settle_mode == Link.SND_SETTLED:
                    delivery.settle()

    def _answer_token(self, event: Any, raw: bytes) -> None:
        request = Message()
        request.decode(raw)
        code, text = 401, "InvalidSignature: The token has an invalid signature."
        if self._queue(str(request.properties["name"])) not in self._known:
            code, text = 404, "The messaging entity could not be found."
        elif self._is_valid(str(request.body)):
            self._trusted.add(event.connection)
            code, text = 202, "Accepted"
        answer = Message(body={}, correlation_id=request.id)
        answer.properties = {"status-code": code, "status-description": text}
        link = event.connection.link_head(0)
        while not (link.is_sender and link.queue == CBS):
            link = link.next(0)
        link.send(answer)

    def _is_valid(self, token: str) -> bool:
        """A token: `SharedAccessSignature sr=<address>&sig=<HMAC of address, expiry>&se=<expiry>&skn=<key name>`."""
        fields = dict(field.partition("=")[::2] for field in token.partition(" ")[2].split("&"))
        if unquote(fields.get("skn", "")) != self._key_name or int(fields.get("se", "0")) < time.time():
            return False
        signed = f"{fields['sr']}\n{fields['se']}".encode()
        signature = base64.b64encode(hmac.digest(self._key.encode(), signed, hashlib.sha256)).decode()
        return hmac.compare_digest(signature, unquote(fields["sig"]))

    def _refuse(self, event: Any, condition: str, text: str) -> None:
        """Attach, and detach a moment later: who attaches to nothing leaves the client's library waiting."""
        link, end = event.link, self._end
        link.queue = None
        link.open()

        class Later:
            def on_timer_task(self, _: Any) -> None:
                end(link, condition, text)

        event.container.schedule(0.2, Later())

    @staticmethod
    def _end(link: Link, condition: str, text: str) -> None:
        link.condition = Condition(condition, text)
        link.close()

    @staticmethod
    def _queue(address: str | None) -> str:
        path = urlsplit(address).path if "://" in (address or "") else address
        return (path or "").strip("/").lower()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True, help="host:port")
    parser.add_argument("--queue", action="append", default=[])
    parser.add_argument("--locked", action="append", default=[], help="a queue to which nobody may send")
    parser.add_argument("--key", required=True, help="name=key")
    parser.add_argument("--file", required=True, type=Path, help="the messages")
    options = parser.parse_args()
    container = Container(ServiceBus(options))
    container.sasl_enabled = True
    container.allowed_mechs = "ANONYMOUS"
    container.run()


if __name__ == "__main__":
    main()
