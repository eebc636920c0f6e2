import socket
from collections.abc import Iterable
from contextlib import suppress

from tests.servers.listener import Listener

POLITE = {
    "USER": "331 Password?",
    "PASS": "230 Hello.",
    "FEAT": "211-Features:\r\n MLST type*;size*;\r\n UTF8\r\n211 End",
    "OPTS": "200 Fine.",
    "TYPE": "200 Fine.",
    "PWD": '257 "/"',
    "CWD": "250 Fine.",
    "NOOP": "200 Fine.",
    "QUIT": "221 Bye.",
    "SIZE": "550 None.",
}


class Script(Listener):
    """An FTP server without TLS that gives the answers it is told to give: no real one can be made to lie like this.

    Args:
        answers: by command, besides the polite ones.
        listing: what every folder, or file, holds, in bytes as they are sent.
    """

    def __init__(self, answers: dict[str, str] | None = None, listing: Iterable[bytes] = ()) -> None:
        super().__init__()
        self._answers = POLITE | (answers or {})
        self._listing = listing
        self.heard: list[str] = []
        """All commands, with their arguments."""

    def serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, client.makefile("r", errors="replace") as lines:
            client.sendall(b"220 Hello.\r\n")
            with socket.create_server(("127.0.0.1", 0)) as data:
                for line in lines:
                    self.heard.append(line.strip())
                    self._answer(client, data, line.split()[0].upper())

    def _answer(self, client: socket.socket, data: socket.socket, command: str) -> None:
        if command == "PASV" and command not in self._answers:
            port = data.getsockname()[1]
            # Another host than its own, which nobody shall connect to.
            client.sendall(f"227 Fine (192,0,2,1,{port // 256},{port % 256}).\r\n".encode())
        elif command in ("MLSD", "LIST", "RETR") and command not in self._answers:
            client.sendall(b"150 Here it comes.\r\n")
            connection, _ = data.accept()
            with connection, suppress(OSError):
                for part in self._listing:
                    connection.sendall(part)
            client.sendall(b"226 That was it.\r\n")
        else:
            client.sendall(f"{self._answers.get(command, '502 What?')}\r\n".encode())
