"""What all readers make: cues; and the one writer of WebVTT."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from activities.media.packager import SEGMENT_SECONDS

HOUR = 3_600_000
LONGEST = 100 * HOUR
"""Milliseconds that are packaged at most where nobody knows how long the film is."""
READABLE = 3000
"""Milliseconds for which a cue without a valid end is shown."""
MOST_CUES = 50_000
LONGEST_TEXT = 5_000
"""Characters of one cue."""
MOST_PACKAGED = 256 << 20
"""Characters: the packager writes a cue, with its name, into every segment that shows it, and styles into all."""
_HIDDEN = dict.fromkeys((*range(9), *range(14, 32), 127))


class UnreadableError(Exception):
    """A file is not what its format says. The message completes `'name' cannot be read as SRT: …`."""


@dataclass(frozen=True)
class Cue:
    """One text on the screen; times in milliseconds. An `end` that is not behind `start` is unknown."""

    start: int
    end: int
    text: str
    """WebVTT cue text: escaped, with tags."""
    settings: str = ""
    """WebVTT cue settings, separated by a space."""
    identifier: str = ""


def escaped(text: str) -> str:
    """Plain text as cue text: no character of it is markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def document(cues: Iterable[Cue], length: int | None, head: Sequence[str] = ()) -> str:
    """A WebVTT file: the blocks of `head` first, then the cues in order of time.

    Args:
        length: milliseconds of the film: what would be shown later is left out, since the packager fills any
            time up to the last cue with segments.

    Raises:
        UnreadableError: no cue, or more than can be packaged.
    """
    found = [cleaned for cue in counted(cues) if (cleaned := _cleaned(cue)).text]
    if not found:
        raise UnreadableError("it holds no cue")
    shown = [*_limited(_from_zero([*_ended(found)], length), length or LONGEST)]
    if not shown:
        raise UnreadableError("all its cues start behind the end of the film; check its times")
    _check_size(shown, head)
    return "\n\n".join(["WEBVTT", *head, *map(_block, shown)]) + "\n"


def counted(cues: Iterable[Cue]) -> Iterator[Cue]:
    """The cues, while they are not too many and not too long.

    Raises:
        UnreadableError: they are.
    """
    for number, cue in enumerate(cues):
        if number == MOST_CUES:
            raise UnreadableError(f"it holds more than {MOST_CUES} cues")
        check_text(cue.text)
        yield cue


def check_text(text: str) -> None:
    """Raises `UnreadableError` if it is too long for one cue."""
    if len(text) > LONGEST_TEXT:
        raise UnreadableError(f"one cue of it has {len(text)} characters, more than {LONGEST_TEXT}")


def _cleaned(cue: Cue) -> Cue:
    """Without what would end the cue or the file: empty lines, control characters, an arrow."""
    text = cue.text.replace("\0", "\N{REPLACEMENT CHARACTER}").translate(_HIDDEN)
    lines = (line.strip() for line in re.split(r"\r\n|[\n\r\f\v\x85\u2028\u2029]", text))
    return replace(cue, text="\n".join(line for line in lines if line).replace("-->", "--&gt;"))


def _ended(cues: list[Cue]) -> Iterable[Cue]:
    """In order of time.

    A missing or reversed end is repaired, since the words are meant to be read: until the next cue starts, and for
    no longer than `READABLE`.
    """
    ordered = sorted(cues, key=lambda cue: (cue.start, cue.end))
    starts = [cue.start for cue in ordered]
    following = {start: later for start, later in pairwise(starts) if later > start}
    for cue in ordered:
        if cue.end > cue.start:
            yield cue
        else:
            latest = cue.start + READABLE
            yield replace(cue, end=min(latest, following.get(cue.start, latest)))


def _from_zero(cues: list[Cue], length: int | None) -> list[Cue]:
    """Without the hours of a tape: a programme often starts at 10:00:00, and then no cue fits into the film."""
    hours = cues[0].start // HOUR * HOUR if length and cues[0].start >= length else 0
    return [replace(cue, start=cue.start - hours, end=cue.end - hours) for cue in cues] if hours else cues


def _limited(cues: Iterable[Cue], length: int) -> Iterable[Cue]:
    return (replace(cue, end=min(cue.end, length)) for cue in cues if cue.start < length)


def _check_size(cues: list[Cue], head: Sequence[str]) -> None:
    segment = SEGMENT_SECONDS * 1000
    segments = max(cue.end for cue in cues) // segment + 1
    written = sum(((cue.end - cue.start) // segment + 2) * len(_block(cue)) for cue in cues)
    if written + segments * sum(map(len, head)) > MOST_PACKAGED:
        raise UnreadableError("too much of it (text, names of cues, styles) is shown at the same time")


def _block(cue: Cue) -> str:
    timing = f"{_time(cue.start)} --> {_time(cue.end)} {cue.settings}".rstrip()
    return "\n".join([*([cue.identifier] if cue.identifier else []), timing, cue.text])


def _time(milliseconds: int) -> str:
    seconds, fraction = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:03}"
