"""Where films are cut."""

from array import array
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from activities.cuts import SHORTEST_CHUNK, Cutter, NotCutError
from activities.media.pictures import Pictures
from activities.plan import GOP
from activities.tracks import SourceFile, VideoTrack

HOUR = 3600.0


def cutter(seconds: float, rate: str = "25/1", start: float = 0.0, suffix: str = ".mp4") -> Cutter:
    numerator, _, denominator = rate.partition("/")
    length = int(denominator) / int(numerator)
    times = array("d", (round(n * length, 6) for n in range(round(seconds / length))))
    seen = Pictures(
        keys=times[::48].tolist(),
        times=times,
        sizes=array("L", [1]) * len(times),
        duration=len(times) * length,
        origin=10 + start,
    )
    film = SourceFile("film", f"source/0001{suffix}", 1)
    track = VideoTrack(film, 0, "h264", 64, 36, rate, seen.duration, len(times), 100, start)
    return Cutter(track, seen, GOP)


@pytest.mark.parametrize("seconds", [120, 600, 2 * HOUR, 24 * HOUR])
def test_chunks_are_long_enough_and_never_too_many(seconds: float) -> None:
    chunks = cutter(seconds, "5/1").chunks()
    assert len(chunks) <= 500
    lengths = [chunk.duration or seconds - chunk.start for chunk in chunks]
    assert min(lengths[:-1]) >= SHORTEST_CHUNK
    assert lengths[-1] >= SHORTEST_CHUNK / 2
    assert sum(chunk.frames or 0 for chunk in chunks) == seconds * 5
    assert [chunk.index for chunk in chunks] == [*range(len(chunks))]


def test_the_end_of_a_long_film_is_cut_smaller() -> None:
    lengths = [chunk.duration for chunk in cutter(2 * HOUR, "5/1").chunks()[:-1]]
    assert (lengths[0], lengths[-1]) == (48, 20)


@pytest.mark.parametrize("rate", ["25/1", "30000/1001", "24000/1001", "15/2"])
def test_chunks_follow_each_other_at_the_key_frames_of_one_piece(rate: str) -> None:
    made = cutter(300, rate)
    chunks = made.chunks()
    for before, after in pairwise(chunks):
        assert before.start + (before.duration or 0) == pytest.approx(after.start)
        assert after.start - after.lag == pytest.approx(round(after.start - after.lag) // 4 * 4, abs=1e-5)
        assert 0 <= after.lag < made.seen.times[1]
    assert chunks[-1].duration is None


def test_a_late_picture_shifts_the_film_and_adds_copies() -> None:
    first, second, *_ = cutter(120, start=0.4).chunks()
    assert (first.start, first.duration, first.frames, first.seek, first.clock) == (0.0, 20.0, 500, 0.0, 10.0)
    assert (round(second.start, 6), round(second.seek, 6), second.clock) == (20.0, 19.8, 10.0)


def test_without_an_index_reading_begins_before_the_last_key_frame() -> None:
    second = cutter(120, suffix=".ts").chunks()[1]
    assert second.seek == pytest.approx(19.2 - 0.5)


def test_samples_are_whole_groups_spread_over_the_film() -> None:
    samples = cutter(600).samples()
    assert len(samples) == 6
    assert {sample.frames for sample in samples} == {100}
    assert samples[0].start < 60
    assert samples[-1].start > 540
    assert len(cutter(24 * HOUR, "1/1").samples()) == 45


def test_pictures_far_apart_are_not_torn_from_each_other() -> None:
    chunks = cutter(10 * HOUR, "1/60").chunks()
    assert sum(chunk.frames or 0 for chunk in chunks) == 600
    assert all(chunk.frames for chunk in chunks)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"is_timed": False}, "have no times"),
        ({"times": array("d", [0.0, 1.0, 1.0])}, "shown at one time"),
        ({"duration": 20.0}, "ends before its container says"),
    ],
)
def test_what_cannot_be_cut_says_why(change: dict[str, Any], reason: str) -> None:
    made = cutter(120)
    with pytest.raises(NotCutError, match=reason):
        replace(made, seen=replace(made.seen, **change)).chunks()
