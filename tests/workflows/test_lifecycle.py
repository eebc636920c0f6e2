"""What outcomes of activities mean to the client, where that depends on others."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.cuts import Chunk
from activities.notify import Milestone
from activities.package import Measured, Packaged, PackageRequest
from activities.plan import AudioRendition, Plan, PlanRequest, VideoRendition
from activities.processing import ContentProcessing
from activities.tracks import Mapped
from publishers.events import EncodingFinished, Sender
from workflows.board import Board
from workflows.job import Job
from workflows.lifecycle import STEPS, Outcome, Phase, WatchPlan
from workflows.record import Record

PLAN = Plan(
    [VideoRendition("video", 160, 90, 100)],
    [AudioRendition("audio-en", 0, "en", 128, "Stereo")],
    [Chunk(0, duration=20.0), Chunk(1, start=20.0)],
    duration=40.0,
)
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


def job(*formats: str) -> Job:
    location = {"Provider": "Files", "UriPath": "/media"}
    sections = {"ContentAcquisition": location, "ContentPublishing": location, "MediaMappings": {}}
    return Job.parse({**sections, "ContentProcessing": {"OutputFormat": formats}})


@pytest.fixture
def record() -> Record:
    """Of two chunks that were begun, and one that is done."""
    record = Record()
    record.begun = {"encode-video-0000": BEGUN, "encode-video-0001": BEGUN + timedelta(seconds=1)}
    record.results = {"encode-video-0000": "encoded"}
    return record


def watched(record: Record, *formats: str, picture: Plan | None = None) -> WatchPlan:
    request = PlanRequest("", Mapped(None), ContentProcessing(), picture)
    watch = STEPS["plan"].watch(Outcome(job(*formats), request, PLAN, record))
    assert watch
    return watch


def test_chunks_that_are_done_when_the_phase_begins_count_as_done(record: Record) -> None:
    watch = watched(record, "Dash", picture=PLAN)
    assert {share.activity_id: share.is_done for share in watch.shares} == {
        "encode-audio": False,
        "encode-video-0000": True,
        "encode-video-0001": False,
        "join-chunks": False,
        "package": False,
    }
    assert watch.started == BEGUN


def test_those_of_a_film_that_was_given_up_count_for_nothing(record: Record) -> None:
    watch = watched(record, "Dash")
    assert not any(share.is_done for share in watch.shares)
    assert watch.started is None


def test_several_formats_share_the_weight_of_packaging(record: Record) -> None:
    ids = [share.activity_id for share in watched(record, "Dash", "Hls").shares]
    assert ids[-2:] == ["package-Dash", "package-Hls"]


@pytest.mark.parametrize("first", ["Dash", "Hls"])
def test_the_encoding_is_finished_when_all_formats_are_packaged(first: str) -> None:
    made = {
        name: Packaged([], [Measured("video", rate, "H264"), Measured("audio-en", 1, "AAC")])
        for name, rate in (("Dash", 99), ("Hls", 98))
    }
    record, told = Record(), list[Any]()
    for name in sorted(made, key=lambda name: name != first):
        record.results[f"package-{name}"] = made[name]
        request = PackageRequest("", PLAN, ["Dash", "Hls"], only=name)  # type: ignore[arg-type]
        event = STEPS["package"].event
        assert event
        told.append(event(Outcome(job("Dash", "Hls"), request, made[name], record)))
    assert told[0] is None
    assert isinstance(told[1], EncodingFinished)
    assert told[1].bitrates[0].measured_bitrate_in_kbps == 99  # the first format's, whichever was packaged first


def echoed(written: dict[str, Any]) -> dict[str, Any]:
    event = STEPS["validate"].event
    body = event and event(Outcome(Job.parse(written), None, None, description=written))
    assert body
    return body.to_json_object()


def test_the_job_comes_back_as_it_was_written() -> None:
    location = {"Provider": "Files", "UriPath": "/media"}
    mark = {"WatermarkFileName": "a.png", "PositionXPercentage": 20, "PositionYPercentage": 7.5, "EndTime": "00:00:10"}
    written: dict[str, Any] = {
        "ContentAcquisition": location,
        "ContentPublishing": location,
        "MediaMappings": {"AudioLanguages": ["eng", "pt_br"], "AudioStreams": None, "FallbackLanguageCode": None},
        "ContentProcessing": {"VisibleVideoWatermarks": [mark], "OutputFormat": "Cmaf", "ExtractAndApplyHDR": True},
    }
    created = echoed(written)
    for echo, section in (("ContentPreProcessing", "MediaMappings"), ("ContentProcessing", "ContentProcessing")):
        assert json.dumps(created[echo], sort_keys=True) == json.dumps(written[section], sort_keys=True)
    mark["EndTime"] = " " * 1_000_000 + "00:00:10"
    assert len(json.dumps(echoed(written))) < 1000


async def test_an_activity_that_is_handed_out_again_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    # Outside of a workflow there is no time of one.
    monkeypatch.setattr("workflows.record.workflow.now", lambda: BEGUN)
    record = Record()
    for result in ("lost", "made anew"):
        handle: Any = asyncio.ensure_future(asyncio.sleep(0, result))
        record.follow("encode-video-0000", handle)
        assert record.results == {}
        await handle
        await asyncio.sleep(0)
        assert record.results == {"encode-video-0000": result}


def test_late_news_of_a_phase_is_not_told_of_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflows.board.workflow.set_current_details", lambda _: None)
    board = Board(Sender("job", "tenant"))
    board.enter(Phase.ACQUISITION)
    board.reached(Milestone(80, 2, "Acquisition"))
    assert (board.summary()["Progress"], board.summary()["RemainingSeconds"]) == (80, 2)
    board.enter(Phase.MEDIA_MAPPING)
    board.reached(Milestone(90, 1, "Acquisition"))
    assert (board.summary()["Progress"], board.summary()["RemainingSeconds"]) == (0, None)
