"""Recorded histories replay with today's code: what is running when a worker is upgraded goes on."""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from activities.settings import Settings
from workflows.plugin import control_plugin

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
    ends = {"success", "failure", "cancel", "chunks", "pause", "late", "overlap"}
    assert {path.stem for path in HISTORIES} >= ends


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    await replay(path, path.read_text())


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_code_that_would_do_something_else_is_told_to_be_guarded(path: Path) -> None:
    other = path.read_text().replace('"map_media"', '"map_other_media"')
    with pytest.raises(AssertionError, match=r"guard the change with workflow\.patched"):
        await replay(path, other)
