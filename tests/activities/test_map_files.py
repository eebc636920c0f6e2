"""What Media Mapping makes of real files."""

import shutil
from pathlib import Path

import pytest

from activities.acquire import AcquireRequest, acquire
from activities.errors import AcquisitionError
from activities.map import MapRequest, map_media
from activities.mappings import MediaMappings
from activities.tracks import Mapped
from tests.activities.running import JOB_ID, Running, location
from tests.clips import Clips, _run, srt_file, vtt_file


async def mapped_folder(folder: Path, **fields: object) -> Mapped:
    section = MediaMappings.model_validate(fields)
    acquired = await Running()(acquire, AcquireRequest(JOB_ID, location(folder), section))
    return await Running()(map_media, MapRequest(JOB_ID, acquired.files, section))


async def test_real_files_are_mapped(root: Path, clip: Clips) -> None:
    shutil.copy(clip(), root / "movie 'one'.mp4")
    vtt_file(root / "sub-de.vtt")
    srt_file(root / "cc-en.srt")
    (root / "notes.txt").touch()
    mapped = await mapped_folder(
        root,
        SubtitleFileLanguageExpression=r"sub-(?<lang>\w+)",
        CaptionFileLanguageExpression=r"cc-(?<lang>\w+)",
    )
    assert mapped.video
    assert (mapped.video.file.path, mapped.video.width, mapped.video.height) == ("source/0002.mp4", 320, 180)
    assert [(track.language, track.channels) for track in mapped.audio] == [("en", 2)]
    assert [(track.language, track.caption) for track in mapped.text] == [("en", True), ("de", False)]


async def test_a_real_video_without_sound_is_mapped_if_allowed(root: Path, clip: Clips) -> None:
    shutil.copy(clip(audio=None), root / "movie.mp4")
    assert (await mapped_folder(root, FailOnNoAudioTracks=False)).audio == []


@pytest.mark.parametrize("name", ["song.mp4", "song.m4a", "song.mkv"])
async def test_a_cover_is_no_video(name: str, root: Path, clip: Clips) -> None:
    source, cover = str(clip()), str(root / "cover.jpg")
    _run("-i", source, "-frames:v", "1", "-update", "1", cover)
    beside = ["-i", cover, "-map", "0:a", "-map", "1:v", "-disposition:v", "attached_pic", "-f", "mp4"]
    inside = ["-map", "0:a", "-attach", cover, "-metadata:s:t", "mimetype=image/jpeg"]
    _run("-i", source, *(inside if name.endswith("mkv") else beside), "-c", "copy", str(root / name))
    shutil.copy(source, root / "movie.mp4")
    mapped = await mapped_folder(root, AudioFileLanguageExpression=r"^song\.m4a$")
    assert mapped.video
    assert mapped.video.file.name == "movie.mp4"
    assert [track.file.name for track in mapped.audio] == ["movie.mp4", *(["song.m4a"] if name == "song.m4a" else [])]


@pytest.mark.parametrize("content", [b"", b"no media at all", b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"])
async def test_a_file_that_is_no_media_is_named(root: Path, content: bytes) -> None:
    (root / "movie.mp4").write_bytes(content)
    with pytest.raises(AcquisitionError, match=r"the file 'movie\.mp4' is"):
        await mapped_folder(root)


async def test_an_empty_text_file_is_named(root: Path, clip: Clips) -> None:
    shutil.copy(clip(), root / "movie.mp4")
    (root / "sub-en.vtt").touch()
    with pytest.raises(AcquisitionError, match=r"the file 'sub-en\.vtt' is empty"):
        await mapped_folder(root, SubtitleFileLanguageExpression="sub-(?<lang>..)")


async def test_subtitles_that_are_called_a_video_are_none(root: Path) -> None:
    srt_file(root / "movie.mp4")
    with pytest.raises(AcquisitionError, match=r"no video track was found in 'movie\.mp4'"):
        await mapped_folder(root)
