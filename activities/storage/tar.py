"""A tar archive that is nowhere: its bytes are made from the files that it holds while they are read."""

import io
import tarfile
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

END = 2 * tarfile.BLOCKSIZE
"""Zeros behind the last member, at least."""


@dataclass(frozen=True)
class _Member:
    start: int
    header: bytes
    path: Path
    size: int
    """Of the file, in bytes."""


@dataclass(frozen=True)
class Status:
    """What `os.stat` would tell."""

    st_size: int
    st_mtime_ns: int
    """Of the newest member."""


class Tar:
    """Can be sent like a local file; the same files always make the same bytes.

    Args:
        members: local files, in order, each with its name in the archive.

    Raises:
        OSError: one is not there.
    """

    def __init__(self, name: str, members: Sequence[tuple[Path, str]]) -> None:
        self.name = name
        self._members: list[_Member] = []
        end = newest = 0
        for path, member in members:
            status = path.stat()
            header = _header(member, status.st_size)
            self._members.append(_Member(end, header, path, status.st_size))
            end += len(header) + _whole(status.st_size, tarfile.BLOCKSIZE)
            newest = max(newest, status.st_mtime_ns)
        self._status = Status(_whole(end + END, tarfile.RECORDSIZE), newest)

    def stat(self) -> Status:
        """Size and time."""
        return self._status

    def open(self, mode: Literal["rb"] = "rb", buffering: Literal[0] = 0) -> "_Reader":
        """The bytes, to be read from any place."""
        del mode, buffering
        return _Reader(self._members, self._status.st_size)


class _Reader(io.RawIOBase):
    def __init__(self, members: list[_Member], size: int) -> None:
        super().__init__()
        self._members = members
        self._starts = [member.start for member in members]
        self._size = size
        self._at = 0
        self._opened: tuple[Path, io.FileIO] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self._opened:
            self._opened[1].close()
        super().close()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence] + offset
        return self._at

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # type: ignore[override]
        view = memoryview(buffer)[: max(0, self._size - self._at)]
        done = 0
        while done < len(view):
            size = self._fill(view[done:])
            self._at += size
            done += size
        return done

    def _fill(self, view: memoryview) -> int:
        """Some bytes from where it stands: a header's, a file's, or the zeros between; returns how many."""
        place = bisect_right(self._starts, self._at) - 1
        after = self._starts[place + 1] if place + 1 < len(self._starts) else self._size
        member, offset = self._members[place], self._at - self._members[place].start
        if header := member.header[offset : offset + len(view)]:
            view[: len(header)] = header
            return len(header)
        offset -= len(member.header)
        if offset < member.size:
            return self._read(member, offset, view[: member.size - offset])
        size = min(len(view), after - self._at)
        view[:size] = bytes(size)
        return size

    def _read(self, member: _Member, offset: int, view: memoryview) -> int:
        if not self._opened or self._opened[0] != member.path:
            if self._opened:
                self._opened[1].close()
            self._opened = member.path, io.FileIO(member.path)
        file = self._opened[1]
        file.seek(offset)
        if not (size := file.readinto(view)):
            raise OSError(f"{member.path.name} has become shorter")
        return size


def _header(name: str, size: int) -> bytes:
    """Nothing in it tells where or when it was made."""
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.PAX_FORMAT)


def _whole(size: int, unit: int) -> int:
    return -(-size // unit) * unit
