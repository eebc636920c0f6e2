"""Image Extraction: thumbnails for the seek bar, tiled on sheets, and the tracks that tell players of them."""

import asyncio
import math
import os
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from posixpath import dirname

from pydantic import Field
from temporalio import activity

from activities.errors import EncodingError
from activities.heartbeat import Progress, beating
from activities.machine import on_disk
from activities.media.command import thumbnails_command
from activities.media.ffmpeg import run_ffmpeg
from activities.media.manifests import Tiles, image_playlist, with_image_stream, with_tiles
from activities.package import PackagedFormat
from activities.plan import Plan, VideoRendition
from activities.series import shortened
from activities.store.work import at_work
from activities.workspace import attempt_folder, fresh
from publishers.wire import Wire

FOLDER = "thumbnails"
LONGER_SIDE = 240
"""Pixels, where the job tells none."""
SHEET = 1080
"""Pixels of a sheet's side at most, unless a single image is larger: devices take no more."""
MOST_IN_A_LINE = 5
SCALES = (4, 8, 14, 22, 31)
"""ffmpeg's for JPEG, from good to small; the first that keeps to the bandwidth is taken."""


class Thumbnails(Wire):
    """A track of tiled images, for DASH and for HLS."""

    generate: bool = False
    width: int | None = Field(None, ge=16, le=1920)
    """Of one image. A missing side follows the picture's shape; with both, bars keep it."""
    height: int | None = Field(None, ge=16, le=1920)
    duration_in_seconds: float = Field(10, ge=0.5, le=3600)
    """From one image to the next."""
    bandwidth_in_kbps: int | None = Field(None, gt=0, le=100_000)
    """What the sheets may need at most; None = they are as good as they can be."""


@dataclass(frozen=True)
class ThumbnailsRequest:
    """What was encoded and packaged."""

    job_id: str
    section: Thumbnails
    plan: Plan
    video: dict[str, str] = field(default_factory=dict)
    """Rendition name → file in the workspace."""
    formats: list[PackagedFormat] = field(default_factory=list)


@activity.defn
async def make_thumbnails(request: ThumbnailsRequest) -> list[PackagedFormat]:
    """Make the sheets from a rendition: it is small, upright and has the watermarks. Returns the formats with them.

    Raises:
        EncodingError: there is no picture, or the rendition cannot be read.
    """
    if not request.plan.video:
        raise EncodingError("the title has no picture to take thumbnails from; set Thumbnails.Generate to false")
    tiles = layout(request.section, request.plan)
    rendition = _source(request.plan.video, tiles)
    manifests = [f"{output.root}/{name}" for output in request.formats for name in output.links.values()]
    needs = [request.video[rendition.name], *manifests]
    async with beating(Progress(total=request.plan.duration)), at_work(request.job_id, needs=needs) as work:
        folder = work.root / attempt_folder(FOLDER)
        tiles = await _made(request, tiles, work.root / request.video[rendition.name], folder)
        new = attempt_folder(f"with-{FOLDER}")
        formats = await asyncio.to_thread(_with_tracks, request.formats, tiles, folder, work.root, new)
        for root in {output.root for output in request.formats}:
            await work.keep(f"{new}/{root}", beside=root)
    return formats


def _with_tracks(
    formats: list[PackagedFormat], tiles: Tiles, sheets: Path, work: Path, new: str
) -> list[PackagedFormat]:
    """The formats in folders of their own below `new`: as they are, they stay whole if this fails."""
    fresh(work / new)
    for root in {output.root for output in formats}:
        _link_all(work / root, work / new / root)
    moved = [replace(output, root=f"{new}/{output.root}") for output in formats]
    _place_sheets([work / output.root / _folder(output) for output in moved], sheets)
    texts = [_texts(work / output.root, output, tiles) for output in moved]
    pairs = list(zip(moved, texts, strict=True))
    _write({work / output.root / name: text for output, new in pairs for name, text in new.items()})
    return [_with_files(output, tiles, [*new]) for output, new in pairs]


def _link_all(old: Path, new: Path) -> None:
    """As `shutil.copytree` would; but that hides from its caller what the system has reported."""
    for path in old.rglob("*"):
        if path.is_file():
            target = new / path.relative_to(old)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)


async def _made(request: ThumbnailsRequest, tiles: Tiles, rendition: Path, folder: Path) -> Tiles:
    """The sheets in `folder`, at the best quality that keeps to the bandwidth."""
    limit = (request.section.bandwidth_in_kbps or 0) * 1000
    for scale in SCALES:
        await on_disk(fresh, folder)
        # Only key frames are decoded where they are close enough to each other.
        command = thumbnails_command(
            rendition,
            tiles,
            scale,
            folder / "%d.jpg",
            only_keys=tiles.seconds >= request.plan.gop_seconds,
            hdr=request.plan.hdr,
        )
        await run_ffmpeg(command, f"the rendition {rendition.stem}")
        measured = await on_disk(_bandwidth, folder, tiles)
        if measured <= limit or not limit:
            break
    return replace(tiles, bandwidth=max(measured, limit))


def layout(section: Thumbnails, plan: Plan) -> Tiles:
    """How large the images are, and how many of them go on a sheet."""
    largest = plan.video[-1]
    shape = Fraction(largest.width, largest.height) * Fraction(largest.pixel_aspect)
    width, height = _size(section, float(shape))
    seconds = round(section.duration_in_seconds, 3)
    one = Tiles(FOLDER, width, height, 1, 1, seconds, plan.duration, bandwidth=0)
    columns = max(1, min(MOST_IN_A_LINE, SHEET // width, one.images))
    rows = max(1, min(MOST_IN_A_LINE, SHEET // height, math.ceil(one.images / columns)))
    return replace(one, columns=columns, rows=rows)


def _size(section: Thumbnails, shape: float) -> tuple[int, int]:
    width, height = section.width, section.height
    if not width and not height:
        width, height = (LONGER_SIDE, None) if shape >= 1 else (None, LONGER_SIDE)
    wide, high = width or (height or 0) * shape, height or (width or 0) / shape
    return max(2, round(wide / 2) * 2), max(2, round(high / 2) * 2)


def _source(renditions: list[VideoRendition], tiles: Tiles) -> VideoRendition:
    """The smallest that is large enough, else the largest."""
    by_size = sorted(renditions, key=lambda rendition: rendition.width * rendition.height)
    enough = [each for each in by_size if each.width >= tiles.width or each.height >= tiles.height]
    return enough[0] if enough else by_size[-1]


def _bandwidth(folder: Path, tiles: Tiles) -> int:
    """Of the sheet that needs most, in bit/s."""
    sizes = [(folder / f"{number}.jpg").stat().st_size for number in range(1, tiles.sheets + 1)]
    left = [tiles.duration - place * tiles.sheet_seconds for place in range(tiles.sheets)]
    return max(
        math.ceil(size * 8 / max(1.0, min(tiles.sheet_seconds, seconds)))
        for size, seconds in zip(sizes, left, strict=True)
    )


def _texts(root: Path, output: PackagedFormat, tiles: Tiles) -> dict[str, str]:
    """Name → text of the manifests that are changed or new."""
    texts = {}
    if mpd := output.links.get("dash"):
        texts[mpd] = with_tiles((root / mpd).read_text(), tiles)
    if master := output.links.get("hls"):
        texts[_beside(master, f"{FOLDER}.m3u8")] = image_playlist(tiles)
        texts[master] = with_image_stream((root / master).read_text(), tiles)
    return texts


def _place_sheets(folders: list[Path], sheets: Path) -> None:
    for folder in folders:
        fresh(folder)
        for sheet in sheets.iterdir():
            os.link(sheet, folder / sheet.name)


def _write(texts: dict[Path, str]) -> None:
    """In place of the files, not into them: those are linked."""
    for file, text in texts.items():
        file.unlink(missing_ok=True)
        file.write_text(text)


def _with_files(output: PackagedFormat, tiles: Tiles, written: list[str]) -> PackagedFormat:
    media = [*output.media, *shortened(f"{_folder(output)}/{number}.jpg" for number in range(1, tiles.sheets + 1))]
    new = [name for name in written if name not in output.manifests]
    return replace(output, media=media, manifests=[*new, *output.manifests])


def _folder(output: PackagedFormat) -> str:
    return _beside(next(iter(output.links.values())), FOLDER)


def _beside(manifest: str, name: str) -> str:
    folder = dirname(manifest)
    return f"{folder}/{name}" if folder else name
