"""Marks over the picture, proven by the pixels of decoded pictures."""

import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError

from activities.cuts import Chunk
from activities.encode import ChunkRequest, encode_chunk
from activities.errors import AcquisitionError
from activities.media.image import placed_size
from activities.media.marks import Mark
from activities.plan import Plan, VideoRendition
from activities.processing import ContentProcessing
from activities.tracks import VideoTrack
from activities.watermarks import Watermark, WatermarksRequest, prepare_watermarks
from activities.workspace import workspace
from tests.activities.reading import decoded
from tests.activities.running import JOB_ID, Running
from tests.activities.tracks import in_workspace, video_track
from tests.clips import Clips

RUNGS = [VideoRendition("small", 160, 90, 2000), VideoRendition("large", 320, 180, 4000)]
PLAN = Plan(video=RUNGS, preset="ultrafast", duration=2)
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
Pixel = tuple[int, ...]


def image(path: Path, color: Pixel = (255, 0, 0, 255), size: tuple[int, int] = (64, 64)) -> Path:
    mode = "RGBA" if len(color) == 4 else "RGB"
    Image.new(mode, size, color).save(path)
    return path


def watermark(name: str, **fields: Any) -> Watermark:
    place = {"PositionXPercentage": 50, "PositionYPercentage": 50, "SizePercentage": 20}
    return Watermark.model_validate({"WatermarkFileName": name} | place | fields)


@pytest.fixture
async def black(root: Path, clip: Clips) -> VideoTrack:
    assert root.is_dir()
    source = clip(pattern="color=black", audio=None)
    return await video_track(source, in_workspace(source))


async def prepared(track: VideoTrack, files: list[Path], *watermarks: Watermark) -> list[Mark]:
    acquired = [in_workspace(file, number) for number, file in enumerate(files, 2)]
    return await Running()(prepare_watermarks, WatermarksRequest(JOB_ID, list(watermarks), acquired, track))


async def pictures(track: VideoTrack, marks: list[Mark], start: float = 0.0) -> dict[str, list[Image.Image]]:
    """Every picture of each rendition."""
    encoded = await Running()(encode_chunk, ChunkRequest(JOB_ID, track, PLAN, Chunk(0, start), marks))
    found = {}
    for rung in RUNGS:
        size, raw = (
            (rung.width, rung.height),
            decoded(workspace(JOB_ID) / encoded.paths[rung.name], "-pix_fmt", "rgb24", "-f", "rawvideo"),
        )
        step = rung.width * rung.height * 3
        found[rung.name] = [Image.frombytes("RGB", size, raw[at : at + step]) for at in range(0, len(raw), step)]
    return found


def at(picture: Image.Image, x: float, y: float) -> Pixel:
    """The colour at a place in percent."""
    color = picture.getpixel((round(picture.width * x / 100), round(picture.height * y / 100)))
    assert isinstance(color, tuple)
    return color


def near(color: Pixel) -> Any:
    return pytest.approx(color, abs=14)


async def test_a_mark_lies_at_its_place_in_every_rendition(black: VideoTrack, tmp_path: Path) -> None:
    marks = await prepared(black, [image(tmp_path / "m.png")], watermark("m.png"))
    for shown in (await pictures(black, marks)).values():
        for inside in ((52, 53), (68, 80)):
            assert at(shown[30], *inside) == near((255, 0, 0))
        for outside in ((48, 60), (72, 60), (60, 47), (60, 88)):
            assert at(shown[30], *outside) == near(BLACK)


async def test_a_mark_fades_in_and_out_by_the_clock_of_the_film(black: VideoTrack, tmp_path: Path) -> None:
    fields = {"StartTime": "00:00:00.4", "EndTime": 1.6, "FadeInDurationInMs": 400, "FadeOutDurationInMs": 400}
    marks = await prepared(black, [image(tmp_path / "m.png")], watermark("m.png", **fields))
    for start in (0.0, 1.0):
        shown = (await pictures(black, marks, start))["large"]
        reds = {0.2: 0, 0.6: 128, 1.12: 255, 1.4: 128, 1.64: 0}
        for time, red in reds.items():
            if time >= start:
                assert at(shown[round((time - start) * 25)], 60, 60)[0] == pytest.approx(red, abs=20), (start, time)


async def test_opacity_and_the_image_s_own_transparency_add_up(black: VideoTrack, tmp_path: Path) -> None:
    files = [image(tmp_path / "half.png", (255, 255, 255, 128)), image(tmp_path / "full.jpg", WHITE)]
    marks = await prepared(
        black,
        files,
        watermark("half.png", PositionXPercentage=0, OpacityPercentage=50),
        watermark("full.jpg", PositionXPercentage=100, OpacityPercentage=50),
    )
    (shown, *_) = (await pictures(black, marks))["large"]
    assert at(shown, 10, 60) == near((64, 64, 64))
    assert at(shown, 90, 60) == near((128, 128, 128))
    assert at(shown, 99, 60) == near((128, 128, 128))


async def test_twenty_marks_at_once_and_one_that_fills_the_picture(black: VideoTrack, tmp_path: Path) -> None:
    many = [watermark("m.png", PositionXPercentage=5 * n, SizePercentage=4, PositionYPercentage=0) for n in range(20)]
    large = [watermark("wide.png", SizePercentage=100, PositionXPercentage=100, PositionYPercentage=100)]
    files = [image(tmp_path / "m.png"), image(tmp_path / "wide.png", (0, 0, 255, 255), (1000, 100))]
    (shown, *_) = (await pictures(black, await prepared(black, files, *large, *many[:-1])))["large"]
    assert [at(shown, 5 * n + 2, 3) == near((255, 0, 0)) for n in range(20)] == [True] * 19 + [False]
    assert at(shown, 1, 95) == near((0, 0, 255))
    assert at(shown, 99, 98) == near((0, 0, 255))


async def test_of_an_animation_the_first_picture_is_taken(black: VideoTrack, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (32, 32), color) for color in ("lime", "red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100)
    shown = (await pictures(black, await prepared(black, [tmp_path / "a.gif"], watermark("a.gif"))))["large"]
    assert {at(picture, 60, 60) == near((0, 255, 0)) for picture in shown} == {True}


async def test_a_mark_keeps_its_shape_where_pixels_are_not_square(black: VideoTrack, tmp_path: Path) -> None:
    wide = replace(black, width=640)
    (mark,) = await prepared(wide, [image(tmp_path / "m.png")], watermark("m.png"))
    assert (mark.width, mark.height) == (128, 128)
    (shown, *_) = (await pictures(wide, [mark]))["large"]
    assert at(shown, 69, 60) == near((255, 0, 0))
    assert at(shown, 71, 60) == near(BLACK)


def bomb(path: Path) -> Path:
    """A PNG of 20000x20000 pixels in a few bytes."""
    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 6, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    made = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(made))
    return path


def cut(path: Path) -> Path:
    noise = Image.effect_noise((200, 200), 80)
    noise.save(path)
    path.write_bytes(path.read_bytes()[:9000])
    return path


def playlist(path: Path) -> Path:
    path.write_text("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n")
    return path


@pytest.mark.parametrize(
    ("make", "why"),
    [(bomb, "25 million pixels"), (cut, "damaged"), (playlist, "is not an image"), (Path.touch, "is not")],
)
async def test_what_is_no_usable_image_is_named(make: Any, why: str, black: VideoTrack, tmp_path: Path) -> None:
    make(tmp_path / "m.png")
    with pytest.raises(AcquisitionError, match=f"'m.png' .*{why}"):
        await prepared(black, [tmp_path / "m.png"], watermark("m.png"))


async def test_an_image_is_read_by_a_tool_that_takes_no_more_than_it_may(
    black: VideoTrack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [image(tmp_path / "small.png"), image(tmp_path / "m.png", size=(2000, 2000))]
    monkeypatch.setenv("ENCODING_TOOL_MEMORY_MB", "20")
    with pytest.raises(AcquisitionError, match=r"'m\.png' needs more memory .* ENCODING_TOOL_MEMORY_MB") as caught:
        await prepared(black, files, watermark("small.png"), watermark("m.png"))
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("image", "percent", "size"),
    [((100, 50), 20, (64, 32)), ((50, 500), 100, (18, 180)), ((4000, 1), 10, (32, 1)), ((1, 1), 1, (3, 3))],
)
def test_a_mark_never_leaves_the_picture(image: tuple[int, int], percent: float, size: tuple[int, int]) -> None:
    assert placed_size(image, (320, 180), percent) == size


@pytest.mark.parametrize(("text", "seconds"), [("00:23:55", 1435), ("1:00:00.25", 3600.25), (7.5, 7.5), (None, None)])
def test_times_are_clocks_or_seconds(text: Any, seconds: float | None) -> None:
    assert watermark("m.png", EndTime=text).end_time == seconds


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("StartTime", "ten"),
        ("StartTime", "00:61:00"),
        ("StartTime", -1),
        ("PositionXPercentage", 101),
        ("SizePercentage", 0),
        ("OpacityPercentage", -1),
        ("FadeInDurationInMs", -1),
        ("WatermarkFileName", ""),
    ],
)
def test_values_out_of_range_name_the_field(field: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=field):
        watermark("m.png", **{field: value})


def test_a_mark_ends_after_it_starts_and_there_are_at_most_twenty() -> None:
    with pytest.raises(ValidationError, match="EndTime must be later"):
        watermark("m.png", StartTime=5, EndTime=5)
    with pytest.raises(ValidationError, match="at most 20"):
        ContentProcessing(visible_video_watermarks=[watermark("m.png")] * 21)
