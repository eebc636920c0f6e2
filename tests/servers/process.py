import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

# The kernel ends a server when the *thread* that started it ends. A test may restart a server from
# a short-lived thread, so one thread that lives as long as pytest starts them all.
_starter = ThreadPoolExecutor(1, "server-starter")


class Server(Protocol):
    """What a fixture starts and stops."""

    @property
    def start(self) -> Callable[[], None]: ...

    @property
    def stop(self) -> Callable[[], None]: ...


@contextmanager
def started(server: Server) -> Iterator[None]:
    """Run a server inside the block; it is stopped also when it did not start well."""
    try:
        server.start()
        yield
    finally:
        server.stop()


@dataclass
class Process:
    """One server process: started, ready when it answers, and gone when the tests are, however they end."""

    command: list[str]
    log: Path
    ready: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)
    install: str = "make venv"
    timeout: float = 60
    _popen: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def pid(self) -> int:
        if self._popen is None:
            raise RuntimeError(f"{self.command[0]} is not running")
        return self._popen.pid

    @property
    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def start(self) -> None:
        if shutil.which(self.command[0]) is None:
            pytest.fail(f"{self.command[0]} is missing: run `{self.install}`", pytrace=False)
        self._popen = _starter.submit(self._spawn).result()
        try:
            self._wait_until_ready(self._popen)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Politely, then not: TERM, and KILL for what has not ended after ten seconds."""
        if self._popen is None:
            return
        self._popen.terminate()
        try:
            self._popen.wait(10)
        except subprocess.TimeoutExpired:
            self._popen.kill()
        self._popen.wait()
        self._popen = None

    def kill(self) -> None:
        """SIGKILL: what a crash or a power cut looks like."""
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()
            self._popen = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *self.command],  # nothing outlives pytest
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.env},
                start_new_session=True,  # Ctrl-C reaches pytest alone, which then stops the servers
            )

    def _wait_until_ready(self, popen: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self.timeout
        while not self.ready():
            if popen.poll() is not None:
                raise RuntimeError(f"{self.command[0]} exited with {popen.returncode}\n{self._log_tail()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.command[0]} not ready after {self.timeout} s\n{self._log_tail()}")
            time.sleep(0.1)

    def _log_tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
