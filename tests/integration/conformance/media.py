"""What the first bytes of an MP4 file say, against which manifests are held."""

import struct
import uuid
from dataclasses import dataclass
from pathlib import Path

CONFIGURATIONS = {
    "avc1": b"avcC",
    "avc3": b"avcC",
    "hvc1": b"hvcC",
    "hev1": b"hvcC",
    "mp4a": b"esds",
    "ac-3": b"dac3",
    "ec-3": b"dec3",
    "wvtt": b"wvtt",
}
PICTURES = (b"avc1", b"avc3", b"hvc1", b"hev1", b"encv")


@dataclass(frozen=True)
class Init:
    """The sample description of an initialization segment."""

    description: bytes

    @classmethod
    def of(cls, path: Path) -> "Init":
        content = path.read_bytes()[:100_000]
        return cls(content[content.index(b"stsd") :])

    @property
    def encrypted(self) -> bool:
        return b"tenc" in self.description

    @property
    def scheme(self) -> str:
        place = self.description.index(b"schm") + 8
        return self.description[place : place + 4].decode()

    @property
    def key_id(self) -> str:
        place = self.description.index(b"tenc") + 12
        return str(uuid.UUID(bytes=self.description[place : place + 16]))

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height; None = it is no picture."""
        entry = self.description[16:20] if self.description[16:20] in PICTURES else None
        return struct.unpack_from(">HH", self.description, 44) if entry else None

    def has(self, codec: str) -> bool:
        """Whether a codecs parameter describes it, for AVC with profile and level."""
        kind, _, details = codec.partition(".")
        box = CONFIGURATIONS.get(kind)
        if not box or box not in self.description:
            return False
        place = self.description.index(box) + 5
        return box != b"avcC" or self.description[place : place + 3].hex() == details.lower()


def boxes(content: bytes) -> dict[int, tuple[str, int]]:
    """Where each top-level box starts → its name, and where it ends; no test has a file with sizes of 64 bits."""
    found: dict[int, tuple[str, int]] = {}
    place = 0
    while place + 8 <= len(content):
        size, name = struct.unpack_from(">I4s", content, place)
        found[place] = (name.decode("latin-1"), place + size)
        place += max(size, 8)
    return found


@dataclass(frozen=True)
class Index:
    """A `sidx` box: the segments that follow it."""

    timescale: int
    start: int
    """Time of the first picture or sample, in the timescale."""
    offset: int
    """Bytes from the end of the box to the first segment."""
    sizes: tuple[int, ...]
    durations: tuple[int, ...]

    @classmethod
    def of(cls, box: bytes) -> "Index":
        timescale, times = struct.unpack_from(">I", box, 16)[0], ">QQ" if box[8] else ">II"
        start, offset = struct.unpack_from(times, box, 20)
        first = 20 + struct.calcsize(times) + 4
        references = list(struct.iter_unpack(">III", box[first:]))
        return cls(timescale, start, offset, tuple(r[0] for r in references), tuple(r[1] for r in references))
