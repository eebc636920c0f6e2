"""What a client has named cannot pass for a record of the log, a line of the terminal or a link in the UI."""

import io
import json
import logging
import subprocess
import sys
from base64 import b64decode, b64encode

import pytest

from tests.histories.commands import HISTORIES, Replayed, replayed
from workflows.logs import FORMAT, Lines, printable
from workflows.markdown import plain

FORGED = "film.mp4\n2026-01-01 00:00:00,000 INFO worker: all is well\x1b[2J\x1b]0;title\x07\r\u2028\u202e\x9b31m"


@pytest.fixture
def log() -> tuple[logging.Logger, io.StringIO]:
    """A logger as the worker's, and what it has written."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(Lines(FORMAT))
    logger = logging.Logger("activities.acquire")  # noqa: LOG001 - of this test alone
    logger.addHandler(handler)
    return logger, written


def test_a_record_is_one_line(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log
    logger.warning("the file %s cannot be read", FORGED)
    [line] = written.getvalue().splitlines()
    assert line.isprintable()
    assert r"film.mp4\n2026" in line


def test_lines_of_a_stack_trace_are_indented(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log
    try:
        int(FORGED)
    except ValueError:
        logger.exception("unexpected: %s", FORGED)
    first, *trace = written.getvalue().splitlines()
    assert "unexpected" in first
    assert any("Traceback" in line for line in trace)
    assert all(line.startswith("  ") and line.isprintable() for line in trace)


def test_worker_and_command_log_like_this() -> None:
    forge = f"import logging; from workflows.logs import log_to_stderr as log; log('INFO'); logging.warning({FORGED!r})"
    done = subprocess.run([sys.executable, "-c", forge], capture_output=True, text=True, check=True)
    assert len(done.stderr.splitlines()) == 1
    assert "\x1b" not in done.stderr


def test_a_terminal_is_not_steered() -> None:
    assert printable(FORGED).isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "[click](https://evil.example)",
        "![seen](https://evil.example/pixel.png)",
        "<img src=x onerror=alert(1)>",
        "a\n| Encoding | Done | 100 % |",
        "a\n\n# All is well",
        "`code` **bold** ~~struck~~",
        "https://evil.example/",
    ],
)
def test_the_ui_shows_what_a_client_has_named_as_it_is(text: str) -> None:
    shown = plain(text)
    assert shown.isprintable()
    for mark in "[]<>|`*~#!":
        assert shown.count(mark) == shown.count(f"\\{mark}")
    assert shown.replace("\\n", "\n").replace("\\", "") == text


async def replayed_as_if(stem: str, was: str, given: str) -> Replayed:
    """What the run of a recorded history asks of the server, had its input been another."""
    [path] = [path for path in HISTORIES if path.stem == stem]
    history = json.loads(path.read_text())
    [payload] = history["events"][0]["workflowExecutionStartedEventAttributes"]["input"]["payloads"]
    changed = b64decode(payload["data"]).decode().replace(was, given)
    payload["data"] = b64encode(changed.encode()).decode()
    found = await replayed(stem, json.dumps(history))
    assert given in changed
    assert not found.failure
    return found


@pytest.mark.parametrize("stem", ["success", "resend"])
async def test_the_ui_shows_where_events_go_as_it_is(stem: str) -> None:
    found = await replayed_as_if(stem, "/media/events", "/media/[events](https://evil.example)")
    summaries = [json.loads(each.user_metadata.summary.data or b'""') for each in found.asked]
    leading = [text for text in summaries if "/media/" in text]
    assert leading
    assert [text for text in leading if r"/media/\[events\]\(https://evil.example\)" not in text] == []


async def test_no_search_attribute_holds_what_a_store_of_them_does_not_take() -> None:
    found = await replayed_as_if("success", '"title-1"', r'"title\u0000\u001b\u0085-1"')
    upserts = [each.upsert_workflow_search_attributes.search_attributes.indexed_fields for each in found.asked]
    assert [json.loads(fields["ExternalId"].data) for fields in upserts if "ExternalId" in fields] == ["title-1"]
