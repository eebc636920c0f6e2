"""What is removed of a job that has ended, and what is not; whole jobs are in `test_ended_outside.py`."""

from typing import Any

import pytest
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities import leftovers
from activities.server import Run
from activities.workspace import workspace
from tests.activities.running import JOB_ID
from tests.servers.temporal import TemporalServer


async def test_a_job_that_begins_again_while_it_is_taken_back_keeps_its_workspace(
    temporal_server: TemporalServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """The answers of the server are given here: nothing else brings the new run between the two questions."""
    monkeypatch.setenv("ENCODING_WORK_ROOT", str(tmp_path))
    answers = iter([True, False])

    async def is_last(_: Run) -> bool:
        return next(answers)

    async def nothing(_: Any) -> tuple[list[Any], None]:
        return [], None

    monkeypatch.setattr(leftovers, "is_last", is_last)
    monkeypatch.setattr(leftovers, "_to_withdraw", nothing)
    begun = workspace(JOB_ID)
    environment = ActivityEnvironment(await Client.connect(temporal_server.address))
    await environment.run(leftovers.remove_workspace, Run(JOB_ID, "the run before"))
    assert begun.exists()
