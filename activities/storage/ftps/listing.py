"""What FTP servers say about a folder: `MLSD` (RFC 3659), or `LIST` in the form of Unix' `ls -l`."""

import ftplib
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from activities.storage.base import StorageError
from publishers.ftp import Client
from publishers.pace import pace

SIZE = re.compile(r"[0-9]{1,14}")
"""Up to 100 TB: whoever names more does not mean it."""
LIST_LINE = re.compile(
    r"(?P<kind>[a-zA-Z-])[rwxsStTlL-]{9}\S*\s.*?"  # permissions, links, owner, group
    r"\s(?P<size>\d+)\s+[^\s\d]\S*\s+\d{1,2}\s+[\d:]{4,5} "  # size, month, day, time or year
    r"(?P<name>.+)"
)
MAX_SHOWN = 100
CHUNK = 1 << 16
LISTING_BYTES = 32 << 20
MOST_LINES = 200_000
"""Of one folder, at most; the same goes for the bytes."""
LISTING_SECONDS = 120.0
"""For one folder, at most."""
LONGEST_LINE = 8192


class Kind(Enum):
    """What a name in a folder stands for."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    """To a file or a folder: only asking tells."""
    OTHER = "other"


@dataclass(frozen=True)
class Listed:
    """One line of a listing."""

    name: str
    """As it was sent: it can be anything but empty, `.` and `..`, and hold bytes that are no UTF-8 (as surrogates)."""
    kind: Kind
    size: int = -1
    """bytes; -1 where it was not told, or is none"""
    unique: str = ""
    """The same for two names of one folder; empty where the server does not tell."""


MLSD_KINDS = {"file": Kind.FILE, "dir": Kind.FOLDER}
LIST_KINDS = {"-": Kind.FILE, "d": Kind.FOLDER, "l": Kind.LINK}


def size_of(text: str) -> int:
    """A size in bytes, -1 where `text` is none."""
    return int(text) if SIZE.fullmatch(text) else -1


def facts_of(line: str) -> tuple[dict[str, str], str]:
    """The facts of a line of `MLSD` or `MLST`, by lower-case name, and the name of the file."""
    facts, _, name = line.partition(" ")
    pairs = (fact.partition("=") for fact in facts.split(";"))
    return {key.lower(): value for key, _, value in pairs}, name


def machine_listing(lines: Iterable[str]) -> Iterator[Listed]:
    """The lines of `MLSD`."""
    for line in filter(None, lines):
        facts, name = facts_of(line)
        kind = facts.get("type", "").lower()
        if name in ("", ".", "..") or kind in ("cdir", "pdir"):
            continue
        is_link = kind.startswith(("os.unix=slink", "os.unix=symlink"))
        known = Kind.LINK if is_link else MLSD_KINDS.get(kind, Kind.OTHER)
        yield Listed(name, known, size_of(facts.get("size", "")), facts.get("unique", ""))


def unix_listing(lines: Iterable[str]) -> Iterator[Listed]:
    """The lines of `LIST`.

    Raises:
        StorageError: they have another form.
    """
    for line in lines:
        if not line or re.fullmatch(r"total \d+", line):
            continue
        if not (parts := LIST_LINE.fullmatch(line)):
            shown = "".join(char if char.isprintable() else "?" for char in line[:MAX_SHOWN])
            raise StorageError(f"the server lists folders in a form that is not known ({shown}); let it offer MLSD")
        name, kind = parts["name"], LIST_KINDS.get(parts["kind"], Kind.OTHER)
        if kind is Kind.LINK:
            name = name.partition(" -> ")[0]
        if name not in ("", ".", ".."):
            yield Listed(name, kind, size_of(parts["size"]) if kind is Kind.FILE else -1)


def folder_listing(client: Client) -> list[Listed]:
    """What the folder holds that `client` is in; asked without its path, which some servers take for a pattern."""
    if client.features & {"MLST", "MLSD"}:
        return list(machine_listing(_lines(client, "MLSD")))
    try:
        return list(unix_listing(_lines(client, "LIST -a")))  # with names that begin with a dot
    except ftplib.error_perm:
        return list(unix_listing(_lines(client, "LIST")))


def _lines(client: Client, command: str) -> list[str]:
    """What the server lists; it ends, whatever the server does."""
    deadline, size = time.monotonic() + LISTING_SECONDS, 0
    lines: list[str] = []
    rest = b""
    with client.data(command) as data:
        while chunk := data.recv(CHUNK):
            pace().begin()  # all together have limits of their own
            *whole, rest = (rest + chunk).split(b"\n")
            lines += map(_text, whole)
            size += len(chunk)
            if size > LISTING_BYTES or len(lines) > MOST_LINES or len(rest) > LONGEST_LINE:
                raise StorageError("the server's listing has no end, or lines without end")
            if time.monotonic() > deadline:
                raise StorageError(f"the server's listing takes more than {LISTING_SECONDS:.0f} s", temporary=True)
    if "failed to open" in client.confirmation:  # a success, says vsftpd
        raise StorageError("this user has no permission to list the folder")
    return [*lines, _text(rest)]


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="surrogateescape")
