"""SubRip. It has no standard: what players show decides."""

import re
from collections.abc import Iterator
from html import unescape

from activities.text.cues import Cue, check_text, escaped

_TIME = r"(?:(\d{1,6})[ ]?:[ ]?)?(\d{1,2})[ ]?:[ ]?(\d{1,2})(?:[ ]?[,.:;][ ]?(\d{1,9}))?"
TIMING = re.compile(rf"[ \t]*{_TIME}[ \t]*-{{1,3}}>[ \t]*{_TIME}(?:[ \t].{{0,500}})?", re.ASCII)
MARKUP = re.compile(
    r"<(/?)([a-z]{1,10})(?:[ /][^<>\n]{0,500})?>|\{(/?)([biu])\}|\{(\\)([^{}\n]{0,500})\}", re.IGNORECASE | re.ASCII
)
KEPT = {"b", "i", "u"}
DROPPED = {"font", "span", "s", "strike", "c", "p", "em", "strong"}
PLACES = {
    "7": "line:0 align:left",
    "8": "line:0",
    "9": "line:0 align:right",
    "4": "line:45% align:left",
    "5": "line:45%",
    "6": "line:45% align:right",
    "1": "align:left",
    "3": "align:right",
}
"""Of `{\\an…}`, which counts as the digits of a keyboard lie; 2 is where a cue is anyhow."""


def read(text: str) -> Iterator[Cue]:
    """Every cue. What stands before the first time is no text of a cue, and a counter is none either."""
    lines: list[str] = []
    timing: re.Match[str] | None = None
    counter = 0
    for line in text.split("\n"):
        if "-" in line and (match := TIMING.fullmatch(line)):
            counter = _without_counter(lines, counter)
            yield from _cue(timing, lines)
            timing, lines = match, []
        else:
            lines.append(line.strip())
    yield from _cue(timing, lines)


def _without_counter(lines: list[str], previous: int) -> int:
    """Take the counter of the next cue from the end of `lines`: a number that stands alone, or goes on counting."""
    if not lines or not re.fullmatch(r"\d{1,9}", lines[-1], re.ASCII):
        return previous
    number = int(lines[-1])
    if len(lines) == 1 or not lines[-2] or number == previous + 1:
        lines.pop()
        return number
    return previous


def _cue(timing: "re.Match[str] | None", lines: list[str]) -> Iterator[Cue]:
    if timing:
        text = "\n".join(line for line in lines if line)
        check_text(text)
        text, settings = _marked(text)
        yield Cue(_milliseconds(*timing.groups()[:4]), _milliseconds(*timing.groups()[4:]), text, settings)


def _milliseconds(hours: str | None, minutes: str, seconds: str, fraction: str | None) -> int:
    whole = (int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)
    return whole * 1000 + int((fraction or "0").ljust(3, "0")[:3])


def _marked(text: str) -> tuple[str, str]:
    """As cue text with balanced tags, and the settings of its place."""
    made: list[str] = []
    opened: list[str] = []
    settings, end = "", 0
    for match in MARKUP.finditer(text):
        closing, name = match[1] or match[3], (match[2] or match[4] or "").lower()
        if not match[5] and name not in KEPT | DROPPED | {"br"}:
            continue
        made.append(_plain(text[end : match.start()]))
        end = match.end()
        if match[5]:
            place = re.search(r"an([1-9])", match[6])
            settings = settings or (PLACES.get(place[1], "") if place else "")
        elif name == "br":
            made.append("\n")
        elif name in KEPT:
            made += _closed(name, opened) if closing else _opened(name, opened)
    made.append(_plain(text[end:]))
    return "".join([*made, *(f"</{name}>" for name in reversed(opened))]), settings


def _opened(name: str, opened: list[str]) -> list[str]:
    if name in opened:
        return []
    opened.append(name)
    return [f"<{name}>"]


def _closed(name: str, opened: list[str]) -> list[str]:
    """Close `name`, and for a moment what was opened inside it: WebVTT nests."""
    if name not in opened:
        return []
    inside = opened[opened.index(name) + 1 :]
    opened.remove(name)
    return [*(f"</{other}>" for other in reversed(inside)), f"</{name}>", *(f"<{other}>" for other in inside)]


def _plain(text: str) -> str:
    return escaped(re.sub(r"&#?\w{1,31};", lambda match: unescape(match[0]), text))
