"""The last step of Media Mapping: bring every text track into WebVTT."""

from dataclasses import dataclass, field

from temporalio import activity

from activities.errors import AcquisitionError, EncodingError
from activities.heartbeat import Progress, beating
from activities.map import Mapped, TextTrack
from activities.media.command import text_command
from activities.media.ffmpeg import run_ffmpeg
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
        AcquisitionError: a file is no text that can be read, or holds nothing to show.
    """
    fresh(workspace(request.job_id) / FOLDER)
    async with beating(Progress(total=len(request.mapped.text))) as progress:
        text = []
        for number, track in enumerate(request.mapped.text, 1):
            text.append(await _convert(request.job_id, track, number))
            progress.done += 1
    return Prepared(text)


async def _convert(job_id: str, track: TextTrack, number: int) -> PreparedText:
    root, path = workspace(job_id), f"{FOLDER}/{number:04}.vtt"
    try:
        await run_ffmpeg(text_command(root / track.file.path, root / path), repr(track.file.name))
    except EncodingError as error:
        if error.retryable:
            raise
        raise AcquisitionError(
            f"{track.file.name!r} is not {track.format} text in UTF-8; replace it, or leave it out"
        ) from None
    if "-->" not in (root / path).read_text():
        # The packager takes no track without a cue.
        raise AcquisitionError(f"{track.file.name!r} holds no cue; replace it, or leave it out")
    return PreparedText(path, track.language, track.caption)
