"""WebVTT: kept as it is, apart from what a parser would stumble over."""

import re
from collections.abc import Iterator

from activities.text.cues import Cue, UnreadableError

TIMING = re.compile(
    r"(?:(\d{1,6}):)?(\d{1,2}):(\d{1,2})[.,](\d{3})[ \t]*-->[ \t]*"
    r"(?:(\d{1,6}):)?(\d{1,2}):(\d{1,2})[.,](\d{3})(?:[ \t](.{0,500}))?",
    re.ASCII,
)
"""Of a line without blanks around it. No two parts that repeat can take the same characters: time would multiply."""
SETTING = re.compile(
    r"(?:vertical:(?:rl|lr)|line:(?:-?\d{1,6}|\d{1,3}(?:\.\d{1,6})?%)(?:,(?:start|center|end))?|"
    r"position:\d{1,3}(?:\.\d{1,6})?%(?:,(?:line-left|center|line-right))?|size:\d{1,3}(?:\.\d{1,6})?%|"
    r"align:(?:start|center|middle|end|left|right)|region:(?:(?!-->)[^\x00-\x20\x7f]){1,100})",
    re.ASCII,
)

COMMENT = re.compile(r"NOTE(?:[ \t].*)?")
"""First line of a block. A name that only begins like that is one."""
HEAD = re.compile(r"[ \t]*(?:STYLE|REGION)[ \t]*")
ELSEWHERE = re.compile(r"@import|\burl\(|\bimage-set\(", re.IGNORECASE)
"""What the standard forbids players to fetch; not all of them know."""


def read(text: str) -> tuple[list[Cue], list[str]]:
    """The cues, and the style and region blocks. Comments are left out, and styles that lead to other files.

    Raises:
        UnreadableError: the text does not start as WebVTT does.
    """
    if not re.match(r"WEBVTT(?:[ \t\n]|$)", text):
        raise UnreadableError('its first line is not "WEBVTT"')
    cues: list[Cue] = []
    head: list[str] = []
    for block in _blocks(text):
        if cue := _cue(block):
            cues.append(cue)
        elif not cues and _is_head(block):
            head.append("\n".join([block[0].strip(), *block[1:]]).replace("\0", "\N{REPLACEMENT CHARACTER}"))
    return cues, head


def _is_head(block: list[str]) -> bool:
    is_block = HEAD.fullmatch(block[0]) and len(block) > 1 and "-->" not in "".join(block)
    return bool(is_block) and not any(ELSEWHERE.search(line) for line in block)


def _blocks(text: str) -> Iterator[list[str]]:
    block: list[str] = []
    for line in [*text.split("\n")[1:], ""]:
        if "-->" in line and any("-->" in other for other in block):
            # An empty line is missing: the time starts a cue, whose name belongs to nothing.
            yield block
            block = []
        if line.strip(" \t"):
            block.append(line)
        elif block:
            yield block
            block = []


def _cue(block: list[str]) -> Cue | None:
    if COMMENT.fullmatch(block[0]):
        return None
    for place, line in enumerate(block[:2]):
        if match := TIMING.fullmatch(line.strip(" \t")):
            numbers = [int(number or 0) for number in match.groups()[:8]]
            start, end = _milliseconds(*numbers[:4]), _milliseconds(*numbers[4:])
            settings = " ".join(_settings(match[9] or ""))
            return Cue(start, end, "\n".join(block[place + 1 :]), settings, _name(block[0]) if place else "")
    return None


def _name(line: str) -> str:
    """Of a cue; none where it would begin another kind of block, which takes the cue away: nobody sees names."""
    name = line.strip()
    return name if line.isprintable() and not HEAD.fullmatch(name) and not COMMENT.fullmatch(name) else ""


def _settings(text: str) -> Iterator[str]:
    # `middle` is what early drafts called the centre.
    return (found.replace("align:middle", "align:center") for found in text.split() if SETTING.fullmatch(found))


def _milliseconds(hours: int, minutes: int, seconds: int, fraction: int) -> int:
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + fraction
