"""The `encoding` command as a person uses it: a process, its output, its exit status."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.clips import Clips
from tests.servers.proxy import Proxy
from tests.servers.sqs import Sqs

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


def told(names: list[str]) -> list[str]:
    """Progress that follows on itself counts once: how often there is news depends on the machine."""
    return [
        name for name, after in zip(names, [*names[1:], ""], strict=True) if name != after or "Progress" not in name
    ]


def test_a_job_without_publishers_shows_its_events(desk: Desk) -> None:
    status, output, errors = desk.run("run", desk.write())
    assert (status, errors) == (0, "")
    assert told([line.split()[1] for line in output.splitlines()[1:]]) == ORDER
    assert (desk.folder / "out" / "manifest.mpd").exists()
    assert list(desk.work.iterdir()) == []


def test_json_is_one_event_a_line_and_nothing_else(desk: Desk) -> None:
    title = "Käse\u2028\x85"
    status, output, errors = desk.run("run", "--json", desk.write(ExternalId=title))
    assert (status, errors) == (0, "")
    events = [json.loads(line) for line in output.splitlines()]
    assert told([event["EventType"] for event in events]) == ORDER
    assert {event["ExternalId"] for event in events} == {title}


def test_a_receiver_that_does_not_confirm_is_waited_for_at_the_end(desk: Desk, sqs: Sqs) -> None:
    queue_url = sqs.create_queue(f"events-{desk.folder.name}.fifo", FifoQueue="true")
    with Proxy(sqs.port) as proxy:
        proxy.cut_at_answer = True
        receiver = {"Type": "AmazonSqs", "QueueUrl": queue_url, "Region": sqs.region}
        receiver |= {"CredentialsName": sqs.key_id, "CredentialsSecret": sqs.secret}
        receiver |= {"EndpointUrl": f"http://127.0.0.1:{proxy.port}"}
        process = desk.start("run", "--json", desk.write(MessagePublishers=[receiver]))
        until_event(process, "JobSuccess")
        assert process.stderr
        assert queue_url in next(line for line in process.stderr if line.startswith("waiting for "))
        proxy.cut_at_answer = False
        _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, "")
    arrived = [json.loads(message["Body"])["EventType"] for message in sqs.drain(queue_url)]
    assert [name for name in arrived if "Progress" not in name] == [name for name in ORDER if "Progress" not in name]


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
