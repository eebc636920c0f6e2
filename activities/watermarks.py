"""Visible watermarks: images from the source folder, brought into the shape in which they lie over the picture."""

import asyncio
import re
from collections import deque
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator
from temporalio import activity

from activities.errors import AcquisitionError
from activities.heartbeat import Progress, beating
from activities.machine import on_disk
from activities.media.faults import check_machine
from activities.media.image import MOST_PIXELS, NO_IMAGE, PLUGINS, TOO_LARGE, Shaping, command
from activities.media.marks import Mark
from activities.media.process import run
from activities.store.work import at_work
from activities.tracks import SourceFile, VideoTrack
from activities.workspace import attempt_folder, fresh
from publishers.wire import Wire

FOLDER = "marks"
MOST_BYTES = 50_000_000
"""Of an image's file."""
TIMEOUT = 60.0
"""Seconds to read one."""
WHY = {
    NO_IMAGE: f"is not an image in {', '.join(map(str.upper, PLUGINS))}; replace it",
    TOO_LARGE: f"has more than {MOST_PIXELS // 1_000_000} million pixels; make it smaller",
}
LONGEST = 86_400 * 7
CLOCK = re.compile(r"(\d{1,6}):([0-5]?\d):([0-5]?\d(?:\.\d{1,7})?)", re.ASCII)


def _seconds(value: Any) -> Any:
    """`hh:mm:ss.fff` as seconds; numbers are seconds already."""
    if not isinstance(value, str):
        return value
    match = CLOCK.fullmatch(value.strip())
    if not match:
        raise ValueError("must be hh:mm:ss, hh:mm:ss.fff or a number of seconds")
    return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])


Percent = Annotated[float, Field(ge=0, le=100)]
Moment = Annotated[float, Field(ge=0, le=LONGEST), BeforeValidator(_seconds)]
Milliseconds = Annotated[int, Field(ge=0, le=3_600_000)]


class Watermark(Wire):
    """One image over the picture, for some time.

    Its left and upper edge lie at so many percent of the picture; where it would leave the picture, it is moved back:
    100 is the right or the lower edge.
    """

    watermark_file_name: Annotated[str, Field(min_length=1, max_length=1000)]
    """As the location lists it: relative to the source folder."""
    position_x_percentage: Percent
    position_y_percentage: Percent
    start_time: Moment | None = None
    end_time: Moment | None = None
    fade_in_duration_in_ms: Milliseconds = 0
    fade_out_duration_in_ms: Milliseconds = 0
    size_percentage: float = Field(20, gt=0, le=100)
    """Width in percent of the picture's; a tall image is made smaller, until its height fits."""
    opacity_percentage: Percent = 100

    @model_validator(mode="after")
    def _has_time(self) -> Self:
        if self.end_time is not None and self.end_time <= (self.start_time or 0):
            raise ValueError("EndTime must be later than StartTime; correct one, or leave EndTime out")
        return self


@dataclass(frozen=True)
class WatermarksRequest:
    """The watermarks, the files that were acquired for them, and the picture that they go on."""

    job_id: str
    watermarks: list[Watermark]
    files: list[SourceFile]
    video: VideoTrack


@activity.defn
async def prepare_watermarks(request: WatermarksRequest) -> list[Mark]:
    """Read each image; the first picture of an animation stands for all.

    Raises:
        AcquisitionError: a file is no image, is damaged, or too large.
    """
    files = {file.name: file for file in request.files}
    used = [files[watermark.watermark_file_name] for watermark in request.watermarks]
    folder = attempt_folder(FOLDER)
    targets = [f"{folder}/{number:04}.rgba" for number in range(1, len(used) + 1)]
    async with (
        beating(Progress(total=len(used))) as progress,
        at_work(request.job_id, needs=[file.path for file in used], failing=AcquisitionError) as work,
    ):
        await on_disk(fresh, work.root / folder)
        images = [
            Shaping(work.root / file.path, work.root / target, watermark.size_percentage, watermark.opacity_percentage)
            for watermark, file, target in zip(request.watermarks, used, targets, strict=True)
        ]
        sizes = await _shaped(request, images, progress)
        await work.keep(folder)
    return [_mark(request.video, *each) for each in zip(request.watermarks, targets, sizes, strict=True)]


async def _shaped(request: WatermarksRequest, images: list[Shaping], progress: Progress) -> list[tuple[int, int]]:
    """The widths and heights over the picture."""
    names = [watermark.watermark_file_name for watermark in request.watermarks]
    sizes = deque[tuple[int, int]](maxlen=len(names))
    for name, image in zip(names, images, strict=True):
        if (await on_disk(image.source.stat)).st_size > MOST_BYTES:
            raise _refused(name, f"has more than {MOST_BYTES // 1_000_000} MB; make it smaller")

    def take(line: str) -> None:
        width, height = map(int, line.split())
        sizes.append((width, height))
        progress.done = len(sizes)

    def current() -> str:
        return names[min(len(sizes), len(names) - 1)]

    try:
        async with asyncio.timeout(TIMEOUT * len(images)):
            ended = await run(command((request.video.width, request.video.height), images), take)
    except TimeoutError:
        raise _refused(current(), "takes too long to be read; make it smaller") from None
    if ended.status:
        check_machine(ended, f"the reader of {current()!r}")
        activity.logger.warning("the reader of %s ended with status %s: %s", current(), ended.status, ended.errors)
        raise _refused(current(), WHY.get(ended.status, "is damaged or incomplete; replace it"))
    return [*sizes]


def _mark(video: VideoTrack, watermark: Watermark, path: str, size: tuple[int, int]) -> Mark:
    width, height = size
    return Mark(
        path,
        width,
        height,
        x=_place(video.width, width, watermark.position_x_percentage),
        y=_place(video.height, height, watermark.position_y_percentage),
        start=watermark.start_time or 0.0,
        end=watermark.end_time,
        fade_in=watermark.fade_in_duration_in_ms / 1000,
        fade_out=watermark.fade_out_duration_in_ms / 1000,
    )


def _place(picture: int, mark: int, percent: float) -> int:
    """Even: the colour of four pixels is one."""
    return max(0, min(round(picture * percent / 100), picture - mark)) // 2 * 2


def _refused(name: str, why: str) -> AcquisitionError:
    return AcquisitionError(f"ContentProcessing.VisibleVideoWatermarks: the file {name!r} {why}")
