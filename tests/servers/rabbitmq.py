import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from tests.servers.certificates import certificates
from tests.servers.ports import free_ports
from tests.servers.process import Process

# The program in sbin would change to another user and to the machine's own data.
PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"
INSTALL = "scripts/system_packages.sh rabbitmq-server"

CONFIG = """\
listeners.tcp.1 = 127.0.0.1:{port}
listeners.ssl.1 = 127.0.0.1:{tls_port}
ssl_options.cacertfile = {tls.ca}
ssl_options.certfile = {tls.certificate}
ssl_options.keyfile = {tls.key}
default_user = {user}
default_pass = {password}
max_message_size = {max_message_size}
log.console = true
log.file = false
"""


class RabbitMQ:
    """A real RabbitMQ, wholly inside one folder, with an Erlang port mapper of its own."""

    host = "127.0.0.1"
    user = "encoding"
    password = "s3cret-Pass"
    vhost = "/"
    max_message_size = 100_000

    def __init__(self, folder: Path) -> None:
        self.port, self.tls_port, self._dist_port, self._epmd_port = free_ports(4)
        self.tls = certificates(folder / "tls")
        self._folder = folder
        env = self._environment()
        mapper = ["epmd", "-address", self.host, "-port", str(self._epmd_port)]
        self._epmd = Process(mapper, folder / "epmd.log", self._mapper_answers, env, INSTALL)
        self._broker = Process([PROGRAM], folder / "rabbitmq.log", self._answers, env, INSTALL)

    @property
    def url(self) -> str:
        return f"amqp://{self.user}:{self.password}@{self.host}:{self.port}/%2F"

    @property
    def params(self) -> Any:
        return pika.URLParameters(self.url)

    @property
    def running(self) -> bool:
        return self._broker.running

    def start(self) -> None:
        (self._folder / "rabbitmq.conf").write_text(
            CONFIG.format(
                port=self.port,
                tls_port=self.tls_port,
                tls=self.tls,
                user=self.user,
                password=self.password,
                max_message_size=self.max_message_size,
            )
        )
        (self._folder / "enabled_plugins").write_text("[].\n")
        if not self._epmd.running:  # it outlives a broker that was killed
            self._epmd.start()
        self._broker.start()

    def stop(self) -> None:
        self._broker.stop()
        self._epmd.stop()

    def kill(self) -> None:
        """SIGKILL to the Erlang machine: no connection is closed, nothing is flushed."""
        self._broker.kill()

    def restart(self) -> None:
        self._broker.restart()

    @contextmanager
    def channel(self) -> Iterator[BlockingChannel]:
        with pika.BlockingConnection(self.params) as connection:
            yield connection.channel()

    def declare_queue(self, name: str, **arguments: object) -> None:
        """`max_length=1` becomes the queue argument `x-max-length`."""
        named = {f"x-{key.replace('_', '-')}": value for key, value in arguments.items()}
        with self.channel() as channel:
            channel.queue_declare(name, durable=True, arguments=named)

    def remembers(self, queue: str) -> bool:
        """Whether a durable queue is on the disk; the broker may confirm it a moment earlier."""
        return any(
            queue.encode() in file.read_bytes() for end in ("LOG", "DC?") for file in self._folder.rglob(f"*.{end}")
        )

    def drain(self, queue: str, *, idle: float = 0.5) -> list[tuple[Any, dict[str, Any]]]:
        """(properties, body) of all messages, in order, until none came for `idle` seconds."""
        messages = []
        with self.channel() as channel:
            for method, properties, body in channel.consume(queue, inactivity_timeout=idle):
                if method is None:
                    break
                messages.append((properties, json.loads(body)))
                channel.basic_ack(method.delivery_tag)
            channel.cancel()
        return messages

    def _environment(self) -> dict[str, str]:
        folder = self._folder
        return {
            "HOME": str(folder),  # for the Erlang cookie
            "RABBITMQ_NODENAME": f"encoding-{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "no-rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(folder / "rabbitmq.pid"),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": self.host,  # otherwise it listens to the world
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RUNNING_UNDER_SYSTEMD": "1",  # the script becomes the broker: our pid is the broker's
        }

    def _mapper_answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self._epmd_port)) == 0

    def _answers(self) -> bool:
        """Only the AMQP handshake counts: the port opens seconds earlier."""
        try:
            with self.channel():
                return True
        except AMQPError:
            return False
