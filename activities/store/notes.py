"""Small texts about the work store itself, beside the folders of the jobs."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from activities.settings import Settings
from activities.storage.explain import explained
from activities.store.own import own_bucket
from publishers.atomic import replacing, temporary_name

if TYPE_CHECKING:
    from activities.store.bucket import WorkBucket

FOLDER = ".store"


class Notes(Protocol):
    """By name. All methods block, and raise nothing but `StorageError`."""

    def read(self, name: str) -> bytes | None:
        """None = there is none."""

    def write(self, name: str, text: bytes) -> None:
        """Replace one."""

    def remove(self, name: str) -> None:
        """Remove one, if it is there."""

    def names(self) -> list[str]:
        """All."""


@contextmanager
def notes_of(settings: Settings, kind: str) -> Iterator[Notes]:
    """Those of one kind, for the time of the block."""
    if not settings.work_store:
        yield _InFolder(settings.work_root / FOLDER / kind)
        return
    with closing(own_bucket(settings.work_store, f"{FOLDER}/{kind}")) as bucket:
        yield _InBucket(bucket)


class _InFolder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._doing = f"{folder} cannot be used"

    def read(self, name: str) -> bytes | None:
        with explained(self._doing, own=True):
            try:
                return (self._folder / name).read_bytes()
            except FileNotFoundError:
                return None

    def write(self, name: str, text: bytes) -> None:
        with explained(self._doing, own=True):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Of each writer its own: jobs that publish at one place, and workers that start, write one note at once.
            part = temporary_name(self._folder / uuid4().hex)
            with replacing(self._folder / name, part) as file:
                file.write(text)

    def remove(self, name: str) -> None:
        with explained(self._doing, own=True):
            (self._folder / name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        with explained(self._doing, own=True):
            return [path.name for path in self._folder.glob("[!.]*")]


class _InBucket:
    def __init__(self, bucket: "WorkBucket") -> None:
        self._bucket = bucket
        self.read = bucket.text_of
        self.write = bucket.put_text

    def remove(self, name: str) -> None:
        self._bucket.delete(name, {})

    def names(self) -> list[str]:
        return [entry.name for entry in self._bucket.entries()]
