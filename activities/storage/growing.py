"""A file that grows in the work folder, with notes of what there is of it: for any attempt that goes on with it."""

import json
import os
from contextlib import ExitStack, suppress
from io import FileIO
from pathlib import Path

MISSING, DONE = 0, 1
"""What is noted of a piece."""


class Growing:
    """An open file and its notes: a line that tells of what, and of which file by its number; then a byte per piece.

    Several attempts may write to it, as long as it is of one version: they write the same.
    """

    def __init__(self, part: FileIO, notes: FileIO, version: str, size: int) -> None:
        self._part = part
        self._notes = notes
        self._header = json.dumps([version, size, os.fstat(part.fileno()).st_ino]).encode() + b"\n"

    @property
    def path(self) -> Path:
        """A name that means this very file, while it is open."""
        return Path(f"/proc/self/fd/{self._part.fileno()}")

    def begin(self) -> None:
        """Write the first line of the notes."""
        os.pwrite(self._notes.fileno(), self._header, 0)

    def is_begun(self) -> bool:
        """Whether the notes are about this file, and this version."""
        return os.pread(self._notes.fileno(), len(self._header), 0) == self._header

    def done(self, pieces: int) -> bytearray:
        """A byte for each of so many pieces."""
        noted = os.pread(self._notes.fileno(), pieces, len(self._header))
        return bytearray(noted.ljust(pieces, bytes([MISSING])))

    def write(self, at: int, data: bytes | memoryview) -> None:
        """Put bytes in their place."""
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self._part.fileno(), rest, at)
            at, rest = at + written, rest[written:]

    def note(self, number: int) -> None:
        """A piece is there."""
        os.pwrite(self._notes.fileno(), bytes([DONE]), len(self._header) + number)

    def is_at(self, path: Path) -> bool:
        """Whether `path` means this very file."""
        with suppress(FileNotFoundError):
            return os.path.samestat(path.stat(), os.fstat(self._part.fileno()))
        return False

    def close(self) -> None:
        """Leave everything as it is."""
        self._part.close()
        self._notes.close()


def found(part: Path, notes: Path, version: str, size: int) -> Growing | None:
    """What other attempts have left of this version, or are still at; None where there is nothing."""
    with suppress(FileNotFoundError), ExitStack() as opened:
        # The file first: no other gets its number while it is open, so that the notes cannot mean another one.
        file, about = (opened.enter_context(FileIO(path, "r+")) for path in (part, notes))
        growing = Growing(file, about, version, size)
        if growing.is_begun():
            opened.pop_all()
            return growing
    return None


def begun(part: Path, notes: Path, version: str, size: int) -> Growing:
    """A new one.

    Raises:
        FileExistsError: another attempt begins at this moment.
    """
    notes.unlink(missing_ok=True)  # first: they are about what goes now
    part.unlink(missing_ok=True)
    with ExitStack() as opened:
        file, about = (opened.enter_context(FileIO(path, "x+", opener=_private)) for path in (part, notes))
        growing = Growing(file, about, version, size)
        growing.begin()
        opened.pop_all()
        return growing


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
