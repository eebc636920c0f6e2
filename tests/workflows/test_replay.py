"""Recorded histories replay with today's code: what is running when a worker is upgraded goes on."""

import base64
import dataclasses
import difflib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory

from activities.cuts import Chunk
from activities.errors import ErrorCode
from activities.map import map_media
from activities.settings import Settings
from tests.histories.commands import HISTORIES, kept, replayed
from tests.histories.scenarios import SCENARIOS
from workflows.codec import data_converter
from workflows.film import Film
from workflows.options import MEDIA_QUEUE, OPTIONS
from workflows.plugin import activity_plugin, control_plugin

PATCH = (
    "a job like {} that runs now could not go on with this code: guard the change with workflow.patched "
    "(docs/upgrades.md), do not record the history again"
)
RENEW = (
    "the commands of a job like {} have changed. Guard the change with workflow.patched (docs/upgrades.md), unless it "
    "is one that jobs may notice while they run (another queue whose workers are there first, another duration): "
    "then `make histories` renews what is kept"
)
each_history = pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)


async def check(path: Path, text: str) -> None:
    found, name = await replayed(path.stem, text), path.name
    assert not found.failure, f"{PATCH.format(name)}\n{found.failure}"
    before = kept(path).read_text().splitlines()
    changes = "\n".join(difflib.unified_diff(before, found.commands, "kept", "now", lineterm=""))
    assert not changes, f"{RENEW.format(name)}\n{changes}"


@each_history
async def test_a_recorded_history_replays_with_the_same_commands(path: Path) -> None:
    await check(path, path.read_text())


@pytest.mark.parametrize(("stem", "step"), [("success", "map_media"), ("end", "read_ended")])
async def test_code_that_would_do_something_else_is_told_to_be_guarded(stem: str, step: str) -> None:
    [path] = [path for path in HISTORIES if path.stem == stem]
    with pytest.raises(AssertionError, match=r"could not go on .* guard the change with workflow\.patched"):
        await check(path, path.read_text().replace(f'"{step}"', '"another_step"'))


async def test_what_cannot_be_read_of_a_history_ends_no_job() -> None:
    """As after a release whose results have another form: it waits for code that can read them."""
    [path] = [path for path in HISTORIES if path.stem == "success"]
    acquired = base64.b64encode(b'{"files":[').decode().rstrip("=")[:-1]
    text = path.read_text()
    assert acquired in text
    found = await replayed(path.stem, text.replace(acquired, base64.b64encode(b'{"fileZ":{').decode()[: len(acquired)]))
    assert found.failure
    assert [line for line in found.commands if "fail" in line] == []


encode = Film._encode


async def backwards(self: Film, chunks: list[Chunk]) -> Any:
    return await encode(self, chunks[::-1])


async def backwards_from_now_on(self: Film, chunks: list[Chunk]) -> Any:
    return await encode(self, chunks[::-1] if workflow.patched("backwards") else chunks)


async def check_chunks() -> None:
    [path] = [path for path in HISTORIES if path.stem == "chunks"]
    await check(path, path.read_text())


async def test_a_command_that_was_moved_asks_for_a_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Film, "_encode", backwards)
    with pytest.raises(AssertionError, match=r"chunks\.json that runs now could not go on .* workflow\.patched"):
        await check_chunks()


async def test_a_guarded_one_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Film, "_encode", backwards_from_now_on)
    await check_chunks()


async def test_a_change_that_replays_but_is_one_asks_whether_it_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = dataclasses.replace(OPTIONS[map_media], queue=MEDIA_QUEUE)
    monkeypatch.setitem(OPTIONS, map_media, moved)
    with pytest.raises(
        AssertionError, match=r"(?s)make histories.*\+  schedule activity map_media .* on encoding-media"
    ):
        await check_chunks()


def ending(path: Path) -> str:
    """How the run ended: the name of its error, or what Temporal calls it."""
    last = json.loads(path.read_text())["events"][-1]
    failed = last.get("workflowExecutionFailedEventAttributes", {}).get("failure", {})
    return str(failed.get("applicationFailureInfo", {}).get("type") or last["eventType"])


def test_there_is_a_history_of_each_end_and_each_step() -> None:
    assert {path.stem for path in HISTORIES} == {*SCENARIOS}
    endings, commands = {*map(ending, HISTORIES)}, "".join(kept(path).read_text() for path in HISTORIES)
    failed = {code.title for code in ErrorCode if code is not ErrorCode.CANCELLED}
    others = {"EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED", "EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED"}
    assert endings == failed | others
    plugin = control_plugin(Settings.from_environment())
    steps = [*names(plugin.activities), *names(OPTIONS)]
    assert [name for name in steps if f" {name} " not in commands] == []
    told = [f"\n{each.__name__} begins\n" for each in listed(plugin.workflows)]
    told += [f"\nis told: {signal}\n" for signal in ("pause", "resume", "cancel")]
    assert [line for line in told if line not in f"\n{commands}"] == []


def names(activities: Any) -> list[str]:
    return [each.__name__ for each in listed(activities)]


def listed(found: Any) -> list[Callable[..., Any]]:
    return [*found]


@each_history
async def test_what_is_asked_for_in_a_recorded_history_is_understood(path: Path) -> None:
    """A worker of today may get an activity that one of yesterday has asked for."""
    types = {activity.__name__: get_type_hints(activity) for activity in OPTIONS}
    for event in WorkflowHistory.from_json(path.stem, path.read_text()).events:
        asked = event.activity_task_scheduled_event_attributes
        if hints := types.get(asked.activity_type.name):
            await data_converter().decode(asked.input.payloads, [hints["request"]])


def test_an_activity_may_come_through_any_queue() -> None:
    """Through that of an earlier version as well."""
    settings = Settings.from_environment()
    for plugin in (control_plugin(settings), activity_plugin(settings, MEDIA_QUEUE)):
        assert isinstance(plugin.activities, list)
        assert {*OPTIONS} <= {*plugin.activities}
