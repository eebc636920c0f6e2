"""Loudness after EBU R 128: what was measured, and what makes it right."""

import errno
import json
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from activities.machine import FAULTS, MachineError

TARGET = -23.0
"""LUFS"""
UNMEASURED = "{}"
"""What is in the file for the result before."""
PEAK = -1.0
"""dBTP; no sample may be louder."""
OVERSAMPLED = 192_000
"""At this rate the samples show the peaks that lie between those of the film."""


@dataclass(frozen=True)
class Loudness:
    """One sound from its start to its end."""

    integrated: float
    """LUFS; minus infinity where there is nothing but silence"""
    peak: float
    """dBTP"""

    @property
    def gain(self) -> float:
        """Decibels to the target; silence stays silent."""
        return round(TARGET - self.integrated, 2) if isfinite(self.integrated) else 0.0

    @property
    def overshoots(self) -> bool:
        """Whether peaks would be too loud at the target."""
        return self.peak + self.gain > PEAK


def measured(sound: Any, stats: Path) -> Any:
    """A sound that is measured as it passes; the result is in `stats` afterwards."""
    return sound.filter("loudnorm", i=TARGET, print_format="json", stats_file=str(stats))


def loudness_in(stats: Path) -> Loudness | None:
    """What `measured` left; None where there was nothing to measure.

    Raises:
        MachineError: it could not be written, which ffmpeg does not tell.
    """
    try:
        found = json.loads(stats.read_text())
    except ValueError:
        raise MachineError(FAULTS[errno.ENOSPC]) from None
    return Loudness(float(found["input_i"]), float(found["input_tp"])) if found else None


def normalized(sound: Any, loudness: Loudness) -> Any:
    """A sound at the target: one gain for the whole film, so that its dynamics stay; only peaks are held down."""
    louder = sound.filter("volume", volume=f"{loudness.gain}dB", precision="double")
    if not loudness.overshoots:
        return louder
    limit = round(10 ** (PEAK / 20), 4)
    return louder.filter("aresample", OVERSAMPLED).filter("alimiter", limit=limit, level=0, latency=1)
