"""The `encoding` command against a server and workers that run elsewhere."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from tests.clips import Clips
from tests.integration.service import Service
from tests.integration.test_cli_run import ENCODING, ORDER, PATIENCE
from tests.servers.temporal import TemporalServer
from workflows import client as jobs
from workflows.embedded import embedded_server


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


@pytest.mark.slow
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
    assert "a file is where a folder should be" in errors


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
        assert process.returncode == 130, errors
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
