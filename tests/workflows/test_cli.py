"""What the command answers without any server; `tests/integration/test_cli_run.py` runs jobs."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from jsonschema import Draft202012Validator
from typer.testing import CliRunner, Result

from publishers.roots import VARIABLE, FolderError, below_roots, files_roots
from tests.servers.ports import free_ports
from workflows import cli
from workflows.cli import app
from workflows.job import Job
from workflows.session import _own_folders

JOB: dict[str, Any] = {
    "ContentAcquisition": {"Provider": "Files", "UriPath": "/media/in"},
    "MediaMappings": {"VideoStreamExpression": r"\.mp4$"},
    "ContentProcessing": {"OutputFormat": ["Dash"]},
    "ContentPublishing": {"Provider": "Files", "UriPath": "/media/out"},
}


def encoding(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=stdin)


def validated(tmp_path: Path, text: bytes) -> Result:
    (tmp_path / "job.json").write_bytes(text)
    return encoding("validate", str(tmp_path / "job.json"))


def test_a_valid_job_is_called_so(tmp_path: Path) -> None:
    result = validated(tmp_path, json.dumps(JOB).encode())
    assert (result.exit_code, result.stdout) == (0, "the job is valid\n")


def test_a_job_can_come_from_standard_input() -> None:
    assert encoding("validate", "-", stdin=json.dumps(JOB).encode()).exit_code == 0


def test_every_bad_field_is_told_by_its_path(tmp_path: Path) -> None:
    job = JOB | {"Extra": 1, "MessagePublishers": [{"Type": "RabbitMQ"}], "ContentProcessing": {"VideoFormat": "VP9"}}
    result = validated(tmp_path, json.dumps(job).encode())
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    for path in ("Extra", "MessagePublishers[0].Host", "ContentProcessing.VideoFormat"):
        assert any(line.startswith(f"{path}: ") for line in lines), lines


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"{", "is not JSON: .* in line 1, column 2"),
        (b"\xff\xfe{", "not UTF-8"),
        (json.dumps(JOB).encode("utf-16"), "not UTF-8"),
        (b'{"ExternalId": "\xed\xa0\x80"}', "not UTF-8"),
        (b'{"ExternalId": ' + b"9" * 5000 + b"}", "4300 digits"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"ExternalId": NaN}', "NaN is not JSON"),
        (b'{"ExternalId": -Infinity}', "-Infinity is not JSON"),
        (b'{"ExternalId": "a", "ExternalId": "b"}', "'ExternalId' stands twice"),
        (b'{"A": {"B": 1, "B": 2}}', "'B' stands twice"),
        (b"[]", "must be a JSON object, not an array"),
        (b"null", "must be a JSON object, not nothing"),
        (b'{"ExternalId": "' + b"x" * 10_000_000 + b'"}', "larger than 1500000 bytes"),
        (json.dumps(JOB | {"ExternalId": "\ud800"}).encode(), "ExternalId: .*unicode"),
    ],
)
def test_what_is_no_job_is_refused_with_the_reason(tmp_path: Path, text: bytes, reason: str) -> None:
    result = validated(tmp_path, text)
    assert result.exit_code == 2
    assert len(result.stderr) < 2000
    assert re.search(reason, result.stderr), result.stderr


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    result = encoding("validate", str(tmp_path / name))
    assert result.exit_code == 2
    assert f"{tmp_path / name} cannot be read: " in result.stderr or str(tmp_path) in result.stderr


def test_an_input_that_is_closed_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(typer.Exit):
        cli.validate("-")
    assert capsys.readouterr().err == "- cannot be read: Bad file descriptor\n"


INTERRUPTED = """
import os, signal, sys
from workflows import command
class Finder:
    def find_spec(self, name, *_):
        if name == "workflows.cli":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
command.main()
"""


def test_an_interrupt_while_the_command_is_loaded_just_ends_it() -> None:
    ended = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (-signal.SIGINT, b"")


def test_a_name_that_the_locale_has_no_letters_for_is_written_out(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("encoding")), "keys", "payload", str(tmp_path / "größe€")]
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    ended = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert "größe\\u20ac".encode("latin-1") in ended.stdout


def test_a_folder_that_is_missing_is_not_said_to_be_forbidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    folders = {"ContentAcquisition": tmp_path / "missing", "ContentPublishing": tmp_path / "file" / "out"}
    job = Job.parse(JOB | {name: {"Provider": "Files", "UriPath": str(path)} for name, path in folders.items()})
    monkeypatch.setenv(VARIABLE, ":".join(_own_folders(job)))
    for path in folders.values():
        with pytest.raises(FolderError, match="does not exist on this worker, or is no folder"):
            below_roots(path, files_roots())


def test_the_schemas_are_schemas() -> None:
    job = json.loads(encoding("schema", "job").stdout)
    Draft202012Validator.check_schema(job)
    Draft202012Validator(job).validate(JOB)
    events = json.loads(encoding("schema", "events").stdout)
    assert len(events) == 13
    for schema in events.values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    "command", [[], ["run"], ["submit"], ["watch"], ["cancel"], ["validate"], ["schema"], ["worker"]], ids=str
)
def test_help_teaches(command: list[str]) -> None:
    result = encoding(*command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.stdout
    assert len(result.stdout.splitlines()) > 5


@pytest.mark.parametrize("command", [["watch", "id"], ["cancel", "id"], ["submit", "-"], ["run", "-"]], ids=str)
def test_a_server_that_does_not_answer_is_named(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    result = encoding(*command, stdin=json.dumps(JOB).encode())
    assert result.exit_code == 1
    assert f"the Temporal server at {address} cannot be reached" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_protect_encrypts_every_secret_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert encoding("keys", "create", str(tmp_path / "keys")).exit_code == 0
    assert (tmp_path / "keys" / "private.pem").stat().st_mode & 0o777 == 0o600
    again = encoding("keys", "create", str(tmp_path / "keys"))
    no_folder = encoding("keys", "create", str(tmp_path / "keys" / "public.pem"))
    assert (no_folder.exit_code, "public.pem cannot be written: " in no_folder.stderr) == (2, True)
    assert (again.exit_code, "there are keys in" in again.stderr) == (2, True)

    login = {"CredentialsName": "me", "CredentialsSecret": "s3cret"}
    bus = {
        "Type": "azureservicebusqueue",
        "Connection": "Endpoint=sb://b.example/;SharedAccessKeyName=a;SharedAccessKey=s3cret",
    }
    publishers: list[dict[str, Any]] = [
        {"Type": "RabbitMQ", "Host": "broker", "Port": 5671, "Queue": "q", **login},
        {"Type": "Files", "UriPath": "/media/events"},
        bus,
    ]
    job = JOB | {"ExternalId": "größer", "MessagePublishers": publishers}
    (tmp_path / "job.json").write_text(json.dumps(job))
    monkeypatch.setenv("ENCODING_PUBLIC_KEY", str(tmp_path / "keys" / "public.pem"))
    result = encoding("protect", str(tmp_path / "job.json"))
    assert (result.exit_code, result.stderr) == (0, "2 secrets protected\n")
    assert "s3cret" not in result.stdout
    protected = json.loads(result.stdout)
    for block in protected["MessagePublishers"]:
        for field in ("CredentialsSecret", "Connection", "CredentialsProtection"):
            block.pop(field, None)
    for block in publishers:
        for field in ("CredentialsSecret", "Connection"):
            block.pop(field, None)
    assert protected == job
    (tmp_path / "job.json").write_text(result.stdout)
    assert encoding("validate", str(tmp_path / "job.json")).exit_code == 0
    assert encoding("protect", str(tmp_path / "job.json")).stderr == "0 secrets protected\n"


def test_protect_names_a_key_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text(json.dumps(JOB))
    for key in ("missing.pem", "job.json"):
        result = encoding("protect", str(tmp_path / "job.json"), "--key", str(tmp_path / key))
        assert result.exit_code == 2
        assert str(tmp_path / key) in result.stderr
