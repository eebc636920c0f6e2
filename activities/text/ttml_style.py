"""Styles and regions of TTML, as far as WebVTT has them."""

import re
from dataclasses import dataclass, field

from activities.text.xml import Attributes, Element

INHERITED = {"color", "display", "fontStyle", "fontWeight", "textAlign", "textDecoration", "visibility"}
PLACED = {"displayAlign", "extent", "origin"}
LONGEST_CHAIN = 16
LONGEST_VALUE = 200
"""Characters of an attribute: each cue looks at those that it inherits."""
COLOURS = {
    "lime": "00ff00",
    "cyan": "00ffff",
    "aqua": "00ffff",
    "red": "ff0000",
    "yellow": "ffff00",
    "magenta": "ff00ff",
    "fuchsia": "ff00ff",
    "blue": "0000ff",
    "black": "000000",
    "white": "ffffff",
    "green": "008000",
    "silver": "c0c0c0",
    "gray": "808080",
    "maroon": "800000",
    "olive": "808000",
    "navy": "000080",
    "purple": "800080",
    "teal": "008080",
}
CLASSES = {
    "00ff00": "lime",
    "00ffff": "cyan",
    "ff0000": "red",
    "ffff00": "yellow",
    "ff00ff": "magenta",
    "0000ff": "blue",
    "000000": "black",
}
"""What every player knows; white is the default."""
ALIGNED = {"left": "align:left", "start": "align:left", "right": "align:right", "end": "align:right"}
LINE_HEIGHT = 5.33
"""Percent of the picture, as players draw a line."""
BOTTOM = 80
"""Percent: what ends below stands where players put a cue anyhow."""


@dataclass
class Sheet:
    """The head of a document."""

    root: Attributes
    styles: dict[str, Element] = field(default_factory=dict)
    regions: dict[str, Attributes] = field(default_factory=dict)
    _resolved: dict[str, Attributes] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Element) -> "Sheet":
        sheet = cls(_short(root.attributes))
        for head in root.elements("head"):
            for part in head.elements("styling"):
                sheet.styles |= {style.attributes.get("id", ""): style for style in part.elements("style")}
        for head in root.elements("head"):
            for part in head.elements("layout"):
                sheet.regions |= {
                    each.attributes.get("id", ""): sheet._region(each) for each in part.elements("region")
                }
        return sheet

    def style(self, attributes: Attributes, depth: int = 0) -> Attributes:
        """What an element says of itself, also by reference."""
        found: Attributes = {}
        for name in attributes.get("style", "").split() if depth < LONGEST_CHAIN else ():
            if name not in self._resolved:
                self._resolved[name] = {}  # also ends a circle
                if style := self.styles.get(name):
                    self._resolved[name] = self.style(style.attributes, depth + 1)
            found |= self._resolved[name]
        return found | {key: value for key, value in _short(attributes).items() if key in INHERITED | PLACED}

    def _region(self, element: Element) -> Attributes:
        found = self.style(element.attributes)
        for style in element.elements("style"):
            found |= self.style(style.attributes)
        return found

    def settings(self, region: Attributes, style: Attributes, lines: int) -> str:
        """The cue settings of a text of so many lines."""
        x, y = self._lengths(region.get("origin", ""))
        width, height = self._lengths(region.get("extent", ""))
        found = []
        if y is not None and height is not None:
            found += _vertical(y, height, region.get("displayAlign", "before"), lines)
        if align := ALIGNED.get(style.get("textAlign", "")):
            found.append(align)
        if x is not None and width is not None and "textAlign" in style:
            found += _horizontal(x, width, align)
        return " ".join(found)

    def _lengths(self, text: str) -> tuple[float | None, float | None]:
        """Percent of the picture's width and height; none where that cannot be told."""
        found = re.findall(r"(\d{1,6}(?:\.\d{1,9})?)(%|px|c|rw|rh)", text, re.ASCII)
        if len(found) != 2:  # noqa: PLR2004 - x and y
            return None, None
        whole = re.findall(r"(\d{1,6})px", self.root.get("extent", ""), re.ASCII)
        cells = re.findall(r"\d{1,6}", self.root.get("cellResolution", "32 15"), re.ASCII)
        made: list[float | None] = []
        for place, (number, unit) in enumerate(found):
            total = {"px": whole, "c": cells}.get(unit, ["100", "100"])
            known = place < len(total) and int(total[place])
            made.append(min(float(number) * 100 / known, 100.0) if known else None)
        return made[0], made[1]


def _short(attributes: Attributes) -> Attributes:
    return {key: value for key, value in attributes.items() if len(value) <= LONGEST_VALUE}


def _vertical(y: float, height: float, align: str, lines: int) -> list[str]:
    """By the first line, since the packager drops what says that a position is the last."""
    end = min(y + height, 100)
    if align == "after" and end >= BOTTOM:
        return []
    needed = lines * LINE_HEIGHT
    top = {"after": end - needed, "center": (y + end - needed) / 2}.get(align, y)
    return [] if top + needed > 100 else [f"line:{max(round(top), 0)}%"]  # noqa: PLR2004 - percent


def _horizontal(x: float, width: float, align: str | None) -> list[str]:
    place = {"align:left": x, "align:right": x + width}.get(align or "", x + width / 2)
    usual = {"align:left": 0, "align:right": 100}.get(align or "", 50)
    return [] if round(place) == usual else [f"position:{min(round(place), 100)}%"]


def tags(style: Attributes) -> tuple[str, ...]:
    """The WebVTT tags of a style, the outermost first."""
    found = []
    colour = _colour(style.get("color", ""))
    if colour and colour != "ffffff":
        found.append(f"c.{CLASSES.get(colour, f'c{colour}')}")
    found += ["b"] if style.get("fontWeight") == "bold" else []
    found += ["i"] if style.get("fontStyle") in {"italic", "oblique"} else []
    found += ["u"] if "underline" in style.get("textDecoration", "").split() else []
    return tuple(found)


def rules(used: set[str]) -> list[str]:
    """A style block for the colours that players do not know by name."""
    own = sorted(tag for tag in used if re.fullmatch(r"c\.c[0-9a-f]{6}", tag))
    return ["\n".join(["STYLE", *(f"::cue(.{tag[2:]}) {{ color: #{tag[3:]} }}" for tag in own)])] if own else []


def _colour(text: str) -> str | None:
    """Six hexadecimal digits."""
    text = text.strip().lower()
    if match := re.fullmatch(r"#([0-9a-f]{6})(?:[0-9a-f]{2})?", text):
        return match[1]
    if match := re.fullmatch(r"rgba?\((\d{1,3}),(\d{1,3}),(\d{1,3})(?:,\d{1,3})?\)", text.replace(" ", ""), re.ASCII):
        return "".join(f"{min(int(part), 255):02x}" for part in match.groups())
    return COLOURS.get(text)
