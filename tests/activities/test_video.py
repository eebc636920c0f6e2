"""From a job's fields to pictures: codec, range of brightness, fields, shapes, times and sizes."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg
import imageio_ffmpeg
import pytest

from activities.encode import ChunkRequest, encode_chunk
from activities.media.color import HLG, PQ, tone_mapped
from activities.plan import PlanRequest, plan
from activities.processing import ContentProcessing
from activities.tracks import Mapped
from activities.workspace import workspace
from tests.activities.reading import decoded, frames, streams
from tests.activities.running import JOB_ID, Running
from tests.activities.tracks import in_workspace, video_track
from tests.clips import Clips, _run

pytestmark = pytest.mark.usefixtures("root")
ONE = [{"BitrateInKbps": 300}]
TWO = [{"Height": 90, "BitrateInKbps": 100}, {"Height": 180, "BitrateInKbps": 300}]


async def encoded(source: Path, rungs: list[dict[str, int]] | None = None, **fields: Any) -> list[Path]:
    """The files of all renditions, smallest first."""
    track = await video_track(source, in_workspace(source))
    section = {"OptimizeFor": "Speed", "VideoRepresentations": rungs or ONE, **fields}
    processing = ContentProcessing.model_validate(section)
    made = await Running()(plan, PlanRequest(JOB_ID, Mapped(track), processing))
    chunk = await Running()(encode_chunk, ChunkRequest(JOB_ID, track, made, made.chunks[0]))
    return [workspace(JOB_ID) / chunk.paths[rendition.name] for rendition in made.video]


def shape(file: Path) -> tuple[int, int, str]:
    (stream,) = streams(file)
    return stream["width"], stream["height"], stream["sample_aspect_ratio"]


async def test_h265_has_the_key_frames_of_h264(clip: Clips) -> None:
    small, large = await encoded(clip(seconds=5, fps="24000/1001"), TWO, VideoFormat="H265")
    found = frames(small)
    assert found == frames(large)
    assert len(found.times) == 120
    assert found.keys == pytest.approx([0, 2.002, 4.004], abs=0.001)
    (stream,) = streams(large)
    assert [stream[key] for key in ("codec_name", "codec_tag_string", "profile")] == ["hevc", "hvc1", "Main"]


def hdr_clip(path: Path, transfer: str = PQ) -> Path:
    """A grey of 100 nits in PQ on the left, of 1000 on the right, as a disc for 1000 nits was mastered."""
    tags = f"setparams=color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc:range=tv"
    grey = "geq=lum='if(lt(X,W/2),509,723)':cb=512:cr=512"
    picture = f"color=size=320x180:rate=10:duration=1,format=yuv420p10,{grey},{tags}"
    mastered = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400"
    command = ["-f", "lavfi", "-i", picture, "-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1"]
    command += ["-x265-params", f"log-level=error:hdr10=1:{mastered}"]
    _run(*command, str(path), program=imageio_ffmpeg.get_ffmpeg_exe())
    return path


def lumas(file: Path, *places: tuple[int, int], width: int = 320) -> list[int]:
    plane = decoded(file, "-frames:v", "1", "-pix_fmt", "yuv420p", "-f", "rawvideo")
    return [plane[y * width + x] for x, y in places]


async def test_hdr10_is_kept_with_what_is_known_of_its_mastering(tmp_path: Path) -> None:
    (made,) = await encoded(hdr_clip(tmp_path / "hdr.mp4"), VideoFormat="H265", ExtractAndApplyHDR=True)
    (stream,) = streams(made)
    color = [stream[key] for key in ("pix_fmt", "color_primaries", "color_transfer", "color_space")]
    assert color == ["yuv420p10le", "bt2020", "smpte2084", "bt2020nc"]
    mastering, light = stream["side_data_list"]
    assert Fraction(mastering["max_luminance"]) == 1000
    assert Fraction(mastering["red_x"]) == Fraction("0.68")
    assert (light["max_content"], light["max_average"]) == (1000, 400)


@pytest.mark.parametrize(("codec", "pixels"), [("H264", "yuv420p"), ("H265", "yuv420p10le")])
async def test_other_renditions_of_hdr_have_the_standard_range(codec: str, pixels: str, tmp_path: Path) -> None:
    (made,) = await encoded(hdr_clip(tmp_path / "hdr.mp4"), VideoFormat=codec)
    (stream,) = streams(made)
    color = [stream[key] for key in ("pix_fmt", "color_primaries", "color_transfer", "color_space")]
    assert color == [pixels, "bt709", "bt709", "bt709"]
    assert "side_data_list" not in stream
    # Half of the light of white, and nearly white.
    assert lumas(made, (80, 90), (240, 90)) == pytest.approx([180, 227], abs=2)


@pytest.mark.parametrize(("transfer", "brightest"), [(PQ, 235), (HLG, 227)])
def test_brighter_stays_brighter_and_grey_stays_grey(transfer: str, brightest: int, tmp_path: Path) -> None:
    ramp = "color=size=256x2:duration=0.04,format=yuv420p10,geq=lum='64+876*X/255':cb=512:cr=512"
    tags = f"setparams=color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc:range=tv"
    picture = tone_mapped(ffmpeg.input(f"{ramp},{tags}", f="lavfi")["v"], transfer)
    output = tmp_path / "ramp.yuv"
    _run(*ffmpeg.output(picture.filter("format", "yuv444p"), str(output), format="rawvideo").compile()[1:])
    plane = output.read_bytes()
    luma, chroma = [*plane[:256]], plane[512:]
    assert luma == sorted(luma)
    assert (luma[0], luma[255]) == (16, brightest)
    assert all(abs(value - 128) <= 1 for value in chroma)


@pytest.mark.parametrize("codec", ["mpeg2video", "libx264"])
async def test_fields_become_full_frames(codec: str, tmp_path: Path) -> None:
    source = tmp_path / "fields.ts"
    # A bar that moves between the two fields of a frame: as it is, its edge would be a comb.
    bar = "color=gray:size=320x180:rate=50:duration=2,geq=lum='if(between(X,10+6*N,60+6*N),235,16)':cb=128:cr=128"
    woven = f"{bar},interlace=scan=tff:lowpass=off,setfield=tff"
    options = ["-c:v", codec, "-b:v", "4M", "-flags", "+ildct+ilme", "-field_order", "tt"]
    _run("-f", "lavfi", "-i", woven, *options, str(source))
    assert (await video_track(source)).interlaced
    (made,) = await encoded(source)
    assert frames(made).times == pytest.approx([n / 25 for n in range(50)], abs=0.001)
    assert (combs(source), combs(made)) == (True, False)


def combs(file: Path) -> bool:
    """Whether a line of the tenth picture differs much from those above and below it, which are alike."""
    plane = decoded(file, "-vf", "select=eq(n\\,10)", "-frames:v", "1", "-pix_fmt", "gray", "-f", "rawvideo")
    rows = [plane[start : start + 320] for start in range(0, len(plane), 320)]
    above, line, below = rows[89:92]
    return any(abs(a - c) < 20 and abs(a - b) > 80 for a, b, c in zip(above, line, below, strict=True))


@pytest.mark.parametrize("rate", ["30000/1001", "60000/1001", "240", "1"])
async def test_every_frame_keeps_its_time(rate: str, clip: Clips) -> None:
    seconds = 3 if rate == "1" else 1
    (made,) = await encoded(clip(seconds=seconds, fps=rate, size="64x64", audio=None))
    count = round(seconds * Fraction(rate))
    assert frames(made).times == pytest.approx([float(n / Fraction(rate)) for n in range(count)], abs=0.001)


async def test_a_single_picture_is_a_film(clip: Clips) -> None:
    (made,) = await encoded(clip(seconds=0.03, size="64x64", audio=None))
    assert frames(made).times == [0]


async def test_a_gap_stays(clip: Clips, tmp_path: Path) -> None:
    source = tmp_path / "gap.mkv"
    _run(
        "-i",
        str(clip(seconds=4, audio=None)),
        "-c",
        "copy",
        "-bsf:v",
        "noise=drop='between(pts*tb,0.99,1.97)'",
        str(source),
    )
    (made,) = await encoded(source)
    assert frames(made).times == pytest.approx([n / 25 for n in range(100) if not 25 <= n < 50], abs=0.001)


async def test_pictures_before_the_start_are_not_shown(clip: Clips, tmp_path: Path) -> None:
    source = tmp_path / "early.mp4"
    early = ["-output_ts_offset", "-1", "-avoid_negative_ts", "disabled"]
    _run("-i", str(clip(seconds=4, audio=None)), "-c", "copy", *early, str(source))
    (made,) = await encoded(source)
    assert frames(made).times == pytest.approx([n / 25 for n in range(75)], abs=0.001)
