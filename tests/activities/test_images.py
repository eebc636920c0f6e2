import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError

from activities.cleanup import CleanUpRequest, clean_up
from activities.errors import EncodingError
from activities.images import ImageExtraction, Images, ImagesRequest, extract_images
from activities.tracks import VideoTrack
from activities.workspace import workspace
from tests.activities.reading import decoded, streams
from tests.activities.running import JOB_ID, Running, location
from tests.activities.tracks import in_workspace, video_track
from tests.clips import Clips, _run, truncated


async def extracted(root: Path, track: VideoTrack, **fields: Any) -> Images:
    request = ImagesRequest(JOB_ID, track, ImageExtraction.model_validate(fields), location(root / "out"))
    return await Running()(extract_images, request)


async def located(source: Path) -> VideoTrack:
    return await video_track(source, in_workspace(source))


def brightness(image: Path) -> int:
    """Of the picture as one grey pixel."""
    return decoded(image, "-vf", "scale=1:1:flags=area,format=gray", "-f", "rawvideo")[0]


@pytest.fixture
async def fade(root: Path, tmp_path: Path) -> VideoTrack:
    """Ten seconds from black to white."""
    assert root.is_dir()
    source = tmp_path / "fade.mp4"
    picture = "color=white:size=320x180:rate=25:duration=10,fade=duration=10"
    _run("-f", "lavfi", "-i", picture, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", str(source))
    return await located(source)


async def test_images_are_of_the_asked_moments(root: Path, fade: VideoTrack) -> None:
    images = await extracted(root, fade, Intervals=[0, 25, 50.5, 100])
    assert images == Images("images", [f"preview_{n}.jpg" for n in (1, 2, 3, 4)])
    grey = [brightness(root / "out/images" / name) for name in images.names]
    assert grey == pytest.approx([0, 64, 129, 254], abs=10)
    (stream,) = streams(root / "out/images/preview_1.jpg")
    assert (stream["codec_name"], stream["width"], stream["height"]) == ("mjpeg", 320, 180)


@pytest.mark.usefixtures("fade")
@pytest.mark.parametrize(("late", "moments"), [(4, [0, 25, 64.3, 100]), (10, [0, 45, 75, 100])])
async def test_moments_are_of_the_film_where_its_picture_is_late(
    late: int, moments: list[float], root: Path, tmp_path: Path
) -> None:
    source = tmp_path / "late.mkv"
    sound = ["-f", "lavfi", "-i", f"sine=duration={10 + late}"]
    picture = ["-itsoffset", str(late), "-i", str(tmp_path / "fade.mp4")]
    _run(*picture, *sound, "-map", "0:v", "-map", "1:a", "-c:v", "copy", str(source))
    track = await located(source)
    assert track.end == pytest.approx(10 + late, abs=0.1)
    images = await extracted(root, track, Intervals=moments)
    grey = [brightness(root / "out/images" / name) for name in images.names]
    assert grey == pytest.approx([0, 0, 128, 254], abs=10)


async def test_the_last_picture_is_found_where_sound_goes_on(root: Path, clip: Clips, tmp_path: Path) -> None:
    assert root.is_dir()
    source = tmp_path / "long.mkv"
    inputs = ["-i", str(clip(audio=None)), "-i", str(clip(seconds=6)), "-map", "0:v", "-map", "1:a"]
    _run(*inputs, "-c", "copy", str(source))
    track = replace(await located(source), duration=6.0)
    images = await extracted(root, track, Intervals=[50, 100])
    contents = [(root / "out/images" / name).read_bytes() for name in images.names]
    assert contents[0] == contents[1]
    assert contents[0].startswith(b"\xff\xd8\xff")


@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
async def test_every_container_has_a_last_picture(container: str, root: Path, clip: Clips, tmp_path: Path) -> None:
    assert root.is_dir()
    source = tmp_path / f"movie.{container}"
    _run("-i", str(clip(seconds=4)), "-c", "copy", str(source))
    images = await extracted(root, await located(source), Intervals=[100])
    assert (root / "out/images" / images.names[0]).stat().st_size > 1000


async def test_better_quality_is_more_bytes(root: Path, clip: Clips) -> None:
    track, sizes = await located(clip()), []
    for quality in (1, 50, 100):
        await extracted(root, track, Intervals=[50], Quality=quality)
        sizes.append((root / "out/images/preview_1.jpg").stat().st_size)
    assert sizes == sorted(set(sizes))


async def test_a_place_of_their_own(root: Path, clip: Clips) -> None:
    place = location(root / "stills").to_json_object()
    images = await extracted(
        root, await located(clip()), Intervals=[50], Pattern='it\'s "%" -d, ü.jpeg'.replace('"', ""), Location=place
    )
    assert images == Images("", ["it's 1 -d, ü.jpeg"])
    assert (root / "stills" / images.names[0]).is_file()
    assert not (root / "out").exists()


@pytest.mark.parametrize("is_replaced", [False, True])
async def test_those_of_a_job_that_fails_are_withdrawn_unless_another_has_replaced_them(
    root: Path, clip: Clips, *, is_replaced: bool
) -> None:
    track, section = await located(clip()), ImageExtraction.model_validate({"Intervals": [50, 60]})
    request = ImagesRequest(JOB_ID, track, section, location(root / "out"))
    await Running()(extract_images, request)
    (root / "out/images/other.jpg").touch()
    if is_replaced:
        other = str(uuid4())
        shutil.copytree(workspace(JOB_ID), workspace(other), dirs_exist_ok=True)
        await Running()(extract_images, replace(request, job_id=other))
    await Running()(clean_up, CleanUpRequest(JOB_ID, request.publishing, images=replace(request, video=None)))
    left = {"preview_1.jpg", "preview_2.jpg"} if is_replaced else set()
    assert {path.name for path in (root / "out/images").iterdir()} == left | {"other.jpg"}


async def test_a_turned_picture_is_upright(root: Path, clip: Clips, tmp_path: Path) -> None:
    source = tmp_path / "turned.mp4"
    _run("-display_rotation", "90", "-i", str(clip()), "-c", "copy", str(source))
    await extracted(root, await located(source), Intervals=[50])
    (stream,) = streams(root / "out/images/preview_1.jpg")
    assert (stream["width"], stream["height"]) == (180, 320)


async def test_a_moment_that_cannot_be_decoded_is_named(root: Path, clip: Clips) -> None:
    source = truncated(clip(seconds=6))
    track = await located(source)
    track = replace(track, index=track.index + 5)
    with pytest.raises(EncodingError, match=source.name):
        await extracted(root, track, Intervals=[50])


async def test_a_location_that_takes_nothing_is_told(read_only: Path, root: Path, clip: Clips) -> None:
    place = location(read_only / "stills").to_json_object()
    with pytest.raises(EncodingError):
        await extracted(root, await located(clip()), Intervals=[50], Location=place)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Quality", 0),
        ("Quality", 101),
        ("Intervals", []),
        ("Intervals", [101]),
        ("Intervals", [-1]),
        ("Intervals", [1] * 101),
        ("Pattern", "still.jpg"),
        ("Pattern", "%_%.jpg"),
        ("Pattern", "../%.jpg"),
        ("Pattern", "a/%.jpg"),
        ("Pattern", "a\\%.jpg"),
        ("Pattern", "a\n%.jpg"),
        ("Pattern", "%.png"),
        ("Pattern", ".%.jpg"),
        ("Pattern", "%" + "a" * 100 + ".jpg"),
        ("Pattern", "%" + "漢" * 90 + ".jpg"),
    ],
)
def test_values_out_of_range_name_the_field(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        ImageExtraction.model_validate({"Intervals": [50]} | {field: value})
    assert {error["loc"][0] for error in caught.value.errors()} == {field}


def test_intervals_are_required() -> None:
    with pytest.raises(ValidationError, match="Intervals"):
        ImageExtraction.model_validate({})


async def test_sound_alone_has_no_images(root: Path) -> None:
    request = ImagesRequest(JOB_ID, None, ImageExtraction(intervals=[50]), location(root / "out"))
    with pytest.raises(EncodingError, match="no picture"):
        await Running()(extract_images, request)


async def test_moving_lines_of_an_interlaced_picture_do_not_show(root: Path, tmp_path: Path) -> None:
    assert root.is_dir()
    source = tmp_path / "interlaced.mp4"
    moving = "color=black:size=320x180:rate=50:duration=1,geq=lum='255*lt(mod(X-N*8,64),32)':cb=128:cr=128,interlace"
    coding = ["-c:v", "libx264", "-preset", "ultrafast", "-flags", "+ilme+ildct", "-pix_fmt", "yuv420p"]
    _run("-f", "lavfi", "-i", moving, *coding, str(source))
    await extracted(root, await located(source), Intervals=[50], Quality=100)
    grey = decoded(root / "out/images/preview_1.jpg", "-vf", "format=gray", "-f", "rawvideo")
    combs = [
        sum(abs(grey[320 * y + x] - grey[320 * (y + 1) + x]) for y in range(40, 140)) / 100 for x in range(0, 320, 4)
    ]
    assert max(combs) < 60
