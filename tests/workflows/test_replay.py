"""Recorded histories replay with today's code: what is running when a worker is upgraded goes on."""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from activities.settings import Settings
from workflows.plugin import control_plugin

HISTORIES = sorted((Path(__file__).parents[1] / "histories").glob("*.json"))


def test_there_are_histories_of_each_end() -> None:
    assert {path.stem for path in HISTORIES} >= {"success", "failure", "cancel"}


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    history = WorkflowHistory.from_json(path.stem, path.read_text())
    replayer = Replayer(workflows=[], plugins=[control_plugin(Settings.from_environment())])
    await replayer.replay_workflow(history)
