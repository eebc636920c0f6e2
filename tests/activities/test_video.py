"""From a job's fields to pictures: codec, range of brightness, fields, shapes, times and sizes."""

import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import ffmpeg
import imageio_ffmpeg
import pytest
from temporalio.testing import ActivityEnvironment

from activities.cuts import Chunk
from activities.encode import ChunkRequest, encode_chunk
from activities.media.color import HLG, PQ, tone_mapped
from activities.media.command import image_command, thumbnails_command
from activities.media.ffmpeg import run_ffmpeg
from activities.media.marks import Mark
from activities.package import PackageRequest, package
from activities.plan import Plan, PlanRequest, plan
from activities.processing import ContentProcessing
from activities.thumbnails import Thumbnails, layout
from activities.tracks import Mapped
from activities.workspace import workspace
from tests.activities.reading import _probed as probed
from tests.activities.reading import decoded, frames, streams
from tests.activities.running import JOB_ID, Running
from tests.activities.tracks import in_workspace, video_track
from tests.clips import Clips, _run
from tests.integration.players import decoded_tracks

pytestmark = pytest.mark.usefixtures("root")
ONE = [{"BitrateInKbps": 300}]
TWO = [{"Height": 90, "BitrateInKbps": 100}, {"Height": 180, "BitrateInKbps": 300}]


async def planned_and_encoded(source: Path, marks: Sequence[Mark] = (), **fields: Any) -> tuple[Plan, dict[str, str]]:
    track = await video_track(source, in_workspace(source))
    processing = ContentProcessing.model_validate({"OptimizeFor": "Speed", "VideoRepresentations": ONE, **fields})
    made = await Running()(plan, PlanRequest(JOB_ID, Mapped(track), processing))
    chunk = await Running()(encode_chunk, ChunkRequest(JOB_ID, track, made, Chunk(0), [*marks]))
    return made, chunk.paths


async def encoded(source: Path, rungs: list[dict[str, int]] | None = None, **fields: Any) -> list[Path]:
    """The files of all renditions, smallest first."""
    made, files = await planned_and_encoded(source, VideoRepresentations=rungs or ONE, **fields)
    return [workspace(JOB_ID) / files[rendition.name] for rendition in made.video]


def shape(file: Path) -> tuple[int, int, str]:
    (stream,) = streams(file)
    return stream["width"], stream["height"], stream["sample_aspect_ratio"]


async def test_h265_has_the_key_frames_of_h264(clip: Clips) -> None:
    small, large = await encoded(clip(seconds=5, fps="24000/1001"), TWO, VideoFormat="H265")
    found = frames(small)
    assert found == frames(large)
    assert len(found.times) == 120
    assert found.keys == pytest.approx([0, 4.004], abs=0.001)
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


async def test_players_are_told_of_h265_and_its_range(tmp_path: Path) -> None:
    source = hdr_clip(tmp_path / "hdr.mp4")
    made, files = await planned_and_encoded(source, VideoFormat="H265", ExtractAndApplyHDR=True)
    packaged = await Running()(package, PackageRequest(JOB_ID, made, ["Cmaf"], files))
    folder = workspace(JOB_ID) / "output-1-0"
    assert packaged.renditions[0].codec == "H265"
    assert re.search(r'CODECS="hvc1\.2\.4\..*VIDEO-RANGE=PQ', (folder / "manifest.m3u8").read_text())
    mpd = (folder / "manifest.mpd").read_text()
    assert re.search(r'TransferCharacteristics" value="16".*codecs="hvc1', mpd, re.DOTALL)
    assert [(track.height, track.frames) for track in decoded_tracks(str(folder / "manifest.m3u8"))] == [(180, 10)]


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


async def test_marks_do_not_blind_on_hdr_and_stills_of_it_have_the_standard_range(tmp_path: Path) -> None:
    source, pixels = hdr_clip(tmp_path / "hdr.mp4"), workspace(JOB_ID) / "white.rgba"
    pixels.write_bytes(bytes([255]) * 32 * 32 * 4)
    hdr = {"VideoFormat": "H265", "ExtractAndApplyHDR": True}
    made, files = await planned_and_encoded(source, [Mark("white.rgba", 32, 32, 0, 0)], **hdr)
    # 203 nits are 58 percent of the signal.
    assert lumas(workspace(JOB_ID) / files[made.video[0].name], (16, 16)) == pytest.approx([16 + 0.58 * 219], abs=3)
    still = tmp_path / "still.jpg"
    _run(*image_command(source, await video_track(source), 0, 100, still)[1:])
    # JPEG uses all of 0 to 255.
    assert lumas(still, (80, 90), (240, 90)) == pytest.approx([191, 246], abs=3)


async def test_thumbnails_of_hdr_have_the_standard_range(tmp_path: Path) -> None:
    hdr = {"VideoFormat": "H265", "ExtractAndApplyHDR": True}
    made, files = await planned_and_encoded(hdr_clip(tmp_path / "hdr.mp4"), (), **hdr)
    section = Thumbnails(generate=True, width=320, height=180, duration_in_seconds=1)
    [rendition] = (workspace(JOB_ID) / file for file in files.values())
    command = thumbnails_command(
        rendition, layout(section, made), 2, tmp_path / "%d.jpg", only_keys=False, hdr=made.hdr
    )
    await ActivityEnvironment().run(run_ffmpeg, command, "the film")
    # As in stills.
    assert lumas(tmp_path / "1.jpg", (80, 90), (240, 90)) == pytest.approx([191, 246], abs=4)


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


async def test_pixels_that_are_not_square_and_bars(clip: Clips, tmp_path: Path) -> None:
    source = tmp_path / "wide.mp4"
    _run(
        "-i",
        str(clip(size="320x180", audio=None)),
        "-c",
        "copy",
        "-aspect",
        "64:27",
        str(source),
    )
    assert shape((await encoded(source))[0]) == (426, 180, "1:1")
    assert shape((await encoded(source, ForcePixelAspectRatioTo1=False))[0]) == (320, 180, "4:3")
    (barred,) = await encoded(source, ForceAspectRatioToStandard=True)
    assert shape(barred) == (426, 240, "1:1")
    assert lumas(barred, (213, 10), (213, 229), width=426) == [16, 16]
    assert max(lumas(barred, *((x, 40) for x in range(426)), width=426)) > 100


@pytest.mark.parametrize("codec", ["H264", "H265"])
async def test_bitrates_are_as_asked_and_peaks_within_the_buffer(codec: str, clip: Clips, tmp_path: Path) -> None:
    # Noise over a moving picture: there is always something left to spend bits on.
    plain, source = clip(seconds=10, size="160x90", audio=None), tmp_path / "noisy.mp4"
    _run("-i", str(plain), "-vf", "noise=alls=12:allf=t", "-c:v", "libx264", "-preset", "ultrafast", str(source))
    (made,) = await encoded(source, [{"BitrateInKbps": 200}], VideoFormat=codec)
    sizes = packet_sizes(made)
    assert sum(sizes) * 8 / 1000 / 10 == pytest.approx(200, rel=0.1)
    # A buffer of two seconds, full at first, that is filled at 1.5 times the bitrate and never runs empty.
    full, fill = 400_000.0, 300_000 / 25
    level = list(accumulate(sizes, lambda left, size: min(full, left - size * 8 + fill), initial=full))
    assert min(level) >= 0


@pytest.mark.parametrize("codec", ["H264", "H265"])
async def test_per_scene_a_calm_scene_takes_little_and_none_more_than_the_bitrate(
    codec: str, clip: Clips, tmp_path: Path
) -> None:
    plain, source = clip(seconds=12, size="160x90", audio=None), tmp_path / "calm-then-noisy.mp4"
    _run("-i", str(plain), "-vf", "loop=150:1:0,trim=end=12,noise=alls=60:allf=t:enable='gt(t,6)'", str(source))
    asked = [{"BitrateInKbps": 200}]
    (made,) = await encoded(source, asked, VideoFormat=codec, EncodingMode="PerScene")
    sizes = packet_sizes(made)
    calm, noisy = sum(sizes[:150]), sum(sizes[150:])
    (usual,) = await encoded(source, asked, VideoFormat=codec)
    assert calm < 0.6 * sum(packet_sizes(usual)[:150])
    assert noisy * 8 / 1000 <= 200 * (6 + 2)  # with what the buffer of two seconds evens out
    assert noisy * 8 / 1000 / 6 == pytest.approx(200, rel=0.2)


def packet_sizes(file: Path) -> list[int]:
    """Bytes, in the order of decoding."""
    return [int(packet["size"]) for packet in probed(file, "-show_packets", "-show_entries", "packet=size")["packets"]]


async def test_the_smallest_picture(tmp_path: Path) -> None:
    source = tmp_path / "dot.mkv"
    _run("-f", "lavfi", "-i", "color=red:size=1x1:duration=1", "-c:v", "ffv1", str(source))
    for codec, size in (("H264", (2, 2)), ("H265", (16, 16))):
        (made,) = await encoded(source, VideoFormat=codec)
        assert (shape(made)[:2], len(frames(made).times)) == (size, 25)


async def test_the_largest_picture(tmp_path: Path) -> None:
    source = tmp_path / "wall.mkv"
    _run("-f", "lavfi", "-i", "color=red:size=8192x8192:rate=1:duration=1", "-c:v", "mjpeg", str(source))
    (made,) = await encoded(source, [{"Height": 90, "BitrateInKbps": 100}])
    assert (shape(made)[:2], len(frames(made).times)) == ((90, 90), 1)


async def test_hours_of_black_are_not_made_from_nothing(tmp_path: Path) -> None:
    source = tmp_path / "black.mp4"
    picture = "color=black:size=64x64:rate=1/10:duration=36000"
    _run("-f", "lavfi", "-i", picture, "-preset", "ultrafast", str(source))
    (made,) = await encoded(source)
    assert len(frames(made).times) == 3600


async def test_a_file_without_its_index_is_read_to_its_end(clip: Clips, tmp_path: Path) -> None:
    source = tmp_path / "live.mkv"
    # To a pipe nothing can be written afterwards: neither index nor duration.
    source.write_bytes(decoded(clip(audio=None), "-c", "copy", "-f", "matroska"))
    (made,) = await encoded(source)
    assert len(frames(made).times) == 50
