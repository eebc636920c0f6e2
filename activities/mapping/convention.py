"""Reads names by convention: the ending tells the kind, a language code and a mark may stand at the end of the stem.

`movie.mp4`, `audio-fr.m4a`, `audio.fr.ad.m4a`, `movie_pt-BR.srt`, `cc-en.vtt`, `en.vtt`. Code and mark come in either
order, each behind `-`, `_` or `.`, or first; the parts of a code stand behind `-` or `_`. A video that is called like a
language and nothing else (`it.mp4`) has a title, not a code.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import regex

from activities.languages import canonical
from activities.mappings import TEXT_FORMATS, VIDEO_NAMES, Claim, suffix

AUDIO_NAMES = r"(?i)\.(?:aac|ac3|aiff?|eac3|ec3|flac|m4a|mka|mp[23]|og[ag]|opus|w64|wav|wma)$"
LONG_CODES = frozenset({"ast", "ceb", "ckb", "cmn", "fil", "gsw", "haw", "hsb", "mai", "nds", "nso", "sco", "yue"})
"""Languages that have no code of two letters and that names may tell; others are words too often: `mix`, `sdh`."""
LONGEST = len("-zho-Hant-419")

_MARK = regex.compile(r"(?i)(?:^|[-_.])(?P<mark>ad|cc)\Z")
# Of the numbers of regions only Latin America's: the others are numbers of episodes.
_CODE = regex.compile(r"(?i)(?:^|[-_.])(?P<code>(?P<language>[a-z]{2,3})(?:[-_][a-z]{4})?(?:[-_](?:[a-z]{2}|419))?)\Z")


@dataclass(frozen=True)
class _Stem:
    """What a stem tells."""

    title: str
    """What stands before code and marks."""
    language: str | None
    marks: frozenset[str]


def by_convention(name: str) -> list[Claim]:
    """What the file `name` is taken for; nothing where it is hidden or its ending is none that this service reads."""
    if PurePosixPath(name).name.startswith("."):
        return []
    stem = _read(PurePosixPath(name).stem)
    descriptive = "ad" in stem.marks
    if regex.search(VIDEO_NAMES, name):
        return [Claim("video", stem.language if stem.title else None, descriptive)]
    if regex.search(AUDIO_NAMES, name):
        return [Claim("audio", stem.language, descriptive)]
    if suffix(name) in TEXT_FORMATS:
        return [Claim("caption" if "cc" in stem.marks else "subtitle", stem.language)]
    return []


def _read(stem: str) -> _Stem:
    stem, behind = _without_mark(stem)
    stem, language = _without_code(stem)
    title, before = _without_mark(stem)
    return _Stem(title, language, frozenset((before, behind)))


def _without_mark(stem: str) -> tuple[str, str]:
    if match := _MARK.search(stem, max(0, len(stem) - len("-ad"))):
        return stem[: match.start()], match["mark"].lower()
    return stem, ""


def _without_code(stem: str) -> tuple[str, str | None]:
    for start, code in _codes(stem):
        if tag := canonical(code):
            return stem[:start], tag
    return stem, None


def _codes(stem: str) -> Iterator[tuple[int, str]]:
    """What may be a code at the end, the longest first, with the place where it or its separator starts."""
    for match in _CODE.finditer(stem, max(0, len(stem) - LONGEST), overlapped=True):
        if _may_be_told(match["language"].lower()):
            yield match.start(), match["code"]


def _may_be_told(language: str) -> bool:
    """Whether it has a code of two letters (`eng` has: `en`) or is one of the others that we look for."""
    tag = canonical(language) or ""
    return len(tag) == len("en") or language in LONG_CODES
