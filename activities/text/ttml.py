"""TTML, DFXP and iTT: nested times and styles become cues."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import inf

from activities.text.cues import MOST_CUES, Cue, UnreadableError, check_text, escaped
from activities.text.ttml_style import INHERITED, Sheet, rules, tags
from activities.text.ttml_time import Clock
from activities.text.xml import Attributes, Element, parsed

CONTENT = ("div", "p", "span", "br")
MOST_PARTS = 20
"""Parts of a paragraph that have times of their own: each may make a cue."""
HIDDEN = {"display": "none", "visibility": "hidden"}


@dataclass(frozen=True)
class Scope:
    """What an element passes on. Times in milliseconds."""

    begin: float = 0
    end: float = inf
    style: Attributes = field(default_factory=dict)
    region: Attributes = field(default_factory=dict)
    preserve: bool = False

    @property
    def shown(self) -> Attributes:
        """The style, with that of the region behind it."""
        return {key: value for key, value in self.region.items() if key in INHERITED} | self.style


@dataclass(frozen=True)
class Part:
    """Text of one time and style."""

    begin: float
    end: float
    tags: tuple[str, ...]
    text: str


class Document:
    """One file. `film`: frames in a second where the file does not say."""

    def __init__(self, text: str, film: Fraction) -> None:
        root = parsed(text)
        if root.name != "tt":
            raise UnreadableError(f"its root element is {root.name[:50]!r}, not 'tt'")
        self.clock = Clock.of(root.attributes, film)
        self.sheet = Sheet.of(root)
        self.used: set[str] = set()
        self.cues: list[Cue] = []
        start = Scope(preserve=root.attributes.get("space") == "preserve")
        for body in root.elements("body"):
            self._walk(body, self._scope(body, start, 0))

    @property
    def head(self) -> list[str]:
        """The style blocks."""
        return rules(self.used)

    def _scope(self, element: Element, outer: Scope, after: float) -> Scope:
        """`after`: when the sibling before it ends, where siblings follow each other."""
        own = element.attributes
        begin = outer.begin + after + self._time(own, "begin", 0)
        end = min(begin + self._time(own, "dur", inf), outer.begin + after + self._time(own, "end", inf), outer.end)
        region = self.sheet.regions.get(own["region"], {}) if "region" in own else outer.region
        style = outer.style | self.sheet.style(own)
        preserve = own["space"] == "preserve" if "space" in own else outer.preserve
        return Scope(begin, end, style, region, preserve)

    def _time(self, attributes: Attributes, name: str, missing: float) -> float:
        return self.clock.milliseconds(attributes[name]) if name in attributes else missing

    def _inside(self, element: Element, scope: Scope) -> Iterator[tuple[Element | str, Scope]]:
        follow = element.attributes.get("timeContainer") == "seq"
        after: float = 0
        for child in element.children:
            if isinstance(child, str):
                yield child, scope
            elif child.name in CONTENT:
                inner = self._scope(child, scope, after)
                yield child, inner
                if follow:
                    after = (inner.end if inner.end < inf else inner.begin) - scope.begin

    def _walk(self, element: Element, scope: Scope) -> None:
        for child, inner in self._inside(element, scope):
            if isinstance(child, Element) and child.name == "p":
                self._paragraph(child, inner)
            elif isinstance(child, Element) and child.name == "div":
                self._walk(child, inner)

    def _paragraph(self, element: Element, scope: Scope) -> None:
        parts = [part for part in self._parts(element, scope) if part.end > part.begin]
        if scope.end == inf and all(part.end == inf for part in parts):
            # Nobody says when it ends.
            self._add(parts, scope, min((part.begin for part in parts), default=scope.begin), 0)
            return
        times = sorted({time for part in parts for time in (part.begin, part.end)})
        if len(times) > MOST_PARTS:
            raise UnreadableError(f"a paragraph has more than {MOST_PARTS} times of its own")
        for begin, end in pairwise(times):
            self._add([part for part in parts if part.begin <= begin and part.end >= end], scope, begin, end)

    def _parts(self, element: Element, scope: Scope) -> Iterator[Part]:
        shown = scope.shown
        if any(shown.get(key) == value for key, value in HIDDEN.items()):
            return
        for child, inner in self._inside(element, scope):
            if isinstance(child, str):
                text = child if scope.preserve else re.sub(r"[ \t\r\n]+", " ", child)
                yield Part(scope.begin, scope.end, tags(shown), text)
            elif child.name == "br":
                yield Part(scope.begin, scope.end, tags(shown), "\n")
            elif child.name == "span":
                yield from self._parts(child, inner)

    def _add(self, parts: list[Part], scope: Scope, begin: float, end: float) -> None:
        # Before it is escaped and after: every time of a paragraph has all of its text.
        check_text("".join(part.text for part in parts))
        text = _marked(parts)
        check_text(text)
        if text:
            self.used.update(tag for part in parts for tag in part.tags)
            settings = self.sheet.settings(scope.region, scope.shown, text.count("\n") + 1)
            if len(self.cues) > MOST_CUES:
                raise UnreadableError(f"it holds more than {MOST_CUES} cues")
            # Beyond any film, so that an integer can hold it.
            self.cues.append(Cue(round(begin), round(min(end, 1e15)), text, settings))


def _marked(parts: list[Part]) -> str:
    """Cue text: a tag is closed only where the next part does not have it."""
    made: list[str] = []
    opened: tuple[str, ...] = ()
    for part in parts:
        if part.tags != opened and part.text.strip():
            made += [_close(opened), *(f"<{tag}>" for tag in part.tags)]
            opened = part.tags
        made.append(escaped(part.text))
    return "".join([*made, _close(opened)]).strip()


def _close(opened: tuple[str, ...]) -> str:
    return "".join(f"</{tag.partition('.')[0]}>" for tag in reversed(opened))
