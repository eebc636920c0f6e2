"""The last step of Media Mapping: bring every text track into WebVTT."""

import asyncio
import math
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from temporalio import activity

from activities.errors import AcquisitionError, EncodingError
from activities.heartbeat import Progress, beating
from activities.machine import on_disk
from activities.media.allowed import Input
from activities.media.command import extract_text_command
from activities.media.ffmpeg import run_ffmpeg
from activities.store.work import Work, at_work
from activities.text import LARGEST, USUAL_FRAME_RATE, TextFile, to_webvtt
from activities.tracks import Mapped, SourceFile, TextTrack
from activities.workspace import attempt_folder, fresh

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
    """Convert every subtitle and caption file, and extract the tracks; a track that is empty is left out.

    Raises:
        AcquisitionError: a file is not what its name says, or holds nothing to show.
    """
    tracks, folder = request.mapped.text, attempt_folder(FOLDER)
    needs = [track.file.path for track in tracks if track.index is None]
    sources = {track.file for track in tracks if track.index is not None}
    async with (
        beating(Progress(total=len(tracks))) as progress,
        at_work(request.job_id, needs=needs, sources=sources, failing=AcquisitionError) as work,
    ):
        await on_disk(fresh, work.root / folder)
        files, text = await _extracted(work, folder, tracks), []
        for number, track in enumerate(tracks, 1):
            if file := files.get(number):
                path = f"{folder}/{number:04}.vtt"
                # In a thread, since a large file takes seconds; it ends by itself when the activity is cancelled.
                content = await asyncio.to_thread(to_webvtt, _described(file, track, request.mapped))
                await on_disk((work.root / path).write_text, content, encoding="utf-8")
                text.append(PreparedText(path, track.language, track.caption))
            progress.done += 1
        await work.keep(folder)
    return Prepared(text)


async def _extracted(work: Work, folder: str, tracks: list[TextTrack]) -> dict[int, Path]:
    """A file for each track, by its number; those inside of containers are read out of them, each of these once."""
    files: dict[int, Path] = {}
    outputs: dict[SourceFile, dict[int, Path]] = {}
    for number, track in enumerate(tracks, 1):
        files[number] = work.root / track.file.path
        if track.index is not None:
            files[number] = work.root / folder / f"{number:04}.extracted.vtt"
            outputs.setdefault(track.file, {})[track.index] = files[number]
    for source, paths in outputs.items():
        await _read_tracks(work.input(source), paths, source.name)
    extracted = [path for paths in outputs.values() for path in paths.values()]
    empty = {path for path in extracted if not await on_disk(_has_cue, path)}
    return {number: file for number, file in files.items() if file not in empty}


def _has_cue(path: Path) -> bool:
    """By as much of the file as is read later: a single cue can have more than the memory takes."""
    with path.open(errors="replace") as file:
        return "-->" in file.read(LARGEST)


async def _read_tracks(source: Input, outputs: dict[int, Path], name: str) -> None:
    try:
        await run_ffmpeg(extract_text_command(source, outputs), repr(name))
    except EncodingError as error:
        if error.retryable:
            raise
        raise AcquisitionError(
            f"the text tracks {', '.join(map(str, outputs))} of the file {name!r} cannot be read; replace the file, "
            "or leave their languages out (MediaMappings.SubtitleLanguages, CaptionLanguages)"
        ) from None


def _described(file: Path, track: TextTrack, mapped: Mapped) -> TextFile:
    film, inside = mapped.video, track.index is not None
    return TextFile(
        path=file,
        name=f"{track.file.name} (track {track.index})" if inside else track.file.name,
        format="WebVTT" if inside else track.format,
        language=track.language,
        frame_rate=Fraction(film.frame_rate) if film else USUAL_FRAME_RATE,
        length=_length(mapped),
    )


def _length(mapped: Mapped) -> int | None:
    """Of the film, in milliseconds; None where its files do not say."""
    film = mapped.video
    ends = [film.end if film and film.duration else 0.0, *(track.duration for track in mapped.audio)]
    return math.ceil(max(ends) * 1000) or None
