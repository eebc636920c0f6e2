"""Whatever a file holds: it is encoded, or refused by an error that names it; no tool takes too much or hangs."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.errors import AcquisitionError, EncodingError, JobError
from activities.text import TextFile, to_webvtt
from tests.activities.fuzzing import FAST, PACKAGES_ONLY, PICTURE, SOUND, SOURCES, made, mutated, outcome
from tests.clips import CUES, _run, vtt_file

MEMORY_MB = 2000
"""For each tool: the packager alone sets half of it aside."""


@pytest.fixture(autouse=True)
def _little_memory(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert root.is_dir()
    monkeypatch.setenv("ENCODING_TOOL_MEMORY_MB", str(MEMORY_MB))


async def fuzzed(kind: str, seeds: range, root: Path, folder: Path) -> list[JobError | None]:
    """How the damaged ones of a kind end; where a kind can be packaged as it is, every third one is."""
    content, ends = made(kind, folder), []
    for seed in seeds:
        packages_only = kind in PACKAGES_ONLY and seed % 3 == 0
        ended = await outcome(mutated(content, seed), f"movie.{kind}", root / "out", packages_only=packages_only)
        check(ended, f"movie.{kind}", seed)
        ends.append(ended)
    return ends


def check(ended: JobError | None, name: str, seed: int = 0) -> None:
    """An error is of the content: it names the file, and no tool has crashed or taken more memory than it may."""
    if ended:
        assert isinstance(ended, AcquisitionError | EncodingError), seed
        assert name in str(ended), seed
        assert not ended.retryable, (seed, ended)


@pytest.mark.parametrize("kind", SOURCES)
async def test_damage_is_survived_or_told(kind: str, root: Path, tmp_path: Path) -> None:
    await fuzzed(kind, range(1, 4), root, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", SOURCES)
async def test_much_damage_is_survived_or_told(kind: str, root: Path, tmp_path: Path) -> None:
    ends = await fuzzed(kind, range(1000, 1300), root, tmp_path)
    assert 0 < ends.count(None) < len(ends)  # else the damage is too small or too large to say anything


def ttml_file(path: Path) -> Path:
    lines = "".join(f'<p begin="{start}s" end="{end}s">{text}</p>' for start, end, text in CUES)
    path.write_text(f'<tt xmlns="http://www.w3.org/ns/ttml"><body><div>{lines}</div></body></tt>')
    return path


@pytest.mark.parametrize(("kind", "make"), [("WebVTT", vtt_file), ("TTML", ttml_file)])
def test_damaged_text_is_read_or_told(kind: str, make: Callable[[Path], Path], tmp_path: Path) -> None:
    content, damaged = make(tmp_path / "text").read_bytes(), tmp_path / "damaged"
    told = 0
    for seed in range(300):
        damaged.write_bytes(mutated(content, seed))
        try:
            assert to_webvtt(TextFile(damaged, "the name", kind)).startswith("WEBVTT"), seed
        except AcquisitionError as error:
            told += "'the name'" in str(error)
    assert 0 < told < 300


def black(*, size: str = "64x36", rate: str = "25", seconds: float = 0.5) -> list[str]:
    return ["-f", "lavfi", "-i", f"color=black:size={size}:rate={rate}:duration={seconds}"]


SOUNDS = ("-map", "0:v", *("-map", "1:a") * 64)
EXTREMES = {
    "dot.mkv": (*black(size="1x1"), *SOUND, "-c:v", "ffv1"),
    "moment.mp4": (*black(seconds=0.03), *SOUND, *FAST, "-t", "0.03"),
    "moment.ts": (*black(seconds=0.03), *SOUND, "-t", "0.03"),
    "moment.m4a": (*SOUND, "-t", "0.03"),
    "fast.mkv": (*black(rate="240"), *SOUND, *FAST),
    "slow.mp4": (*black(rate="1", seconds=3), *SOUND, *FAST),
    "choir.mkv": (*PICTURE, *SOUND, *SOUNDS, *FAST, "-t", "0.1"),
}


@pytest.mark.parametrize("name", EXTREMES)
async def test_extremes_are_encoded(name: str, root: Path, tmp_path: Path) -> None:
    _run(*EXTREMES[name], str(tmp_path / name))
    assert await outcome((tmp_path / name).read_bytes(), name, root / "out") is None


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_ten_hours_of_black_are_encoded(root: Path, tmp_path: Path) -> None:
    source = tmp_path / "black.mp4"
    silence = ["-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono"]
    _run(*black(size="64x64", rate="1", seconds=36_000), *silence, *FAST, "-shortest", str(source))
    assert await outcome(source.read_bytes(), source.name, root / "out", longest=900.0) is None


def crowded(content: bytes, number: int) -> bytes:
    """An MP4 whose only track stands there so many times."""
    movie, track = content.index(b"moov") - 4, content.index(b"trak") - 4
    size, own = (struct.unpack_from(">I", content, place)[0] for place in (movie, track))
    copied, end = content[track : track + own] * number, track + own
    head = struct.pack(">I", size + own * (number - 1)) + content[movie + 4 : track]
    return content[:movie] + head + copied + content[end:]


@pytest.mark.parametrize(("number", "why"), [(200, "at most 100"), (5000, "is not media .* or is damaged")])
async def test_a_crowd_of_tracks_is_refused(number: int, why: str, root: Path, tmp_path: Path) -> None:
    ended = await outcome(crowded(made("m4a", tmp_path), number), "movie.m4a", root / "out")
    check(ended, "audio tracks" if number == 200 else "movie.m4a")
    with pytest.raises(AcquisitionError, match=why):
        raise ended or AssertionError


async def test_an_index_that_never_came_is_told(root: Path, tmp_path: Path) -> None:
    content = made("mp4", tmp_path)
    ended = await outcome(content[: content.index(b"moov") - 4], "movie.mp4", root / "out")
    assert isinstance(ended, AcquisitionError)
    check(ended, "movie.mp4")


async def test_a_head_that_only_the_packager_reads_is_told(root: Path, tmp_path: Path) -> None:
    content = bytearray(made("m4v", tmp_path))
    content[content.index(b"hvcC") + 4] = 9  # the version of what follows
    ended = await outcome(bytes(content), "movie.m4v", root / "out", packages_only=True)
    assert isinstance(ended, EncodingError)
    check(ended, "'movie.m4v' (track 0) cannot be packaged as it is")
