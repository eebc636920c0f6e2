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
