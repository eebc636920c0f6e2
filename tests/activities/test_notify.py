"""How the progress of a phase is added up, whatever the clocks of those who tell it show.

What becomes of it is tested with whole jobs.
"""

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.heartbeat import Progress
from activities.notify import Meter, Pending, PublishRequest, Share, Watch, publish_events
from activities.report import Reported, ReportRequest, _Reporter, _Run
from activities.server import server_clock
from publishers.base import PublishError, Refused, Unavailable
from publishers.config import Files
from publishers.events import Sender
from tests.activities.running import JOB_ID, Running
from tests.publishers import messages

STARTED = datetime(2026, 1, 1, tzinfo=UTC)


def watch(*weights: float) -> Watch:
    shares = [Share(f"part-{place}", weight) for place, weight in enumerate(weights)]
    return Watch("Encoding", "EncodingProgress", Sender(JOB_ID, "studio"), 3, STARTED, shares, film_seconds=10.0)


def test_what_is_done_counts_by_its_weight() -> None:
    parts = Meter(watch(1, 3))
    reports = ({"part-0": 0.5}, {"part-1": 0.5}, {"part-0": 0.1})
    assert [parts.take(Pending(report)) for report in reports] == [12, 62, 62]


def test_what_has_come_back_is_not_done_for_somebody_who_looks_for_the_first_time() -> None:
    """No worker had time for the pieces 1 and 2, so that they are not pending any more; the fourth is under way."""
    pending = Pending({"part-0": 0.5, "part-3": 0.0})
    before = Meter(watch(1, 1, 1, 1))
    before.take(Pending({f"part-{number}": 0.0 for number in range(4)}, frozenset({"part-1", "part-2"})))
    assert before.take(pending) == 12
    assert Meter(watch(1, 1, 1, 1), waiting=before.waiting).take(pending) == 12


def test_a_film_whose_length_nobody_knows_has_no_percent() -> None:
    assert Meter(watch(0, 0)).take(Pending({"part-1": 0.0})) == 0


def test_a_clock_that_is_behind_makes_no_time_left_negative() -> None:
    body = watch(1).message(40, STARTED - timedelta(hours=1)).body
    assert (body["SpeedFactor"], body["RemainingSeconds"]) == (None, None)
    body = watch(1).message(100, STARTED).body
    assert (body["SpeedFactor"], body["RemainingSeconds"]) == (None, 0)
    body = watch(1).message(50, STARTED + timedelta(seconds=2)).body
    assert (body["SpeedFactor"], body["RemainingSeconds"]) == (2.5, 2)


async def test_a_batch_that_fails_at_once_goes_on_where_it_failed(root: Path) -> None:
    to = Files.model_validate({"Type": "Files", "UriPath": str(root / "events")})
    folder = root / "events" / messages.JOB_ID
    (folder / "000003-ImagesExtractionFailure.json").mkdir(parents=True)
    running = Running()
    with pytest.raises(ApplicationError):
        await running(publish_events, PublishRequest(to, [messages.lifecycle(number) for number in (1, 2, 3)]))
    assert len([path for path in folder.iterdir() if path.is_file()]) == 2
    assert running.beats[-1].done == 2


class Broker:
    """Fails to take events, each time in the next of some ways; a real one cannot be made to say no only at first."""

    def __init__(self, *failures: PublishError) -> None:
        self._failures = iter(failures)

    async def publish(self, *_: Any) -> None:
        raise next(self._failures)


REFUSALS = 3


@pytest.mark.parametrize(
    ("failures", "given_up_at"),
    [
        ([Refused("no")] * REFUSALS, REFUSALS),
        ([Unavailable("away")] * REFUSALS + [Refused("no")] * REFUSALS, 2 * REFUSALS),
        ([Refused("no"), Unavailable("away")] * REFUSALS, None),
    ],
)
async def test_a_receiver_is_given_up_that_says_no_time_after_time(
    root: Path, monkeypatch: pytest.MonkeyPatch, failures: list[PublishError], given_up_at: int | None
) -> None:
    monkeypatch.setattr("activities.notify.publish", Broker(*failures).publish)
    monkeypatch.setenv("ENCODING_FAULT_ATTEMPTS", str(REFUSALS))
    to = Files.model_validate({"Type": "Files", "UriPath": str(root / "events")})
    ends, details = list[bool](), list[Any]()
    for attempt in range(1, len(failures) + 1):
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, attempt=attempt, heartbeat_details=[*details])

        def beat(progress: Progress, *more: int) -> None:
            details[:] = asdict(progress), *more

        environment.on_heartbeat = beat
        with pytest.raises(ApplicationError) as caught:
            await environment.run(publish_events, PublishRequest(to, [messages.lifecycle(1)]))
        ends.append(caught.value.non_retryable)
    assert [place for place, end in enumerate(ends, start=1) if end] == ([given_up_at] if given_up_at else [])


class Shown:
    """A run of which the server shows one activity, that goes on."""

    def __init__(self) -> None:
        self.share = 0.0
        self.look_interval = 0.0
        self.attempts: dict[str, int] | None = None
        """None = that which asks."""

    async def look(self, _: Any) -> Pending:
        info = activity.info()
        attempts = {info.activity_id: info.attempt} if self.attempts is None else self.attempts
        return Pending({"part-0": self.share}, attempts=attempts)


async def test_a_reporter_has_told_what_has_arrived(root: Path) -> None:
    to = Files.model_validate({"Type": "Files", "UriPath": str(root / "events")})
    shown, running = Shown(), Running()
    (root / "events").touch()  # where a folder should be

    async def told(request: ReportRequest) -> list[Reported]:
        reporter = _Reporter(request, cast(_Run, shown), cast(Any, None))
        reporter.stop.set()  # it waits for nothing
        seen = []
        for share in (0.4, 0.42, 0.42):
            shown.share = share
            await reporter._tell_news()
            seen.append(reporter.sent)
            if len(seen) == 2:
                (root / "events").unlink()
        return seen

    first, second, third = await running(told, ReportRequest(watch(1), to))
    assert (first, second) == (Reported(), Reported())
    assert third.percent == 42
    assert third.at > 0
    # Should it die, the next one begins behind what may have arrived.
    assert running.beats[-1].done >= 42
    assert [path.name for path in (root / "events" / JOB_ID).iterdir()] == ["000003-EncodingProgress-042.json"]


@pytest.mark.parametrize("attempts", [{}, {"test": 2}], ids=["the phase is over", "another one tells it"])
async def test_a_reporter_that_has_stood_still_tells_nothing(root: Path, attempts: dict[str, int]) -> None:
    """It asks the server before that tells it, by the answer to its next beat, that it does not count any more."""
    to = Files.model_validate({"Type": "Files", "UriPath": str(root / "events")})
    shown, running = Shown(), Running()
    running.environment.info = replace(running.environment.info, activity_id="test", attempt=1)

    async def told(request: ReportRequest) -> Reported:
        reporter = _Reporter(request, cast(_Run, shown), cast(Any, None))
        shown.share, shown.attempts = 0.84, attempts
        await reporter._tell_news()
        return reporter.sent

    assert await running(told, ReportRequest(watch(1), to)) == Reported()
    assert not (root / "events").exists()


async def test_times_are_those_of_the_server() -> None:
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, started_time=STARTED)

    async def asking() -> datetime:
        return server_clock()()

    told = await environment.run(asking)
    assert STARTED <= told < STARTED + timedelta(seconds=5)
