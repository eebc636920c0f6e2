"""What one activity has left for others: a note, written last, of files that are all there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import dirname

from pydantic import TypeAdapter

from activities.storage.base import Digest, Entry, StorageError, inside
from activities.storage.download import digest_of
from activities.storage.threads import Stop

ALGORITHM = "sha256"


@dataclass(frozen=True)
class KeptFile:
    """One file."""

    object: str
    """Its name in the store, relative to the job's folder."""
    size: int
    """bytes"""
    sha256: str
    """hexadecimal"""
    version: str = ""
    """ETag of what is read in parts, so that all parts are of one file."""

    @property
    def entry(self) -> Entry:
        """For the engine that fetches it."""
        digest = Digest(ALGORITHM, bytes.fromhex(self.sha256))
        return Entry(self.object, self.size, version=self.version, digest=digest)


@dataclass(frozen=True)
class Kept:
    """Files by their paths in the workspace."""

    files: dict[str, KeptFile] = field(default_factory=dict)
    source: str = ""
    """What is a copy of a source file: of which version of it."""


_notes = TypeAdapter(Kept)


def written(kept: Kept) -> bytes:
    """The note's text."""
    return _notes.dump_json(kept)


def read(text: bytes) -> Kept | None:
    """A note; None if it is damaged, or tells of places outside of the job."""
    try:
        kept = _notes.validate_json(text)
        for path, file in kept.files.items():
            inside(path)
            inside(file.object)
            bytes.fromhex(file.sha256)
    except (ValueError, StorageError):
        return None
    return kept


def note_name(unit: str) -> str:
    """Where the note about a file or folder lies."""
    return f"kept/{inside(unit)}.json"


def units(path: str) -> list[str]:
    """With what `path` may have been kept: the folders around it, innermost first, or itself."""
    around, folder = list[str](), dirname(inside(path))
    while folder:
        around.append(folder)
        folder = dirname(folder)
    return [*around, path]


def covered(note: Kept | None, unit: str, path: str) -> dict[str, KeptFile]:
    """The files at `path`, as the note about `unit` has them; none where it knows nothing of them."""
    files = note.files if note else {}
    if unit == path:
        return files
    return {path: files[path]} if path in files else {}


def files_of(root: Path, unit: str, stop: Stop, known: Mapping[str, KeptFile] | None = None) -> dict[str, KeptFile]:
    """The files of a folder in `root`, or the one; those with a dot in front are nobody else's.

    Args:
        known: those of which it is sure what is in them.
    """
    top, found = root / unit, dict[str, KeptFile]()
    for path in sorted(top.rglob("[!.]*")) if top.is_dir() else [top]:
        if path.is_file():
            name = str(path.relative_to(root))
            found[name] = (known or {}).get(name) or _kept_file(path, name, stop)
    return found


def _kept_file(path: Path, name: str, stop: Stop) -> KeptFile:
    return KeptFile(name, path.stat().st_size, digest_of(path, ALGORITHM, stop).hex())
