"""Subtitles and captions of any supported format as WebVTT: one module a format behind one function."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from temporalio import activity

from activities.errors import AcquisitionError
from activities.text import pac, srt, webvtt
from activities.text.cues import UnreadableError, document
from activities.text.encodings import decoded
from activities.text.ttml import Document

LARGEST = 8 << 20
"""Bytes: a film's text has a few hundred thousand."""
USUAL_FRAME_RATE = Fraction(25)


@dataclass(frozen=True)
class TextFile:
    """What to convert."""

    path: Path
    name: str
    """As the client knows it."""
    format: str
    language: str = "und"
    frame_rate: Fraction = USUAL_FRAME_RATE
    """Of the film, for formats that count frames and do not say how fast."""
    length: int | None = None
    """Of the film, in milliseconds."""


def to_webvtt(file: TextFile) -> str:
    """Takes time and memory that grow with the file alone.

    Raises:
        AcquisitionError: it is too large, is not of its format, or holds nothing to show.
    """
    try:
        return READERS[file.format](file, _content(file.path))
    except UnreadableError as error:
        reason = str(error)
    except OSError:
        raise
    except Exception:  # noqa: BLE001 - see below
        # Whatever a file does to a reader, it is the file's fault and no reason for another attempt.
        activity.logger.exception("reading %r as %s", file.name, file.format)
        reason = "it is damaged"
    raise AcquisitionError(
        f"{file.name!r} cannot be read as {file.format}: {reason}; replace it, or leave it out"
    ) from None


def _content(path: Path) -> bytes:
    if (size := path.stat().st_size) > LARGEST:
        raise UnreadableError(f"it has {size >> 20} MiB, more than {LARGEST >> 20}")
    return path.read_bytes()


def _text(file: TextFile, data: bytes) -> str:
    return decoded(data, file.language).replace("\r\n", "\n").replace("\r", "\n")


def _webvtt(file: TextFile, data: bytes) -> str:
    cues, head = webvtt.read(_text(file, data))
    return document(cues, file.length, head)


def _srt(file: TextFile, data: bytes) -> str:
    return document(srt.read(_text(file, data)), file.length)


def _ttml(file: TextFile, data: bytes) -> str:
    made = Document(_text(file, data), file.frame_rate)
    return document(made.cues, file.length, made.head)


def _pac(file: TextFile, data: bytes) -> str:
    return document(pac.read(data, file.frame_rate, file.language), file.length)


READERS: dict[str, Callable[[TextFile, bytes], str]] = {
    "WebVTT": _webvtt,
    "SRT": _srt,
    "TTML": _ttml,
    "DFXP": _ttml,
    "iTT": _ttml,
    "PAC": _pac,
}
