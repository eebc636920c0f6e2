"""The work store as a folder that all workers mount: nothing has to be carried, but disks lose and damage files."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from activities.errors import JobError, LostError
from activities.machine import on_disk
from activities.storage.download import digest_of
from activities.storage.files import version_of
from activities.storage.threads import Stop, stoppable
from activities.store.kept import ALGORITHM, Kept, KeptFile, covered, files_of, note_name, read, units, written
from activities.tracks import SourceFile
from activities.workspace import SOURCES, tidy, workspace, workspace_path


class SharedWork:
    """See `Work`; what is in `root` is there for all. Notes tell what it was when it was kept."""

    is_common = True

    def __init__(self, root: Path) -> None:
        self.root = root

    def input(self, file: SourceFile) -> Path:
        """See base class."""
        return self.root / file.path

    async def keep(self, *paths: str, beside: str = "") -> None:
        """See base class."""
        for unit in paths:
            await stoppable(partial(self._keep, unit, beside))

    async def missing(self, files: Sequence[SourceFile]) -> list[list[SourceFile]]:
        """See base class: one group; the engine passes over those that are there."""
        return [[*files]]

    async def keep_sources(self, files: Sequence[SourceFile]) -> None:
        """See base class."""

    def lost(self, needs: Iterable[str], sources: Iterable[SourceFile], stop: Stop) -> list[str]:
        """What is gone, or is not what was kept; of sources, which are read in parts, the size alone is looked at."""
        note_about, lost = cache(self._note), list[str]()
        for need in needs:
            kept = next(filter(None, (covered(note_about(unit), unit, need) for unit in units(need))), {})
            lost += [path for path, file in kept.items() if not self._is_intact(path, file, stop)]
            lost += [need] * (not kept and not (self.root / need).exists())
        return lost + [file.path for file in sources if not self._has_size(file.path, file.size)]

    def _keep(self, unit: str, beside: str, stop: Stop) -> None:
        note = self.root / note_name(unit)
        kept = files_of(self.root, unit, stop, self._linked(unit, beside) if beside else {})
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_bytes(written(Kept(kept)))
        if not (self.root / unit).exists():  # the job has ended, and its folder is gone: no note is to stay of it
            note.unlink(missing_ok=True)

    def _linked(self, unit: str, beside: str) -> dict[str, KeptFile]:
        """What `unit` has in common with the folder `beside`, as it was kept there."""
        note = self._note(beside)
        pairs = {path: unit + path.removeprefix(beside) for path in note.files} if note else {}
        return {
            new: replace(note.files[path], object=new)
            for path, new in pairs.items()
            if note and (self.root / new).exists() and (self.root / new).samefile(self.root / path)
        }

    def _note(self, unit: str) -> Kept | None:
        with suppress(FileNotFoundError, NotADirectoryError):
            return read((self.root / note_name(unit)).read_bytes())
        return None

    def _is_intact(self, path: str, file: KeptFile, stop: Stop) -> bool:
        found = self._has_size(path, file.size) and digest_of(self.root / path, ALGORITHM, stop).hex()
        return found == file.sha256

    def _has_size(self, path: str, size: int) -> bool:
        with suppress(FileNotFoundError):
            return (self.root / path).stat().st_size == size
        return False


@asynccontextmanager
async def in_folder(
    job_id: str, needs: Iterable[str], sources: Iterable[SourceFile], failing: type[JobError]
) -> AsyncIterator[SharedWork]:
    """As `at_work`."""
    root = workspace_path(job_id)
    try:
        await on_disk(workspace, job_id)
        async with _whole(SharedWork(root), needs, [*sources], failing) as work:
            yield work
    finally:
        await on_disk(tidy, root)


@asynccontextmanager
async def _whole(
    work: SharedWork, needs: Iterable[str], sources: list[SourceFile], failing: type[JobError]
) -> AsyncIterator[SharedWork]:
    """With all that is needed, as it was kept, from begin to end."""
    linked = [file for file in sources if file.linked]
    await on_disk(_check_unchanged, work.root, linked, failing)
    if lost := await stoppable(partial(work.lost, needs, sources)):
        # A file system of the network may show what another worker has written only some time later.
        raise LostError(lost, code=failing.code, retryable=True)
    try:
        yield work
    except FileNotFoundError:
        if await on_disk((work.root / SOURCES).exists):
            raise
        raise LostError([SOURCES], code=failing.code, retryable=True) from None
    except Exception:
        # What has failed may have read a mix.
        await on_disk(_check_unchanged, work.root, linked, failing)
        raise
    await on_disk(_check_unchanged, work.root, linked, failing)


def _check_unchanged(root: Path, linked: list[SourceFile], failing: type[JobError]) -> None:
    """A copy cannot change; a link to the source can, when its owner writes into the file."""
    for file in linked:
        path = root / file.path
        if path.exists() and version_of(path.stat()) != file.version:
            raise failing(
                f"the file {file.name!r} was written to while the job worked on it; "
                "start the job again when it is no longer written"
            )
