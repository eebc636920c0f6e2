"""The last step of Media Mapping: bring every text track into WebVTT."""

from dataclasses import dataclass, field
from pathlib import Path

from temporalio import activity

from activities.errors import AcquisitionError, EncodingError
from activities.heartbeat import Progress, beating
from activities.media.command import extract_text_command, text_command
from activities.media.ffmpeg import run_ffmpeg
from activities.tracks import Mapped, SourceFile, TextTrack
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
    """Convert every subtitle and caption file, and extract the tracks; a track that is empty is left out.

    Raises:
        AcquisitionError: a file is no text that can be read, or holds nothing to show.
    """
    fresh(workspace(request.job_id) / FOLDER)
    async with beating(Progress(total=len(request.mapped.text))) as progress:
        extracted, text = await _extract(request.job_id, request.mapped.text), []
        for number, track in enumerate(request.mapped.text, 1):
            if track.index is None:
                text.append(await _convert(request.job_id, track, number))
            elif number in extracted:
                text.append(PreparedText(extracted[number], track.language, track.caption))
            progress.done += 1
    return Prepared(text)


async def _extract(job_id: str, tracks: list[TextTrack]) -> dict[int, str]:
    """The tracks that lie in containers and hold a cue, by their numbers; one reading of each container."""
    root, found = workspace(job_id), {}
    outputs: dict[SourceFile, dict[int, Path]] = {}
    for number, track in enumerate(tracks, 1):
        if track.index is not None:
            path = _path(number)
            outputs.setdefault(track.file, {})[track.index] = root / path
            found[number] = path
    for file, paths in outputs.items():
        await _read_tracks(root / file.path, paths, file.name)
    return {number: path for number, path in found.items() if _has_a_cue(root / path)}


async def _read_tracks(source: Path, outputs: dict[int, Path], name: str) -> None:
    try:
        await run_ffmpeg(extract_text_command(source, outputs), repr(name))
    except EncodingError as error:
        if error.retryable:
            raise
        raise AcquisitionError(
            f"the text tracks {', '.join(map(str, outputs))} of the file {name!r} cannot be read; replace the file, "
            "or leave their languages out (MediaMappings.SubtitleLanguages, CaptionLanguages)"
        ) from None


async def _convert(job_id: str, track: TextTrack, number: int) -> PreparedText:
    root, path = workspace(job_id), _path(number)
    try:
        await run_ffmpeg(text_command(root / track.file.path, root / path), repr(track.file.name))
    except EncodingError as error:
        if error.retryable:
            raise
        raise AcquisitionError(
            f"{track.file.name!r} is not {track.format} text in UTF-8; replace it, or leave it out"
        ) from None
    if not _has_a_cue(root / path):
        # The packager takes no track without a cue.
        raise AcquisitionError(f"{track.file.name!r} holds no cue; replace it, or leave it out")
    return PreparedText(path, track.language, track.caption)


def _path(number: int) -> str:
    return f"{FOLDER}/{number:04}.vtt"


def _has_a_cue(file: Path) -> bool:
    return "-->" in file.read_text()
