"""Image Extraction: still frames at given shares of the film."""

import hashlib
import posixpath
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from temporalio import activity

from activities.errors import EncodingError
from activities.heartbeat import Progress, beating
from activities.machine import on_disk
from activities.media.allowed import Input
from activities.media.command import image_command, last_image_command
from activities.media.ffmpeg import run_ffmpeg
from activities.storage import opened
from activities.storage.base import Storage, StorageError
from activities.storage.config import WritableLocation
from activities.storage.journal import Journal
from activities.storage.patience import asked
from activities.storage.upload import stored
from activities.store.claims import claims_of
from activities.store.work import at_work
from activities.tracks import VideoTrack, named
from activities.workspace import attempt_folder, fresh
from publishers.wire import Wire

FOLDER = "images"
BACKWARDS = (1.0, 10.0, 100.0)
"""Seconds before a moment without a picture at which the last one is looked for."""
MOST_BYTES = 240
"""Of a name, which file systems limit to 255 bytes; the number takes some."""
FORBIDDEN = '/\\\\:*?"<>|'


def _is_file_name(pattern: str) -> str:
    if pattern.count("%") != 1:
        raise ValueError("must hold exactly one %, which stands for the number of the image")
    if not pattern.isprintable() or set(pattern) & set(FORBIDDEN) or pattern.startswith("."):
        raise ValueError("must be a plain file name: no folder, no control character, no dot in front")
    if len(pattern.encode()) > MOST_BYTES:
        raise ValueError(f"must have at most {MOST_BYTES} bytes as UTF-8: file systems take no longer names")
    if not pattern.lower().endswith((".jpg", ".jpeg")):
        raise ValueError("must end in .jpg: the images are JPEG")
    return pattern


class ImageExtraction(Wire):
    """The section of the job. Without `Location` the images go to `images/` below the output."""

    quality: int = Field(80, ge=1, le=100)
    intervals: list[Annotated[float, Field(ge=0, le=100)]] = Field(min_length=1, max_length=100)
    """Percent of the duration."""
    pattern: Annotated[str, Field(max_length=100), AfterValidator(_is_file_name)] = "preview_%.jpg"
    location: WritableLocation | None = None


@dataclass(frozen=True)
class ImagesRequest:
    """Which frames of which track, and where the output goes."""

    job_id: str
    video: VideoTrack | None
    section: ImageExtraction
    publishing: WritableLocation

    @property
    def location(self) -> WritableLocation:
        """Where the images go."""
        return self.section.location or self.publishing

    @property
    def folder(self) -> str:
        """Below the location; empty for the location itself."""
        return "" if self.section.location else FOLDER

    @property
    def names(self) -> list[str]:
        """Of the images in the folder."""
        return [self.section.pattern.replace("%", str(number + 1)) for number in range(len(self.section.intervals))]

    @property
    def paths(self) -> list[str]:
        """Of the images, below the location."""
        return [posixpath.join(self.folder, name) for name in self.names]

    def place(self, location: str) -> str:
        """A name for the images of this pattern in the folder, at a location (see `Source.place`)."""
        return hashlib.sha256(posixpath.join(location, self.folder, self.section.pattern).encode()).hexdigest()


@dataclass(frozen=True)
class Images:
    """They are there."""

    relative_path: str
    """Folder below the location; empty for the location itself."""
    names: list[str] = field(default_factory=list)


@activity.defn
async def extract_images(request: ImagesRequest) -> Images:
    """Make and publish the images.

    Raises:
        EncodingError: there is no picture, a frame cannot be decoded, or the location cannot be written.
    """
    if not request.video:
        raise EncodingError("the title has no picture to take images from; leave ImageExtraction out")
    section, video, names = request.section, request.video, request.names
    async with (
        beating(Progress(total=len(names) + 1)) as progress,
        at_work(request.job_id, sources=[video.file]) as work,
    ):
        folder = await on_disk(fresh, work.root / attempt_folder(FOLDER))
        for name, percent in zip(names, section.intervals, strict=True):
            await _extract(work.input(video.file), video, percent, section.quality, folder / name)
            progress.done += 1
        try:
            async with opened(request.location) as storage:
                await _claim(request, storage)
                files = [(folder / name, path) for name, path in zip(names, request.paths, strict=True)]
                await stored(storage, files, lambda _: None, await on_disk(Journal, folder / "journal"))
        except StorageError as error:
            raise EncodingError(str(error), retryable=error.temporary) from None
        progress.done += 1
    return Images(request.folder, names)


async def _claim(request: ImagesRequest, storage: Storage) -> None:
    """From now on what lies there is this job's, to be withdrawn if it fails."""
    place = request.place(await asked(storage.place))
    with claims_of(request.job_id) as claims:
        await asked(claims.take, [place])


async def _extract(source: Input, video: VideoTrack, percent: float, quality: int, output: Path) -> None:
    """Where there are no pictures yet, the first one is taken; where there are none any more, the last one."""
    at = max(video.end * percent / 100, video.start)
    commands = [image_command(source, video, at, quality, output)]
    commands += [last_image_command(source, video, max(0.0, at - back), quality, output) for back in (*BACKWARDS, at)]
    for command in commands:
        await run_ffmpeg(command, named([video]))
        if await on_disk(_has_content, output):
            return
    raise EncodingError(f"{named([video])} has no picture at {percent:g} percent")


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0
