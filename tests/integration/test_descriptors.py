"""Workers that may open few files; no other worker takes their jobs meanwhile."""

import asyncio
from pathlib import Path

import pytest

from tests.clips import Clips
from tests.integration.service import Service
from tests.integration.test_limits import assert_clean
from tests.servers.process import started
from tests.servers.temporal import TemporalServer


@pytest.mark.slow
@pytest.mark.parametrize("descriptors", [64, 28])
async def test_a_worker_with_few_descriptors_serves_jobs_or_tells_why_not(
    tmp_path: Path, temporal_server: TemporalServer, clip: Clips, descriptors: int
) -> None:
    """64 are enough for eight jobs at once, 28 for some of them."""
    limited = ("prlimit", f"--nofile={descriptors}:{descriptors}")
    service = Service(tmp_path, temporal_server.address, inside=limited)
    with started(service):
        source = service.source(clip())
        opened = Path(f"/proc/{service.pid}/fd")
        before = len([*opened.iterdir()])
        for ended in await asyncio.gather(*(service.run(service.job(source)) for _ in range(8))):
            if ended.names[-1] != "JobSuccess":
                assert "raise `ulimit -n`" in ended.error["Message"]
                assert descriptors < 64
            assert_clean(service, ended.job_id)
        assert (await service.run(service.job(source))).names[-1] == "JobSuccess"
        assert len([*opened.iterdir()]) <= before + 2
