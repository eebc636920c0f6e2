"""Seeing a job through from the command line: where it runs, what is shown, how it ended."""

import asyncio
import fcntl
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from activities.settings import Settings
from activities.storage.config import FilesLocation, Location, WritableLocation
from publishers.addresses import VARIABLE as HOSTS
from publishers.addresses import private_host
from publishers.config import Files, MessagePublisher
from publishers.events import Message
from publishers.roots import VARIABLE, FolderError, local_path
from publishers.urls import url_host
from workflows import client as jobs
from workflows.console import JobView, Terminal
from workflows.embedded import embedded_server
from workflows.job import Job
from workflows.options import CONTROL_QUEUE
from workflows.plugin import workers

RUN_FOLDER = "encoding-run-"
ADDRESS = re.compile(r"""://([^/;?#\s"\\@]+)""")
"""Its host, and the port where it has one."""
BAR_INTERVAL = 0.5
"""Seconds between two looks at the phases."""
EXIT_INTERRUPTED = 130
DELIVERY_SECONDS = 2.0
"""Time after which receivers that a job has to wait for at its end are worth a word."""
NO_WORKER_SECONDS = 5.0
"""Time after which a queue without a worker is worth a hint."""


@dataclass(frozen=True)
class Place:
    """Where a job runs."""

    client: Client
    ui_url: str | None = None
    is_own: bool = False
    """It ends with the command."""


@asynccontextmanager
async def place_for(job: Job) -> AsyncIterator[Place]:
    """The server that `TEMPORAL_ADDRESS` names, or one of our own with a worker, for the time of the block."""
    if os.environ.get("TEMPORAL_ADDRESS"):
        yield Place(await jobs.connect())
        return
    # Whoever runs this command may go to these places anyway; a worker that serves others has to be told.
    os.environ.setdefault(VARIABLE, ":".join(_own_folders(job)))
    os.environ.setdefault(HOSTS, ",".join(_own_hosts(job)))
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(_run_folder(Settings.from_environment().work_root))
        os.environ["ENCODING_WORK_ROOT"] = str(folder)
        settings = replace(Settings.from_environment(), version=None)  # nobody makes one the current one here
        server = await stack.enter_async_context(embedded_server(folder))
        client = await jobs.connect(server.address)
        await stack.enter_async_context(workers(client, settings))
        yield Place(client, server.ui_url, is_own=True)


@contextmanager
def _run_folder(work_root: Path) -> Iterator[Path]:
    """For the server and the workspace of this run alone, gone at its end; what killed runs have left goes as well."""
    work_root.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        with _locked(work_root):  # a folder that is not locked yet must not be taken for one that was left
            for left in work_root.glob(f"{RUN_FOLDER}*"):
                with suppress(OSError), _locked(left, fcntl.LOCK_NB):
                    shutil.rmtree(left, ignore_errors=True)
            folder = Path(tempfile.mkdtemp(prefix=RUN_FOLDER, dir=work_root))
            stack.enter_context(_locked(folder))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


@contextmanager
def _locked(folder: Path, flags: int = 0) -> Iterator[None]:
    """The kernel lets go of it with the process, whatever ends that; a pid would mean nothing to other containers."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | flags)
        yield
    finally:
        os.close(descriptor)


def _own_folders(job: Job) -> list[str]:
    """The local folders that the job names, nothing above them; those to be written are made."""
    sections: list[WritableLocation | MessagePublisher] = [job.content_publishing, *job.message_publishers]
    if job.image_extraction and job.image_extraction.location:
        sections.append(job.image_extraction.location)
    folders = [_path(job.content_acquisition)]
    for section in sections:
        if path := _path(section):
            with suppress(OSError):  # validation tells it with its field
                path.mkdir(parents=True, exist_ok=True)
            folders.append(path)
    return [str(folder) for folder in dict.fromkeys(folders) if folder]


def _own_hosts(job: Job) -> Iterator[str]:
    """The hosts that the job names, in whatever field, with their ports."""
    brokers = (
        f"amqp://{url_host(section.host)}:{section.port}"
        for section in job.message_publishers
        if section.type == "RabbitMQ"
    )
    for host in ADDRESS.findall(" ".join([json.dumps(job.to_json_object()), *brokers])):
        with suppress(ValueError):  # a public one can have a name that no private one has
            private_host(host)
            yield host


def _path(section: Location | MessagePublisher) -> Path | None:
    if not isinstance(section, FilesLocation | Files):
        return None
    try:
        return local_path(section.uri_path)
    except FolderError:
        return None


async def see_through(
    place: Place, handle: jobs.Handle, *, as_json: bool = False, cancel_on_interrupt: bool = True
) -> Message:
    """Show a job until its end; returns its last event.

    Args:
        cancel_on_interrupt: Ctrl-C and SIGTERM cancel the job; a second one leaves at once.
    """
    if cancel_on_interrupt:
        _cancel_on_interrupt(handle)
    hint = asyncio.create_task(_hint_at_missing_worker(place.client))
    try:
        return await (_follow_json(handle) if as_json else _show(handle, place.ui_url))
    finally:
        hint.cancel()


async def closed(handle: jobs.Handle) -> None:
    """Wait until a job that has told its end has delivered it, or given that up; whom it waits for is told."""
    closing = asyncio.create_task(jobs.ended(handle))
    if not (await asyncio.wait([closing], timeout=DELIVERY_SECONDS))[0]:
        waiting = ", ".join(await _receivers(handle, "Sending")) or "what removes the job's files"
        _tell(f"waiting for {waiting}; Ctrl-C twice leaves at once, and loses what was not delivered")
    await closing
    for receiver in await _receivers(handle, "Failed"):
        _tell(f"events were not delivered to {receiver}")


async def _receivers(handle: jobs.Handle, state: str) -> list[str]:
    delivery = (await jobs.progress(handle))["Delivery"]
    return [each["Publisher"] for each in delivery if each["State"] == state]


def _tell(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201


def print_json(event: Message) -> None:
    """One event as one line."""
    print(json.dumps(event.body), flush=True)  # noqa: T201 - ASCII: some readers end a line at U+2028 as well


async def _follow_json(handle: jobs.Handle) -> Message:
    async for event in jobs.follow(handle):
        print_json(event)
    return event


async def _show(handle: jobs.Handle, ui_url: str | None) -> Message:
    console = Terminal()
    console.print(f"job {handle.id}" + (f", Temporal UI {ui_url}" if ui_url else ""), highlight=False, soft_wrap=True)
    with JobView(console) as view:
        bars = asyncio.create_task(_move_bars(handle, view))
        try:
            async for event in jobs.follow(handle):
                view.show_event(event)
        finally:
            bars.cancel()
        view.show_progress(await jobs.progress(handle))
    return event


async def _move_bars(handle: jobs.Handle, view: JobView) -> None:
    while True:
        view.show_progress(await jobs.progress(handle))
        await asyncio.sleep(BAR_INTERVAL)


async def interruptible(work: Coroutine[Any, Any, Any]) -> Any:
    """Ctrl-C is Ctrl-C, whatever a request that was under way makes of it."""
    try:
        return await work
    except Exception:
        if jobs.is_cancelled():
            raise asyncio.CancelledError from None
        raise


def _cancel_on_interrupt(handle: jobs.Handle) -> None:
    loop = asyncio.get_running_loop()
    pending: list[asyncio.Task[None]] = []

    def interrupted() -> None:
        if pending:
            os._exit(EXIT_INTERRUPTED)
        _tell("cancelling the job; once more to leave at once")
        pending.append(asyncio.create_task(jobs.cancel(handle, "interrupted at the terminal")))

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted)


async def _hint_at_missing_worker(client: Client) -> None:
    """A job that nobody takes shows nothing at all: say why."""
    await asyncio.sleep(NO_WORKER_SECONDS)
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=CONTROL_QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    if not answer.pollers:
        _tell(f"no worker polls the queue '{CONTROL_QUEUE}': start one with `encoding worker`")
