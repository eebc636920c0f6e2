"""How the progress of a phase is added up, whatever the clocks of those who tell it show.

What becomes of it is tested with whole jobs.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from temporalio.testing import ActivityEnvironment

from activities.notify import Meter, Pending, Share, Watch
from activities.server import server_clock
from publishers.events import Sender
from tests.activities.running import JOB_ID

STARTED = datetime(2026, 1, 1, tzinfo=UTC)


def watch(*weights: float) -> Watch:
    shares = [Share(f"part-{place}", weight) for place, weight in enumerate(weights)]
    return Watch("Encoding", "EncodingProgress", Sender(JOB_ID, "studio"), 3, STARTED, shares, film_seconds=10.0)


def test_what_is_done_counts_by_its_weight() -> None:
    parts = Meter(watch(1, 3))
    reports = ({"part-0": 0.5}, {"part-1": 0.5}, {"part-0": 0.1})
    assert [parts.take(Pending(report)) for report in reports] == [12, 62, 62]


def test_a_film_whose_length_nobody_knows_has_no_percent() -> None:
    assert Meter(watch(0, 0)).take(Pending({"part-1": 0.0})) == 0


def test_a_clock_that_is_behind_makes_no_time_left_negative() -> None:
    body = watch(1).message(40, STARTED - timedelta(hours=1)).body
    assert (body["SpeedFactor"], body["RemainingSeconds"]) == (None, None)
    body = watch(1).message(100, STARTED).body
    assert (body["SpeedFactor"], body["RemainingSeconds"]) == (None, 0)
    body = watch(1).message(50, STARTED + timedelta(seconds=2)).body
    assert (body["SpeedFactor"], body["RemainingSeconds"]) == (2.5, 2)


async def test_times_are_those_of_the_server() -> None:
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, started_time=STARTED)

    async def activity() -> datetime:
        return server_clock()()

    told = await environment.run(activity)
    assert STARTED <= told < STARTED + timedelta(seconds=5)
