"""The whole service as its clients meet it: a worker process, a Temporal client, folders."""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from tests.servers.process import Process

ROOT = Path(__file__).parents[2]
Event = dict[str, Any]
READY = "worker is ready"
OWNER = ".store/owner/namespace"
"""All that is left of ended jobs in a bucket that is the work store."""


class Service:
    """A worker in a process of its own, with a root for `Files` locations below `folder`."""

    program = ROOT / "worker.py"

    def __init__(self, folder: Path, address: str, inside: Sequence[str] = (), **settings: str) -> None:
        """`inside`: a command that runs another one, in a namespace for example."""
        self.root = folder / "media"
        self.work = folder / "work"
        self.events_folder = self.root / "events"
        self.root.mkdir(parents=True)
        self.work.mkdir()
        self._log = folder / "worker.log"
        env = {
            "TEMPORAL_ADDRESS": address,
            "ENCODING_FILES_ROOT": str(self.root),
            "ENCODING_WORK_ROOT": str(self.work),
            "ENCODING_FAULT_ATTEMPTS": "3",
            "ENCODING_SHUTDOWN_GRACE_SECONDS": "3",
            "ENCODING_DELIVERY_DEADLINE_SECONDS": "60",
            "ENCODING_SWEEP_SECONDS": "0",  # tests share a server, and not the jobs that they end
            "PYTHONUNBUFFERED": "1",
            **settings,
        }
        command = [*inside, sys.executable, str(self.program)]
        self._worker = Process(command, self._log, self._is_ready, env)
        self.kill, self.stop = self._worker.kill, self._worker.stop
        self._address = address
        self._ready_before = 0

    def start(self) -> None:
        self._ready_before = self.log.count(READY)
        self._worker.start()

    @property
    def pid(self) -> int:
        return self._worker.pid

    @property
    def is_running(self) -> bool:
        return self._worker.running

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def _is_ready(self) -> bool:
        return self.log.count(READY) > self._ready_before

    def source(self, *files: Path, name: str = "in") -> Path:
        """A source folder with links to `files`."""
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        for file in files:
            target = folder / file.name
            if not target.exists():
                os.link(file, target)
        return folder

    def job(self, source: Path, **sections: Any) -> dict[str, Any]:
        """A small job; `sections` replace whole top-level fields."""
        return {
            "ExternalId": "title-1",
            "ExternalType": "Movie",
            "ExternalProvider": "tests",
            "MessagePublishers": [{"Type": "Files", "UriPath": str(self.events_folder)}],
            "ContentAcquisition": {"Provider": "Files", "UriPath": str(source)},
            "MediaMappings": {
                "VideoStreamExpression": r".*\.mp4$",
                "SubtitleFileLanguageExpression": r".*-sub-(?<lang>\w+)\.(vtt|srt)$",
            },
            "ContentProcessing": {
                "OutputFormat": ["Dash", "Hls"],
                "OptimizeFor": "Speed",
                "VideoRepresentations": [
                    {"Height": 90, "BitrateInKbps": 100},
                    {"Height": 180, "BitrateInKbps": 300},
                ],
            },
            "ContentPublishing": {"Provider": "Files", "UriPath": str(self.root / "out" / uuid.uuid4().hex)},
            **sections,
        }

    async def client(self) -> Client:
        return await Client.connect(self._address)

    async def submit(self, job: Any, workflow_id: str | None = None) -> WorkflowHandle[Any, Any]:
        """Start a job as a foreign client does: nothing of ours but the names of the contract."""
        client = await self.client()
        return await client.start_workflow(
            "EncodingJob", job, id=workflow_id or str(uuid.uuid4()), task_queue="encoding"
        )

    async def run(self, job: Any) -> "Ended":
        """Submit and wait for the end."""
        return await self.end(await self.submit(job))

    async def end(self, handle: WorkflowHandle[Any, Any]) -> "Ended":
        """Wait until the run has closed."""
        try:
            result = await handle.result(rpc_timeout=timedelta(seconds=150))
        except WorkflowFailureError:
            result = None
        description = await handle.describe()
        status = description.status.name if description.status else "?"
        return Ended(handle.id, status, result, self.events(handle.id))

    def events(self, job_id: str) -> list[Event]:
        """What the `Files` publisher has received: by number, progress behind the event that it follows."""
        files = (self.events_folder / job_id).glob("*.json")
        events = [json.loads(file.read_text()) for file in files]
        return sorted(events, key=lambda event: (event["SequenceNumber"], event.get("Progress", -1)))

    async def wait_for(self, job_id: str, event_type: str, seconds: float = 60) -> Event:
        """The first event of a type, as soon as it is there."""
        for _ in range(int(seconds * 20)):
            for event in self.events(job_id):
                if event["EventType"] == event_type:
                    return event
            await asyncio.sleep(0.05)
        names = [event["EventType"] for event in self.events(job_id)]
        raise AssertionError(f"no {event_type} in {seconds} s; events: {names}\n{self.log[-3000:]}")

    def tools(self) -> list[int]:
        """Pids of the ffmpeg, ffprobe and packager processes that work on this service's files."""
        return [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdecimal() and str(self.work).encode() in _command_line(entry)
        ]


class Ended:
    """A run that has closed."""

    def __init__(self, job_id: str, status: str, result: Any, events: list[Event]) -> None:
        self.job_id = job_id
        self.status = status
        self.result = result
        self.events = events

    @property
    def lifecycle(self) -> list[Event]:
        """The events without progress."""
        return [event for event in self.events if "Progress" not in event]

    @property
    def names(self) -> list[str]:
        return [event["EventType"] for event in self.lifecycle]

    @property
    def error(self) -> Event:
        """The FinalError, which must be the one terminal event and the last."""
        terminal = [e for e in self.events if e["EventType"] in ("JobSuccess", "FinalError")]
        assert [e["EventType"] for e in terminal] == ["FinalError"], self.names
        assert self.lifecycle[-1] == terminal[0]
        return terminal[0]


def _command_line(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes()
    except OSError:
        return b""


@contextmanager
def running(folder: Path, address: str, **settings: str) -> Iterator[Service]:
    """A service whose worker runs inside the block."""
    service = Service(folder, address, **settings)
    service.start()
    try:
        yield service
    finally:
        service.stop()
