"""The last step of Media Mapping: bring every text track into WebVTT."""

import asyncio
import math
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from temporalio import activity

from activities.heartbeat import Progress, beating
from activities.map import Mapped, TextTrack
from activities.text import TextFile, to_webvtt
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
    root, path = workspace(request.job_id), f"{FOLDER}/{number:04}.vtt"
    source = TextFile(root / track.file.path, track.file.name, track.format, track.language)
    # In a thread, since a large file takes seconds; it ends by itself when the activity is cancelled.
    content = await asyncio.to_thread(to_webvtt, replace(source, **_film(request.mapped)))
    (root / path).write_text(content, encoding="utf-8")
    return PreparedText(path, track.language, track.caption)


def _film(mapped: Mapped) -> dict[str, Any]:
    """What a text file does not say itself."""
    longest = max((track.duration for track in (mapped.video, *mapped.audio) if track), default=0.0)
    length = {"length": math.ceil(longest * 1000)} if longest else {}
    return length | ({"frame_rate": Fraction(mapped.video.frame_rate)} if mapped.video else {})
