import os
from pathlib import Path

import pytest
from temporalio.client import WorkflowExecutionStatus

from workflows import client as jobs
from workflows.embedded import EmbeddedServerError, embedded_server


async def test_it_is_gone_with_its_block_and_its_state_is_there_again(tmp_path: Path) -> None:
    async with embedded_server(tmp_path) as server:
        handle = await jobs.submit(await jobs.connect(server.address), {"ExternalId": "x"}, "kept")
    assert not Path("/proc", str(server.pid)).exists()
    async with embedded_server(tmp_path) as server:
        handle = await jobs.find(await jobs.connect(server.address), "kept")
        assert (await handle.describe()).status == WorkflowExecutionStatus.RUNNING


async def test_it_is_gone_also_when_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with embedded_server(tmp_path) as server:
            raise ZeroDivisionError
    assert not Path("/proc", str(server.pid)).exists()


async def test_one_that_ended_by_itself_disturbs_nothing(tmp_path: Path) -> None:
    async with embedded_server(tmp_path) as server:
        os.kill(server.pid, 9)


async def test_one_that_does_not_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "temporal.db").mkdir()
    with pytest.raises(EmbeddedServerError, match=r"its log .*temporal.log ends with:\n.*database file"):
        async with embedded_server(tmp_path):
            pass
