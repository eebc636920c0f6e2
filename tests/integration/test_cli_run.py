"""The `encoding` command as a person uses it: a process, its output, its exit status."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from tests.clips import Clips
from tests.integration.service import Service
from tests.servers.temporal import TemporalServer
from workflows import client as jobs
from workflows.embedded import embedded_server

ENCODING = str(Path(sys.executable).with_name("encoding"))
PATIENCE = 100
ORDER = [
    "JobCreated",
    "AcquisitionProgress",
    "ContentAcquired",
    "ContentMapped",
    "ContentPreProcessed",
    "VideoEncodingStarted",
    "EncodingProgress",
    "EncodingFinished",
    "ContentPublished",
    "JobSuccess",
]


class Desk:
    """A folder with a source and a job in it, and no Temporal server but the command's own."""

    def __init__(self, folder: Path, clip: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        (folder / "in").mkdir()
        os.link(clip, folder / "in" / clip.name)
        self.job: dict[str, Any] = {
            "ExternalId": "title-1",
            "ContentAcquisition": {"Provider": "Files", "UriPath": str(folder / "in")},
            "MediaMappings": {"VideoStreamExpression": r"\.mp4$"},
            "ContentProcessing": {"OutputFormat": ["Dash"], "OptimizeFor": "Speed"},
            "ContentPublishing": {"Provider": "Files", "UriPath": str(folder / "out")},
        }
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
        self.env |= {"ENCODING_WORK_ROOT": str(self.work), "COLUMNS": "100"}

    def start(self, *arguments: str, **options: Any) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [ENCODING, *arguments],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def write(self, **sections: Any) -> str:
        path = self.folder / "job.json"
        path.write_text(json.dumps(self.job | sections))
        return str(path)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, standard output, standard error."""
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=PATIENCE)
        return process.returncode, output, errors

    def processes(self) -> list[str]:
        """Command lines of all that works in this folder."""
        lines = []
        for entry in Path("/proc").iterdir():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(self.folder) in line:
                lines.append(line)
        return lines


@pytest.fixture
def desk(tmp_path: Path, clip: Clips) -> Desk:
    return Desk(tmp_path, clip(seconds=1, size="160x90"))


@pytest.fixture
def long_desk(tmp_path: Path, clip: Clips) -> Desk:
    desk = Desk(tmp_path, clip(seconds=20, size="1280x720"))
    desk.job["ContentProcessing"] = {"OutputFormat": ["Dash"], "OptimizeFor": "Quality"}
    return desk


def until_event(process: "subprocess.Popen[str]", event_type: str) -> None:
    assert process.stdout
    for line in process.stdout:
        if json.loads(line)["EventType"] == event_type:
            return
    raise AssertionError(f"no {event_type}")


def test_a_job_without_publishers_shows_its_events(desk: Desk) -> None:
    status, output, errors = desk.run("run", desk.write())
    assert (status, errors) == (0, "")
    assert [line.split()[1] for line in output.splitlines()[1:]] == ORDER
    assert (desk.folder / "out" / "manifest.mpd").exists()
    assert list(desk.work.iterdir()) == []


def test_json_is_one_event_a_line_and_nothing_else(desk: Desk) -> None:
    title = "Käse\u2028\x85"
    status, output, errors = desk.run("run", "--json", desk.write(ExternalId=title))
    assert (status, errors) == (0, "")
    events = [json.loads(line) for line in output.splitlines()]
    assert [event["EventType"] for event in events] == ORDER
    assert {event["ExternalId"] for event in events} == {title}


def test_a_final_error_is_told_and_is_status_1(desk: Desk) -> None:
    nothing = {"VideoStreamExpression": r"\.mov$"}
    status, output, errors = desk.run("run", "--json", desk.write(MediaMappings=nothing))
    assert status == 1
    assert errors.startswith("1000 Acquisition Error: ")
    assert len(errors.splitlines()) == 1
    assert json.loads(output.splitlines()[-1])["EventType"] == "FinalError"


def test_a_job_that_does_not_validate_is_status_2_and_starts_nothing(desk: Desk) -> None:
    status, output, errors = desk.run("run", desk.write(ContentProcessing={"OutputFormat": ["Flash"]}))
    assert (status, output) == (2, "")
    assert errors.startswith("ContentProcessing.OutputFormat[0]: ")
    assert not desk.work.exists()


def test_two_at_once_do_not_meet(desk: Desk) -> None:
    jobs = []
    for name in ("a", "b"):
        (desk.folder / name).mkdir()
        path = desk.folder / f"{name}.json"
        publishing = {"Provider": "Files", "UriPath": str(desk.folder / name)}
        path.write_text(json.dumps(desk.job | {"ContentPublishing": publishing}))
        jobs.append(desk.start("run", "--json", str(path)))
    assert [job.communicate(timeout=PATIENCE)[1] for job in jobs] == ["", ""]
    assert [job.returncode for job in jobs] == [0, 0]
    assert list(desk.work.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_cancels_the_job(long_desk: Desk, number: signal.Signals) -> None:
    process = long_desk.start("run", "--json", long_desk.write())
    until_event(process, "VideoEncodingStarted")
    process.send_signal(number)
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    last = json.loads(output.splitlines()[-1])
    assert (last["EventType"], last["Code"]) == ("FinalError", 5001)
    assert "interrupted" in last["Message"]
    assert "5001 Job Cancelled" in errors
    assert "Traceback" not in errors
    assert long_desk.processes() == []
    assert list(long_desk.work.iterdir()) == []


def test_who_stops_reading_the_events_cancels_the_job(long_desk: Desk) -> None:
    process = long_desk.start("run", "--json", long_desk.write())
    until_event(process, "VideoEncodingStarted")
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(PATIENCE) == 1
    assert "Traceback" not in errors
    assert list(long_desk.work.iterdir()) == []
    process.stderr.close()


def test_an_output_that_cannot_be_written_ends_the_job_with_the_reason(long_desk: Desk) -> None:
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            [ENCODING, "run", "--json", long_desk.write()],
            env=long_desk.env,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert (process.returncode, process.stderr) == (1, "the output cannot be written: No space left on device\n")
    assert list(long_desk.work.iterdir()) == []


def test_a_work_root_that_cannot_be_used_is_named(desk: Desk) -> None:
    desk.work.write_text("a file")
    status, output, errors = desk.run("run", desk.write())
    assert (status, output) == (1, "")
    assert errors == f"{desk.work} cannot be written: File exists\n"


def test_a_killed_command_leaves_no_process_and_the_next_one_tidies_up(long_desk: Desk) -> None:
    process = long_desk.start("run", "--json", long_desk.write())
    until_event(process, "VideoEncodingStarted")
    process.kill()
    process.communicate(timeout=PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while long_desk.processes() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert long_desk.processes() == []
    assert list(long_desk.work.iterdir())
    (long_desk.work / "temporal-data").mkdir()
    assert long_desk.run("run", long_desk.write(MediaMappings={"VideoStreamExpression": "nothing"}))[0] == 1
    assert [folder.name for folder in long_desk.work.iterdir()] == ["temporal-data"]  # which is not ours


class Remote:
    """The command against a server and a worker that run elsewhere."""

    def __init__(self, service: Service, server: TemporalServer, folder: Path) -> None:
        self.service = service
        self.env = os.environ | {"TEMPORAL_ADDRESS": server.address}
        self._folder = folder

    async def __call__(self, *arguments: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            ENCODING,
            *arguments,
            env=self.env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
        return process.returncode or 0, output.decode(), errors.decode()

    def write(self, job: dict[str, Any]) -> str:
        path = self._folder / "job.json"
        path.write_text(json.dumps(job))
        return str(path)


@pytest.fixture
def encoding(service: Service, temporal_server: TemporalServer, tmp_path: Path) -> Remote:
    return Remote(service, temporal_server, tmp_path)


@pytest.fixture
def short_job(service: Service, clip: Clips) -> dict[str, Any]:
    return service.job(service.source(clip(seconds=1, size="160x90"), name="short"))


@pytest.fixture
def long_job(service: Service, clip: Clips) -> dict[str, Any]:
    slow = {"OutputFormat": ["Dash"], "OptimizeFor": "Quality"}
    return service.job(service.source(clip(seconds=20, size="1280x720"), name="long"), ContentProcessing=slow)


async def test_submit_then_watch(encoding: Remote, short_job: dict[str, Any]) -> None:
    status, job_id, errors = await encoding("submit", encoding.write(short_job), "--id", 'O\'Brien "1"')
    assert (status, errors) == (0, "")
    status, output, errors = await encoding("submit", encoding.write(short_job), "--id", 'O\'Brien "1"')
    assert (status, output) == (1, "")
    assert errors.startswith("there is a job with the id")
    for name in (job_id.strip(), 'O\'Brien "1"'):  # once live, once ended
        status, output, errors = await encoding("watch", "--json", name)
        assert (status, errors) == (0, "")
        events = [json.loads(line) for line in output.splitlines()]
        assert {event["JobId"] for event in events} == {job_id.strip()}
        names = [event["EventType"] for event in events if "Progress" not in event]
        assert names == [name for name in ORDER[:-1] if "Progress" not in name] + ["ContentPublished", "JobSuccess"]


async def test_watch_a_job_that_somebody_else_started_then_cancel_it(
    encoding: Remote, long_job: dict[str, Any]
) -> None:
    handle = await encoding.service.submit(long_job)
    watching = asyncio.create_task(encoding("watch", handle.id))
    await encoding.service.wait_for(handle.id, "EncodingProgress")
    assert await encoding("cancel", handle.id, "--reason", "wrong title") == (0, "", "")
    status, output, errors = await watching
    assert status == 1
    assert "EncodingProgress" in output
    assert errors.startswith("5001 Job Cancelled: ")
    assert "wrong title" in errors


async def test_who_stops_reading_the_lines_cancels_the_job_also_elsewhere(
    encoding: Remote, long_job: dict[str, Any]
) -> None:
    command = [ENCODING, "run", encoding.write(long_job)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=encoding.env, stdout=pipe, stderr=pipe, text=True) as process:  # noqa: ASYNC220
        assert process.stdout
        assert process.stderr
        job_id = process.stdout.readline().split()[1].strip(",")
        assert any("VideoEncodingStarted" in line for line in process.stdout)
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1
    client = await encoding.service.client()
    description = await client.get_workflow_handle(job_id).describe()
    assert description.status == WorkflowExecutionStatus.CANCELED


async def test_an_unknown_job_is_status_1(encoding: Remote) -> None:
    for command in ("watch", "cancel"):
        status, output, errors = await encoding(command, "no' OR WorkflowId != '")
        assert (status, output) == (1, "")
        assert errors.startswith("no job has the id \"no' OR")
        assert len(errors.splitlines()) == 1


async def test_watching_a_job_that_is_terminated_ends_with_the_reason(
    encoding: Remote, long_job: dict[str, Any]
) -> None:
    handle = await encoding.service.submit(long_job)
    watching = asyncio.create_task(encoding("watch", "--json", handle.id))
    await encoding.service.wait_for(handle.id, "VideoEncodingStarted")
    await handle.terminate("by an operator")
    status, _, errors = await watching
    assert status == 1
    assert "ended from outside (TERMINATED)" in errors
    assert len(errors.splitlines()) == 1


async def test_events_are_printed_and_sent_again_as_they_were(encoding: Remote, short_job: dict[str, Any]) -> None:
    elsewhere = {"Type": "Files", "UriPath": str(encoding.service.root / "elsewhere")}
    short_job["MessagePublishers"].append(elsewhere)
    ended = await encoding.service.run(short_job)
    status, output, errors = await encoding("events", "--json", ended.job_id)
    assert (status, errors) == (0, "")
    printed = [json.loads(line) for line in output.splitlines()]
    assert [event for event in printed if "Progress" not in event] == ended.lifecycle
    folder = encoding.service.root / "elsewhere" / ended.job_id
    shutil.rmtree(folder)
    assert await encoding("events", ended.job_id, "--resend", "--from", "5", "--publisher", "2") == (0, "", "")
    sent = [json.loads(file.read_text()) for file in sorted(folder.iterdir())]
    assert sent == ended.lifecycle[4:]


async def test_events_that_cannot_be_sent_again_are_told(encoding: Remote, short_job: dict[str, Any]) -> None:
    ended = await encoding.service.run(short_job)
    status, _, errors = await encoding("events", ended.job_id, "--resend", "--publisher", "7")
    assert (status, errors) == (1, "the job has 1 publishers; there is no number 7\n")
    shutil.rmtree(encoding.service.events_folder)
    encoding.service.events_folder.write_text("a file where the folder was")
    status, _, errors = await encoding("events", ended.job_id, "--resend")
    encoding.service.events_folder.unlink()
    assert status == 1
    assert "a part of the path is a file" in errors


async def test_watching_where_no_worker_is_says_so_and_an_interrupt_leaves_the_job_alone(tmp_path: Path) -> None:
    async with embedded_server(tmp_path / "server") as server:
        handle = await jobs.submit(await jobs.connect(server.address), {})
        process = await asyncio.create_subprocess_exec(
            *(ENCODING, "watch", handle.id),
            env=os.environ | {"TEMPORAL_ADDRESS": server.address},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr
        hint = await asyncio.wait_for(process.stderr.readline(), PATIENCE)
        assert hint == b"no worker polls the queue 'encoding': start one with `encoding worker`\n"
        process.send_signal(signal.SIGINT)
        _, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
        assert process.returncode == 130
        assert errors.strip() == b""
        description = await handle.describe()
        assert description.status == WorkflowExecutionStatus.RUNNING


async def test_a_server_that_dies_is_told_in_a_line(tmp_path: Path) -> None:
    async with embedded_server(tmp_path / "server") as server:
        handle = await jobs.submit(await jobs.connect(server.address), {})
        process = await asyncio.create_subprocess_exec(
            *(ENCODING, "watch", handle.id),
            env=os.environ | {"TEMPORAL_ADDRESS": server.address},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout
        await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        os.kill(server.pid, signal.SIGKILL)
        _, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
        assert process.returncode == 1
        expected = f"the Temporal server at {server.address} does not answer; check TEMPORAL_ADDRESS"
        assert errors.decode().splitlines()[-1] == expected
        assert b"WARN" not in errors


async def test_what_a_job_contains_does_not_steer_the_terminal(encoding: Remote, short_job: dict[str, Any]) -> None:
    source = {"Provider": "Files", "UriPath": f"{encoding.service.root}/\x1b[2J\nx"}
    job_id = (await encoding("submit", encoding.write(short_job | {"ContentAcquisition": source})))[1].strip()
    status, output, errors = await encoding("watch", job_id)
    assert status == 1
    assert "\x1b" not in output + errors
    assert len(errors.splitlines()) == 1
