"""Recorded histories replay with today's code: what is running when a worker is upgraded goes on."""

from pathlib import Path
from typing import get_type_hints

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from activities.settings import Settings
from workflows.codec import data_converter
from workflows.options import MEDIA_QUEUE, OPTIONS
from workflows.plugin import control_plugin, transcode_plugin

HISTORIES = sorted((Path(__file__).parents[1] / "histories").glob("*.json"))


PATCH = (
    "a job like {} that runs now could not go on with this code: guard the change with workflow.patched "
    "(docs/upgrades.md), do not record the history again"
)


async def replay(path: Path, text: str) -> None:
    replayer = Replayer(workflows=[], plugins=[control_plugin(Settings.from_environment())])
    history = WorkflowHistory.from_json(path.stem, text)
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    assert not result.replay_failure, f"{PATCH.format(path.name)}\n{result.replay_failure}"


def test_there_are_histories_of_each_end() -> None:
    assert {path.stem for path in HISTORIES} >= {"success", "failure", "cancel", "chunks", "pause"}


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    await replay(path, path.read_text())


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
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
    for plugin in (control_plugin(settings), transcode_plugin(settings, MEDIA_QUEUE)):
        assert isinstance(plugin.activities, list)
        assert {*OPTIONS} <= {*plugin.activities}


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_code_that_would_do_something_else_is_told_to_be_guarded(path: Path) -> None:
    other = path.read_text().replace('"map_media"', '"map_other_media"')
    with pytest.raises(AssertionError, match=r"guard the change with workflow\.patched"):
        await replay(path, other)
