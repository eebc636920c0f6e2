"""A web server that holds one file back until it is told what becomes of it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Event
from typing import Any

from tests.servers.http import Quiet, listening

BYTE_SECONDS = 0.1


class Gate:
    """What becomes of it; until then it arrives byte by byte."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.url = ""
        self.is_gone = False
        self._decided = Event()

    def open(self) -> None:
        """The rest arrives."""
        self._decided.set()

    def lose(self) -> None:
        """Nothing more arrives, and the file is no longer there."""
        self.is_gone = True
        self._decided.set()

    def holds(self) -> bool:
        """Wait a moment; whether nothing is decided yet."""
        return not self._decided.wait(BYTE_SECONDS)


class _Gated(Quiet):
    def __init__(self, *args: Any, gate: Gate, **options: Any) -> None:
        self._gate = gate
        super().__init__(*args, **options)

    def do_GET(self) -> None:  # noqa: N802 - the base class's name
        if self._is_held() and self._gate.is_gone:
            self.send_error(404)
        else:
            super().do_GET()

    def copyfile(self, source: Any, outputfile: Any) -> None:
        with suppress(ConnectionError):  # nobody waits for it any more
            while self._is_held() and self._gate.holds():
                outputfile.write(source.read(1))
            if not (self._is_held() and self._gate.is_gone):
                super().copyfile(source, outputfile)

    def _is_held(self) -> bool:
        return self.path.endswith(f"/{self._gate.name}")


@contextmanager
def gated(folder: Path, name: str) -> Iterator[Gate]:
    """Serve the files of a folder, of which `name` is held back; at the end of the block it is let go."""
    gate = Gate(name)
    handler = partial(_Gated, directory=str(folder), gate=gate)
    with listening(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as port:
        gate.url = f"http://127.0.0.1:{port}/"
        try:
            yield gate
        finally:
            gate.open()
