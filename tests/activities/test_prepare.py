from collections.abc import Callable
from pathlib import Path

import pytest

from activities.errors import AcquisitionError
from activities.mappings import TEXT_FORMATS
from activities.media import packager
from activities.prepare import Prepared, PrepareRequest, prepare_text
from activities.tracks import Mapped, SourceFile, TextTrack, VideoTrack
from activities.workspace import workspace
from tests.activities.media.opened import watched
from tests.activities.running import JOB_ID, Running
from tests.activities.text.test_pac import HEADER, record
from tests.activities.text.test_ttml import tt
from tests.activities.tracks import in_workspace
from tests.clips import Clips, _run, srt_file, vtt_file

pytestmark = pytest.mark.usefixtures("root")


async def prepared(*files: Path, length: float = 0, frame_rate: str = "25/1", start: float = 0) -> Prepared:
    tracks = [
        TextTrack(in_workspace(file, number), "en", TEXT_FORMATS[file.suffix]) for number, file in enumerate(files, 1)
    ]
    film = VideoTrack(
        SourceFile("movie.mp4", "movie.mp4", 1), 0, "h264", 320, 180, frame_rate, length, None, 100, start
    )
    return await Running()(prepare_text, PrepareRequest(JOB_ID, Mapped(film, [], tracks)))


def text(made: Prepared, number: int = 0) -> str:
    return (workspace(JOB_ID) / made.text[number].path).read_text()


@pytest.mark.parametrize("write", [srt_file, vtt_file])
async def test_both_formats_become_webvtt(write: Callable[[Path], Path], tmp_path: Path) -> None:
    name = "text.srt" if write is srt_file else "text.vtt"
    content = text(await prepared(write(tmp_path / name)))
    assert content.startswith("WEBVTT\n")
    assert "00:00:01.000 --> 00:00:01.800\nGrüße, 世界\n" in content


async def test_words_are_shown_to_the_end_of_a_late_picture(tmp_path: Path) -> None:
    cues = ((1, 2, "first"), (104, 106, "last"), (111, 112, "none"))
    content = text(await prepared(srt_file(tmp_path / "text.srt", cues), length=100, start=10))
    assert "00:01:44.000 --> 00:01:46.000\nlast\n" in content
    assert "none" not in content
    content = text(await prepared(srt_file(tmp_path / "text.srt", cues), start=10))  # of a length that nobody knows
    assert "none" in content


@pytest.mark.parametrize("content", [b"", b" \n", b"prose, no subtitles\n", bytes(1000)], ids=range(4))
async def test_a_file_that_cannot_be_read_whole_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad name's.srt").write_bytes(content)
    with pytest.raises(AcquisitionError, match=r"bad name's\.srt") as caught:
        await prepared(srt_file(tmp_path / "good.srt"), tmp_path / "bad name's.srt")
    assert not caught.value.retryable
    assert str(tmp_path) not in str(caught.value)


async def test_a_file_without_a_cue_is_named(tmp_path: Path) -> None:
    (tmp_path / "silent.vtt").write_text("WEBVTT\n\nNOTE nothing is said\n")
    with pytest.raises(AcquisitionError, match=r"silent\.vtt"):
        await prepared(tmp_path / "silent.vtt")


async def test_another_attempt_starts_afresh(tmp_path: Path) -> None:
    await prepared(srt_file(tmp_path / "a.srt"), vtt_file(tmp_path / "b.vtt"))
    made = await prepared(srt_file(tmp_path / "a.srt"))
    assert [path.name for path in (workspace(JOB_ID) / "text-1-0").iterdir()] == [Path(made.text[0].path).name]


def movie(tmp_path: Path, clip: Clips, *codecs: str, ending: str = "mkv") -> Path:
    """A picture, and a text track in each codec."""
    text, source = srt_file(tmp_path / "text.srt"), tmp_path / f"movie.{ending}"
    inputs = [word for file in [clip(), *([text] * len(codecs))] for word in ("-i", str(file))]
    maps = [word for number in range(len(codecs) + 1) for word in ("-map", f"{number}:{'s' if number else 'v'}")]
    kinds = [word for number, codec in enumerate(codecs) for word in (f"-c:s:{number}", codec)]
    _run(*inputs, *maps, "-c:v", "copy", *kinds, str(source))
    return source


async def extracted(source: Path, *indices: int) -> Prepared:
    file = in_workspace(source)
    tracks = [TextTrack(file, "de", "SRT", caption=True, index=index) for index in indices]
    return await Running()(prepare_text, PrepareRequest(JOB_ID, Mapped(None, [], tracks)))


def endless(tmp_path: Path, text: str) -> Path:
    """A container with a text track that holds `text` as it is."""
    (tmp_path / "text.srt").write_text(text)
    _run("-i", str(tmp_path / "text.srt"), "-c", "copy", str(tmp_path / "endless.mkv"))
    return tmp_path / "endless.mkv"


async def test_a_track_with_a_cue_of_megabytes_is_named(tmp_path: Path) -> None:
    source = endless(tmp_path, f"1\n00:00:00,000 --> 00:00:01,000\n{'x' * (2 << 20)}\n")
    with pytest.raises(AcquisitionError, match=r"text tracks 0 of the file 'endless\.mkv' cannot be read"):
        await extracted(source, 0)


async def test_a_track_with_a_long_cue_is_named(tmp_path: Path) -> None:
    source = endless(tmp_path, f"1\n00:00:00,000 --> 00:00:01,000\n{'x' * 6000}\n")
    with pytest.raises(AcquisitionError, match=r"'endless\.mkv \(track 0\)' cannot be read as WebVTT: one cue of it"):
        await extracted(source, 0)


async def test_text_tracks_of_a_container_become_webvtt(clip: Clips, tmp_path: Path) -> None:
    made = await extracted(movie(tmp_path, clip, "srt", "ass", "webvtt"), 3, 1, 2)
    assert [(each.path, each.language, each.caption) for each in made.text] == [
        (f"text-1-0/000{number}.vtt", "de", True) for number in (1, 2, 3)
    ]
    for number in range(3):
        assert text(made, number).startswith("WEBVTT\n")
        assert "00:00:01.000 --> 00:00:01.800\nGrüße, 世界\n" in text(made, number)


async def test_text_tracks_of_mp4_become_webvtt(clip: Clips, tmp_path: Path) -> None:
    content = text(await extracted(movie(tmp_path, clip, "mov_text", ending="mp4"), 1))
    assert "00:00:01.000 --> 00:00:01.800\nGrüße, 世界\n" in content


async def test_a_track_without_a_cue_is_left_out(clip: Clips, tmp_path: Path) -> None:
    source = movie(tmp_path, clip, "srt", "srt")
    silent = tmp_path / "silent.mkv"
    _run("-i", str(source), "-map", "0", "-c", "copy", "-bsf:s:1", "noise=drop=1", str(silent))
    assert [each.path for each in (await extracted(silent, 1, 2)).text] == ["text-1-0/0001.vtt"]


async def test_a_playlist_that_is_called_a_container_opens_nothing_else(clip: Clips, tmp_path: Path) -> None:
    target, script = movie(tmp_path, clip, "srt"), tmp_path / "script.mkv"
    for content in ("ffconcat version 1.0\nfile '{}'\n", "#EXTM3U\n#EXTINF:2,\nfile://{}\n#EXT-X-ENDLIST\n"):
        script.write_text(content.format(target))
        with watched(target) as opened:
            with pytest.raises(AcquisitionError, match=r"text tracks 1 of the file 'script\.mkv' cannot be read"):
                await extracted(script, 1)
            assert not opened


TTML = tt('<p begin="40.24s" end="42.04s">a &lt; b --&gt; c</p>')
STYLED = (
    "WEBVTT\n\nSTYLE\n::cue(.x) { color: #123456 }\n\nREGION\nid:r\n\n00:40.240 --> 00:42.040 region:r\n"
    "a &lt; b --&gt; c\n"
)


NAMED = "NOTES\n00:40.240 --> 00:42.040\na &lt; b --&gt; c\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.srt", b"1\n00:00:40,240 --> 00:00:42,040\na < b --&gt; c\n"),
        ("a.vtt", STYLED.encode()),
        ("a.vtt", f"WEBVTT\n\n{NAMED}".encode()),
        ("a.ttml", TTML.encode()),
        ("a.dfxp", TTML.encode("utf-16")),
        ("a.itt", TTML.encode()),
        ("a.pac", HEADER + record(b"a < b --> c")),
    ],
)
async def test_the_packager_takes_every_format(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    path = workspace(JOB_ID) / (await prepared(tmp_path / name, length=3600)).text[0].path
    out = packager.Output("", dash=True, hls=True)
    descriptors = packager.text(str(path), "text", "en", packager.Shown("English", "English"), out, caption=False)
    await packager.run_packager(packager.arguments(descriptors, out, None), tmp_path, lambda: 0.0)
    assert "00:00:40.240 --> 00:00:42.040" in (tmp_path / "text/11.vtt").read_text()
    whole = tmp_path / "whole.mp4"
    whole.write_bytes(b"".join((tmp_path / f"text/{part}").read_bytes() for part in ("init.mp4", "11.m4s")))
    assert b"payl" in whole.read_bytes()


async def test_frames_count_as_in_the_film(tmp_path: Path) -> None:
    (tmp_path / "a.pac").write_bytes(HEADER + record(b"a"))
    made = await prepared(tmp_path / "a.pac", length=3600, frame_rate="24000/1001")
    assert "00:00:40.250 --> 00:00:42.042" in text(made)
