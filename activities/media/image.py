"""Brings one image into the shape in which it lies over the picture: a program, which runs confined as other tools do.

Whoever made the image is not trusted, and what reads it is written in C. Nothing of the worker is imported: that would
take longer than the work.
"""

import sys
import warnings
from collections.abc import Iterable
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import NamedTuple

PLUGINS = ("Png", "Jpeg", "Gif", "WebP", "Bmp")
"""Formats, as Pillow names what reads them."""
MOST_PIXELS = 25_000_000
"""Of an image: it is decoded as a whole, at four bytes each."""
NO_IMAGE, TOO_LARGE = 3, 4
"""Exits; any other but 0 is of damage, if not of the machine."""


class Shaping(NamedTuple):
    """What is to be done with one image."""

    source: Path
    target: Path
    """For its raw pixels (RGBA)."""
    size: float
    """Its width, in percent of the picture's."""
    opacity: float
    """In percent."""


def command(picture: tuple[int, int], images: Iterable[Shaping]) -> list[str]:
    """What shapes one image after the other for a picture of this width and height; it prints those of each."""
    return [sys.executable, "-P", __file__, *map(str, picture), *map(str, chain.from_iterable(images))]


def placed_size(image: tuple[int, int], picture: tuple[int, int], percent: float) -> tuple[int, int]:
    """Width and height in pixels of the picture: never larger than it, at least 1."""
    factor = min(picture[0] * percent / 100 / image[0], picture[1] / image[1])
    return max(1, round(image[0] * factor)), max(1, round(image[1] * factor))


def _main(width: str, height: str, *images: str) -> None:
    for name in PLUGINS:  # those alone: all that there are would take longer than the work
        import_module(f"PIL.{name}ImagePlugin")
    each = iter(images)
    for source, target, size, opacity in zip(each, each, each, each, strict=True):
        _shape((int(width), int(height)), Shaping(Path(source), Path(target), float(size), float(opacity)))


def _shape(picture: tuple[int, int], wanted: Shaping) -> None:
    from PIL import Image, ImageOps, UnidentifiedImageError  # noqa: PLC0415 - the worker has no use for it

    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        with Image.open(wanted.source, formats=[name.upper() for name in PLUGINS]) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGBA").convert("RGBa")
    except UnidentifiedImageError:
        sys.exit(NO_IMAGE)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        sys.exit(TOO_LARGE)
    # Colours of pixels that nobody sees must not bleed into those beside them: they are weighed by their alpha.
    size = placed_size(image.size, picture, wanted.size)
    shaped = image.resize(size, Image.Resampling.LANCZOS).convert("RGBA")
    shaped.putalpha(shaped.getchannel("A").point(lambda alpha: round(alpha * wanted.opacity / 100)))
    wanted.target.write_bytes(shaped.tobytes())
    sys.stdout.write(f"{shaped.width} {shaped.height}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _main(*sys.argv[1:])
