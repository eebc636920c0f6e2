"""Visible watermarks: images from the source folder, brought into the shape in which they lie over the picture."""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from PIL import Image, ImageOps, UnidentifiedImageError
from pydantic import BeforeValidator, Field, model_validator
from temporalio import activity

from activities.errors import AcquisitionError
from activities.heartbeat import Progress, beating
from activities.machine import on_disk
from activities.media.marks import PIXELS, Mark
from activities.store.work import at_work
from activities.tracks import SourceFile, VideoTrack
from activities.workspace import attempt_folder, fresh
from publishers.wire import Wire

FOLDER = "marks"
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")
MOST_PIXELS = 25_000_000
"""Of an image: it is decoded as a whole, at four bytes each."""
MOST_BYTES = 50_000_000
"""Of an image's file."""
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
    files, marks = {file.name: file for file in request.files}, []
    used = [files[watermark.watermark_file_name] for watermark in request.watermarks]
    folder = attempt_folder(FOLDER)
    async with (
        beating(Progress(total=len(used))) as progress,
        at_work(request.job_id, needs=[file.path for file in used], failing=AcquisitionError) as work,
    ):
        await on_disk(fresh, work.root / folder)
        for number, (watermark, file) in enumerate(zip(request.watermarks, used, strict=True), 1):
            image = await asyncio.to_thread(read, work.root / file.path, file.name)
            target = work.root / f"{folder}/{number:04}.rgba"
            marks.append(await asyncio.to_thread(_prepared, request, watermark, image, target))
            progress.done += 1
        await work.keep(folder)
    return marks


def _prepared(request: WatermarksRequest, watermark: Watermark, image: Image.Image, target: Path) -> Mark:
    picture = (request.video.width, request.video.height)
    width, height = placed_size(image.size, picture, watermark.size_percentage)
    # Colours of pixels that nobody sees must not bleed into those beside them: they are weighed by their alpha.
    shaped = image.convert("RGBa").resize((width, height), Image.Resampling.LANCZOS).convert("RGBA")
    shaped.putalpha(shaped.getchannel("A").point(lambda alpha: round(alpha * watermark.opacity_percentage / 100)))
    target.write_bytes(shaped.tobytes("raw", PIXELS.upper()))
    return Mark(
        f"{target.parent.name}/{target.name}",
        width,
        height,
        x=_place(picture[0], width, watermark.position_x_percentage),
        y=_place(picture[1], height, watermark.position_y_percentage),
        start=watermark.start_time or 0.0,
        end=watermark.end_time,
        fade_in=watermark.fade_in_duration_in_ms / 1000,
        fade_out=watermark.fade_out_duration_in_ms / 1000,
    )


def read(path: Path, name: str) -> Image.Image:
    """An image as it is to be looked at, in RGBA.

    Raises:
        AcquisitionError: it cannot be decoded, or would take too much memory.
    """
    if path.stat().st_size > MOST_BYTES:
        raise _refused(name, f"has more than {MOST_BYTES // 1_000_000} MB; make it smaller")
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise _too_large(name)
            return ImageOps.exif_transpose(image).convert("RGBA")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(name) from None
    except UnidentifiedImageError:
        raise _refused(name, f"is not an image in {', '.join(FORMATS)}; replace it") from None
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        IndexError,
        TypeError,
    ) as error:  # as its readers fail on damage
        if isinstance(error, OSError) and error.errno:  # the system's own
            raise
        raise _refused(name, "is damaged or incomplete; replace it") from None


def placed_size(image: tuple[int, int], picture: tuple[int, int], percent: float) -> tuple[int, int]:
    """Width and height in pixels of the picture: never larger than it, at least 1."""
    factor = min(picture[0] * percent / 100 / image[0], picture[1] / image[1])
    return max(1, round(image[0] * factor)), max(1, round(image[1] * factor))


def _place(picture: int, mark: int, percent: float) -> int:
    """Even: the colour of four pixels is one."""
    return max(0, min(round(picture * percent / 100), picture - mark)) // 2 * 2


def _too_large(name: str) -> AcquisitionError:
    return _refused(name, f"has more than {MOST_PIXELS // 1_000_000} million pixels; make it smaller")


def _refused(name: str, why: str) -> AcquisitionError:
    return AcquisitionError(f"ContentProcessing.VisibleVideoWatermarks: the file {name!r} {why}")
