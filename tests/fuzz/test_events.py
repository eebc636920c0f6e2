"""Events of whatever was found and made: JSON after their schema, stable ids, and a percent that never falls."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jsonschema
from hypothesis import given
from hypothesis import strategies as st

from activities.acquire import Acquired
from activities.deliver import Delivered, DeliverRequest
from activities.images import Images
from activities.notify import Meter, Pending, Share, Watch
from activities.package import PackagedFormat
from activities.prepare import PrepareRequest
from activities.storage.config import FilesLocation
from activities.tracks import AudioTrack, Mapped, MonoTrack, SourceFile, TextTrack, VideoTrack
from publishers.events import FINAL, Body, Message, Sender, event_schemas, message
from publishers.files import file_name
from tests.fuzz.jobs import JOB
from tests.fuzz.trying import TEXT, inputs
from workflows.job import InvalidJob, Job
from workflows.lifecycle import STEPS, Outcome, Phase, clock, final_error, job_success

GUID = "0b0f1f9a-6f0c-4e5a-9f57-0f6f2a1d2c3b"
SCHEMAS = {name: jsonschema.Draft202012Validator(schema) for name, schema in event_schemas().items()}
SENDERS = st.builds(Sender, st.uuids().map(str), TEXT, st.none() | TEXT, st.none() | TEXT, st.none() | TEXT)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - it adds one

SECONDS = st.floats(0, 360_000)
SMALL = st.integers(0, 2**31)
SOURCES = st.builds(SourceFile, TEXT, TEXT, SMALL)
VIDEOS = st.builds(
    VideoTrack,
    file=SOURCES,
    index=SMALL,
    codec=TEXT,
    width=SMALL,
    height=SMALL,
    frame_rate=st.sampled_from(["25/1", "24000/1001", "1/7", "1000/1"]),
    duration=SECONDS,
    frames=st.none() | SMALL,
    bitrate=SMALL,
)
SOUNDS = st.builds(
    AudioTrack,
    SOURCES,
    SMALL,
    TEXT,
    TEXT,
    SMALL,
    SECONDS,
    st.booleans(),
    st.lists(st.builds(MonoTrack, SMALL, SECONDS), max_size=2),
)
TEXTS = st.builds(TextTrack, SOURCES, TEXT, TEXT, st.booleans(), st.none() | SMALL)
MAPPED = st.builds(Mapped, st.none() | VIDEOS, st.lists(SOUNDS, max_size=3), st.lists(TEXTS, max_size=3))


def told(sender: Sender, number: int, at: datetime, body: Body | None) -> Message:
    """The event, which keeps to all that holds for every event."""
    assert body
    made = message(sender, number, at, body)
    assert made == message(sender, number, at, body)
    assert json.loads(json.dumps(made.body, allow_nan=False)) == made.body
    SCHEMAS[made.event_type].validate(made.body)
    assert str(UUID(made.event_id)) == made.event_id
    assert abs(made.timestamp - at) < timedelta(milliseconds=1)
    assert "/" not in file_name(made)
    return made


@given(SENDERS, st.integers(1, 10**6), MOMENTS, MAPPED)
@inputs(30)
def test_what_was_mapped(sender: Sender, number: int, at: datetime, mapped: Mapped) -> None:
    job = Job.parse(JOB)
    outcomes = {
        "acquire": Outcome(
            job, None, Acquired([track.file for track in mapped.audio], [track.format for track in mapped.text])
        ),
        "map_media": Outcome(job, None, mapped),
        "prepare_text": Outcome(job, PrepareRequest(GUID, mapped), mapped),
        "extract_images": Outcome(job, None, Images("images", [track.language for track in mapped.audio])),
    }
    for name, outcome in outcomes.items():
        event = STEPS[name].event
        assert event
        told(sender, number, at, event(outcome))


@given(SENDERS, MOMENTS, st.lists(TEXT, min_size=1, max_size=3), st.sampled_from(Phase), TEXT)
@inputs(30)
def test_the_ends_of_jobs(sender: Sender, at: datetime, problems: list[str], phase: Phase, reason: str) -> None:
    errors = [InvalidJob(problems), ValueError(reason)]
    ends = [final_error(error, phase, reason) for error in errors]
    assert [end.message for end in ends] == ["; ".join(problems), final_error(ValueError(), phase, None).message]
    for body in (*ends, job_success({"dash": reason})):
        assert told(sender, 1, at, body).event_type in FINAL


@given(st.floats(0, 10**6))
@inputs(30)
def test_a_clock_shows_the_seconds(seconds: float) -> None:
    hours, minutes, rest = clock(seconds).split(":")
    assert abs(int(hours) * 3600 + int(minutes) * 60 + float(rest) - seconds) <= 0.0006
    assert int(minutes) < 60
    assert float(rest) < 60


SHARES = st.lists(st.floats(0, 1e12), min_size=1, max_size=6).map(
    lambda weights: [Share(f"part-{place}", weight) for place, weight in enumerate(weights)]
)
PENDING = st.dictionaries(st.integers(0, 8).map("part-{}".format), st.floats(0, 1), max_size=6)


@given(
    SENDERS,
    SHARES,
    st.lists(PENDING, min_size=1, max_size=6),
    st.sampled_from(["EncodingProgress", "AcquisitionProgress"]),
)
@inputs(50)
def test_a_percent_never_falls(
    sender: Sender, shares: list[Share], reports: list[dict[str, float]], event: str
) -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    meter = Meter(Watch("Encoding", event, sender, 3, begin, shares, film_seconds=5400.0))
    seen = [meter.take(Pending(pending)) for pending in reports]
    assert seen == sorted(seen)
    assert all(0 <= percent <= 100 for percent in seen)
    for seconds, percent in enumerate(seen):
        told(sender, 3, begin, meter.watch.body(percent, begin + timedelta(seconds=seconds)))


@given(SENDERS, TEXT, st.integers(0, 2**53), st.sampled_from(["Dash", "Hls", "Cmaf", "DashOnDemand"]))
@inputs(15)
def test_what_was_delivered(sender: Sender, place: str, size: int, kind: Any) -> None:
    job, event = Job.parse(JOB), STEPS["deliver"].event
    request = DeliverRequest(GUID, FilesLocation(provider="Files", uri_path="/media"), PackagedFormat(kind, "output-1"))
    assert event
    told(sender, 9, datetime.now(UTC), event(Outcome(job, request, Delivered(place, 7, size))))
