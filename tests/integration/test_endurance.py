"""What many jobs leave in a worker."""

import os
from pathlib import Path

import pytest

from tests.clips import Clips
from tests.integration.service import running
from tests.servers.temporal import TemporalServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
JOBS = int(os.environ.get("ENDURANCE_JOBS", "50"))


async def test_many_jobs_leave_no_file_open(tmp_path: Path, temporal_server: TemporalServer, clip: Clips) -> None:
    with running(tmp_path, temporal_server.address) as service:
        job = service.job(service.source(clip(seconds=1)))
        counts = []
        for _ in range(JOBS + 1):
            # What the first one opens for all that follow, as connections, does not count.
            assert (await service.run(job)).names[-1] == "JobSuccess"
            counts.append(len([*Path(f"/proc/{service.pid}/fd").iterdir()]))
        assert max(counts[len(counts) // 2 :]) <= max(counts[: len(counts) // 2]) + 2, counts
