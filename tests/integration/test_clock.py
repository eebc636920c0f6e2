"""A worker whose clock jumps by hours, forth and back, while it encodes a film."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.clips import Clips
from tests.integration.service import Service, running
from tests.integration.test_chunks import SECONDS, assert_whole, film_job, told, until_finished
from tests.servers.temporal import TemporalServer

HOUR = 3600
FAR = 1000
"""Hours."""
pytestmark = pytest.mark.slow


class Clock:
    """The time of day that a process sees, to be set while it runs; monotonic time and times of files are real."""

    def __init__(self, folder: Path) -> None:
        self._offset = folder / "offset"
        self.set_ahead(0)
        library, *_ = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._offset),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set_ahead(self, seconds: int) -> None:
        new = self._offset.with_suffix(".new")
        new.write_text(f"{seconds:+d}")
        new.replace(self._offset)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


@pytest.fixture
def service(tmp_path: Path, temporal_server: TemporalServer, clock: Clock) -> Iterator[Service]:
    with running(tmp_path / "service", temporal_server.address, **clock.environment) as service:
        yield service


async def test_a_job_does_not_notice_a_clock_that_jumps(service: Service, clock: Clock, clip: Clips) -> None:
    film = clip(seconds=SECONDS, size="128x72", audio="mono")
    job, begun = film_job(service, film), datetime.now(UTC)
    handle = await service.submit(job)
    for chunks, ahead in enumerate((5 * HOUR, -30 * HOUR, 0, FAR * HOUR), start=1):
        await until_finished(handle, chunks)
        clock.set_ahead(ahead)
    ended = await service.end(handle)
    assert_whole(ended, job)
    days = {line[:10] for line in service.log.splitlines()}
    assert f"{begun + timedelta(hours=FAR):%F}" in days, "the worker's own clock has jumped"
    assert not (await told(handle)).repeated
    assert [event["SequenceNumber"] for event in ended.lifecycle] == [*range(1, len(ended.lifecycle) + 1)]
    times = [datetime.fromisoformat(event["Timestamp"]) for event in ended.events]
    assert begun - timedelta(seconds=1) <= min(times)
    assert max(times) <= datetime.now(UTC) + timedelta(seconds=1)
    for event in ended.events:
        assert event.get("RemainingSeconds", 0) >= 0
        assert event.get("SpeedFactor", 1) > 0
    assert service.tools() == []
