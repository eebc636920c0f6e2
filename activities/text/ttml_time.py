"""Times of TTML."""

import re
from dataclasses import dataclass
from fractions import Fraction

from activities.text.cues import UnreadableError
from activities.text.xml import Attributes

CLOCK = re.compile(r"(\d{1,6}):(\d{1,2}):(\d{1,2})(?:[.,](\d{1,18})|[:;](\d{1,4})(?:\.\d{1,4})?)?", re.ASCII)
OFFSET = re.compile(r"(\d{1,18}(?:\.\d{1,18})?)(h|ms|m|s|f|t)", re.ASCII)
UNITS = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}


@dataclass(frozen=True)
class Clock:
    """How the document counts. Times are in milliseconds."""

    frame_rate: float
    """Frames in a second."""
    counted: int
    """Frames that a second has in a time code: 30 at 29.97."""
    tick_rate: float
    smpte: bool = False
    """Whole time codes count frames: an hour of them is longer than an hour at 23.976."""
    drop: str = "nonDrop"

    @classmethod
    def of(cls, root: Attributes, film: Fraction) -> "Clock":
        """As the `tt` element says. `film`: frames in a second where it says nothing."""
        named = root.get("frameRate")
        multiplier = _ratio(root.get("frameRateMultiplier", "1 1"))
        rate = _number(named) * multiplier if named else float(film)
        counted = int(_number(named)) if named else round(film)
        ticks = root.get("tickRate")
        drop = root.get("dropMode", "nonDrop")
        smpte = root.get("timeBase") == "smpte" or drop != "nonDrop"
        return cls(rate, counted, _number(ticks) if ticks else rate if named else 1, smpte, drop)

    def milliseconds(self, expression: str) -> float:
        """Of a time expression.

        Raises:
            UnreadableError: it is none.
        """
        text = expression.strip()
        if match := CLOCK.fullmatch(text):
            hours, minutes, seconds = (int(number) for number in match.groups()[:3])
            whole = (hours * 60 + minutes) * 60 + seconds
            if match[4]:
                return whole * 1000 + float(f"0.{match[4]}") * 1000
            frames = int(match[5] or 0)
            if self.smpte:
                return (whole * self.counted + frames - self._dropped(hours, minutes)) / self.frame_rate * 1000
            return whole * 1000 + frames / self.frame_rate * 1000
        if match := OFFSET.fullmatch(text):
            if match[2] in UNITS:
                return float(match[1]) * UNITS[match[2]]
            return float(match[1]) / (self.frame_rate if match[2] == "f" else self.tick_rate) * 1000
        raise UnreadableError(f"{text[:50]!r} is not a time")

    def _dropped(self, hours: int, minutes: int) -> int:
        """Numbers of frames that the time code has left out since midnight."""
        if self.drop == "dropNTSC":
            return 108 * hours + 2 * (minutes - minutes // 10)
        if self.drop == "dropPAL":
            return 108 * hours + 4 * (minutes // 2 - minutes // 20)
        return 0


def _number(text: str) -> float:
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text.strip(), re.ASCII) and (number := float(text)) >= 1:
        return number
    raise UnreadableError(f"{text[:50]!r} is not a rate")


def _ratio(text: str) -> float:
    # A space between the numbers; a colon in drafts.
    numbers = re.fullmatch(r"(\d{1,9})(?:[ :]+(\d{1,9}))?", text.strip(), re.ASCII)
    if not numbers or not int(numbers[1]) or not int(numbers[2] or 1):
        raise UnreadableError(f"{text[:50]!r} is not a frame rate multiplier")
    return int(numbers[1]) / int(numbers[2] or 1)
