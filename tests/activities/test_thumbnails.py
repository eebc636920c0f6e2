"""Thumbnails: sheets of images and the tracks in both manifests."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from PIL import Image
from pydantic import ValidationError

from activities.cuts import Chunk
from activities.errors import EncodingError
from activities.media.manifests import Tiles
from activities.package import PackagedFormat, PackageRequest, package
from activities.plan import Plan, VideoRendition
from activities.processing import OutputFormat
from activities.thumbnails import Thumbnails, ThumbnailsRequest, layout, make_thumbnails
from activities.workspace import workspace
from tests.activities.running import JOB_ID, Running
from tests.clips import Clips, _run

DASH = {"d": "urn:mpeg:dash:schema:mpd:2011"}
RUNGS = [VideoRendition("small", 160, 90, 100), VideoRendition("large", 320, 180, 300)]
PLAN = Plan(RUNGS, [], [Chunk(0)], duration=26)


@pytest.fixture
def fading(root: Path) -> dict[str, str]:
    """26 seconds from black to white, a key frame every two, in both renditions."""
    assert root.is_dir()
    paths = {}
    for rung in RUNGS:
        paths[rung.name] = f"{rung.name}.mp4"
        picture = f"color=white:size={rung.width}x{rung.height}:rate=25:duration=26,fade=duration=26"
        target = str(workspace(JOB_ID) / paths[rung.name])
        _run(
            "-f",
            "lavfi",
            "-i",
            picture,
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-pix_fmt",
            "yuv420p",
            "-g",
            "50",
            target,
        )
    return paths


async def made(video: dict[str, str], formats: list[OutputFormat], **fields: Any) -> list[PackagedFormat]:
    packaged = await Running()(package, PackageRequest(JOB_ID, PLAN, formats, video))
    section = Thumbnails.model_validate({"Generate": True} | fields)
    request = ThumbnailsRequest(JOB_ID, section, PLAN, video, packaged.formats)
    first = await Running()(make_thumbnails, request)
    assert await Running()(make_thumbnails, request) == first  # a retry changes nothing
    return first


def output(name: str) -> Path:
    return workspace(JOB_ID) / "with-thumbnails-1-0" / "output-1-0" / name


def greys(sheet: Path, columns: int, rows: int) -> list[int]:
    """Brightness of each image of a sheet."""
    with Image.open(sheet) as image:
        small = image.convert("L").resize((columns, rows), Image.Resampling.BOX)
    return list(small.tobytes())


async def test_each_image_shows_its_moment(fading: dict[str, str]) -> None:
    (cmaf,) = await made(fading, ["Cmaf"], Width=64, Height=36, DurationInSeconds=1)
    assert [name for name in cmaf.files if name.endswith(".jpg")] == ["thumbnails/1.jpg", "thumbnails/2.jpg"]
    first, second = (greys(output(f"thumbnails/{n}.jpg"), 5, 5) for n in (1, 2))
    assert first == pytest.approx([round(255 * second / 26) for second in range(25)], abs=6)
    assert second == pytest.approx([245, *[0] * 24], abs=6)


async def test_of_key_frames_the_last_one_is_taken(fading: dict[str, str]) -> None:
    await made(fading, ["Dash"], Width=64, DurationInSeconds=5)
    assert greys(output("thumbnails/1.jpg"), 5, 2) == pytest.approx([0, 39, 98, 137, 196, 235, *[0] * 4], abs=6)


async def test_both_manifests_tell_of_the_sheets(fading: dict[str, str]) -> None:
    dash, hls = await made(fading, ["Dash", "Hls"], Width=64, DurationInSeconds=1, BandwidthInKbps=500)
    document = ET.parse(output("dash/manifest.mpd")).getroot()  # noqa: S314 - made by ourselves
    (images,) = document.findall(".//d:AdaptationSet[@contentType='image']", DASH)
    template, representation = images.find("d:SegmentTemplate", DASH), images.find("d:Representation", DASH)
    assert template is not None
    assert representation is not None
    assert template.attrib | {} == {
        "media": "thumbnails/$Number$.jpg",
        "timescale": "1000",
        "duration": "25000",
        "startNumber": "1",
    }
    assert representation.attrib == {"id": "thumbnails", "bandwidth": "500000", "width": "320", "height": "180"}
    assert [each.get("value") for each in representation] == ["5x5"]
    master = output("hls/manifest.m3u8").read_text()
    line = '#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=500000,RESOLUTION=64x36,CODECS="jpeg",URI="thumbnails.m3u8"'
    assert master.splitlines().count(line) == 1
    playlist = output("hls/thumbnails.m3u8").read_text()
    assert re.findall(r"#EXTINF:(.*),\n(.*)\n(.*)", playlist) == [
        ("25.000", "#EXT-X-TILES:RESOLUTION=64x36,LAYOUT=5x5,DURATION=1", "thumbnails/1.jpg"),
        ("1.000", "#EXT-X-TILES:RESOLUTION=64x36,LAYOUT=5x5,DURATION=1", "thumbnails/2.jpg"),
    ]
    assert dash.manifests == ["dash/manifest.mpd"]
    assert hls.manifests[0] == "hls/thumbnails.m3u8"
    listed = [*dash.files, *dash.manifests, *hls.files, *hls.manifests]
    assert sorted(listed) == sorted(str(p.relative_to(output(""))) for p in output("").rglob("*") if p.is_file())


async def test_the_bandwidth_is_kept_to(root: Path, clip: Clips) -> None:
    assert root.is_dir()
    workspace(JOB_ID)
    source = clip(seconds=4, audio=None)
    (workspace(JOB_ID) / "large.mp4").write_bytes(source.read_bytes())
    plan, video = Plan([RUNGS[1]], duration=4), {"large": "large.mp4"}
    packaged = await Running()(package, PackageRequest(JOB_ID, plan, ["Dash"], video))
    sizes = []
    for limit in (None, 20):
        section = Thumbnails(generate=True, width=160, duration_in_seconds=1, bandwidth_in_kbps=limit)
        await Running()(make_thumbnails, ThumbnailsRequest(JOB_ID, section, plan, video, packaged.formats))
        [newest] = workspace(JOB_ID).glob("thumbnails-1-*/1.jpg")
        sizes.append(newest.stat().st_size)
        shutil.rmtree(newest.parent)
    assert sizes[1] * 8 / 4 <= 20_000 < sizes[0] * 8 / 4


async def test_without_a_picture_there_are_none(root: Path) -> None:
    assert root.is_dir()
    with pytest.raises(EncodingError, match="no picture"):
        await Running()(make_thumbnails, ThumbnailsRequest(JOB_ID, Thumbnails(generate=True), Plan()))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (240, 136, 3, 1)),
        ({"width": 160}, (160, 90, 3, 1)),
        ({"height": 64}, (114, 64, 3, 1)),
        ({"width": 64, "height": 64, "duration_in_seconds": 0.5}, (64, 64, 5, 5)),
        ({"width": 640, "duration_in_seconds": 1}, (640, 360, 1, 3)),
        ({"duration_in_seconds": 100}, (240, 136, 1, 1)),
    ],
)
def test_sheets_are_no_larger_than_they_need_to_be(fields: Any, expected: tuple[int, ...]) -> None:
    made = layout(Thumbnails(**fields), PLAN)
    assert (made.width, made.height, made.columns, made.rows) == expected


def test_a_tall_picture_has_tall_thumbnails() -> None:
    made = layout(Thumbnails(), replace(PLAN, video=[VideoRendition("a", 720, 1280, 1)]))
    assert (made.width, made.height) == (136, 240)


def test_a_duration_that_the_interval_divides_needs_no_image_more() -> None:
    assert Tiles("t", 16, 16, 5, 5, 0.1, 2.5, 1).sheets == 1


@pytest.mark.parametrize("field", ["Width", "Height", "DurationInSeconds", "BandwidthInKbps"])
def test_values_out_of_range_name_the_field(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        Thumbnails.model_validate({"Generate": True, field: 0})
