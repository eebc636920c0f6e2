"""The last step of Media Mapping: bring every text track into WebVTT."""

import asyncio
import math
from dataclasses import dataclass, field
from fractions import Fraction

from temporalio import activity

from activities.heartbeat import Progress, beating
from activities.map import Mapped, TextTrack
from activities.text import USUAL_FRAME_RATE, TextFile, to_webvtt
from activities.workspace import fresh, workspace

FOLDER = "text"


@dataclass(frozen=True)
class PrepareRequest:
    """What to prepare."""

    job_id: str
    mapped: Mapped


@dataclass(frozen=True)
class PreparedText:
    """One WebVTT file in the workspace."""

    path: str
    language: str
    caption: bool = False


@dataclass(frozen=True)
class Prepared:
    """All text tracks, ready for the packager."""

    text: list[PreparedText] = field(default_factory=list)


@activity.defn
async def prepare_text(request: PrepareRequest) -> Prepared:
    """Convert every subtitle and caption file.

    Raises:
        AcquisitionError: a file is not what its name says, or holds nothing to show.
    """
    fresh(workspace(request.job_id) / FOLDER)
    async with beating(Progress(total=len(request.mapped.text))) as progress:
        text = []
        for number, track in enumerate(request.mapped.text, 1):
            text.append(await _convert(request, track, number))
            progress.done += 1
    return Prepared(text)


async def _convert(request: PrepareRequest, track: TextTrack, number: int) -> PreparedText:
    root, path, film = workspace(request.job_id), f"{FOLDER}/{number:04}.vtt", request.mapped.video
    source = TextFile(
        path=root / track.file.path,
        name=track.file.name,
        format=track.format,
        language=track.language,
        frame_rate=Fraction(film.frame_rate) if film else USUAL_FRAME_RATE,
        length=_length(request.mapped),
    )
    # In a thread, since a large file takes seconds; it ends by itself when the activity is cancelled.
    content = await asyncio.to_thread(to_webvtt, source)
    (root / path).write_text(content, encoding="utf-8")
    return PreparedText(path, track.language, track.caption)


def _length(mapped: Mapped) -> int | None:
    """Of the film, in milliseconds; None where its files do not say."""
    longest = max((track.duration for track in (mapped.video, *mapped.audio) if track), default=0.0)
    return math.ceil(longest * 1000) or None
