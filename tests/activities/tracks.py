"""Clips as the mapping would describe them."""

import shutil
from pathlib import Path

from activities.media.probe import AudioStream, VideoStream, probe
from activities.tracks import AudioTrack, SourceFile, VideoTrack
from activities.workspace import workspace
from tests.activities.running import JOB_ID


def in_workspace(clip: Path, number: int = 1) -> SourceFile:
    """A copy of `clip` where the acquisition would leave it."""
    path = f"source/{number:04}{clip.suffix}"
    target = workspace(JOB_ID) / path
    target.parent.mkdir(exist_ok=True)
    shutil.copy(clip, target)
    return SourceFile(clip.name, path, clip.stat().st_size)


def source_file(path: Path) -> SourceFile:
    return SourceFile(path.name, path.name, path.stat().st_size)


async def video_track(clip: Path, file: SourceFile | None = None) -> VideoTrack:
    found = next(track for track in (await probe(clip)).tracks if isinstance(track, VideoStream))
    return VideoTrack(file or source_file(clip), **vars(found))


async def audio_tracks(clip: Path, file: SourceFile | None = None, language: str = "en") -> list[AudioTrack]:
    found = [track for track in (await probe(clip)).tracks if isinstance(track, AudioStream)]
    heard = file or source_file(clip)
    return [AudioTrack(heard, t.index, language, t.codec, t.channels, t.duration, exact=t.exact) for t in found]
