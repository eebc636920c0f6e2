"""Progress, whatever the clocks of those who tell it show."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from temporalio.testing import ActivityEnvironment

from activities.notify import Share, Watch
from activities.server import server_clock
from publishers.events import Sender
from tests.activities.running import JOB_ID

STARTED = datetime(2026, 1, 1, tzinfo=UTC)
WATCH = Watch(
    "Encoding", "EncodingProgress", Sender(JOB_ID, "tenant"), 4, STARTED, [Share("encode-video-0000", 1)], 10.0
)


def test_a_clock_that_is_behind_makes_no_time_left_negative() -> None:
    body = WATCH.message(40, STARTED - timedelta(hours=1)).body
    assert (body["SpeedFactor"], body["RemainingSeconds"]) == (None, None)
    body = WATCH.message(100, STARTED).body
    assert (body["SpeedFactor"], body["RemainingSeconds"]) == (None, 0)
    body = WATCH.message(50, STARTED + timedelta(seconds=2)).body
    assert (body["SpeedFactor"], body["RemainingSeconds"]) == (2.5, 2)


async def test_times_are_those_of_the_server() -> None:
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, started_time=STARTED)

    async def activity() -> datetime:
        return server_clock()()

    told = await environment.run(activity)
    assert STARTED <= told < STARTED + timedelta(seconds=5)
