"""The work store as a folder that all workers mount: nothing has to be carried."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from activities.errors import JobError, LostError
from activities.storage.files import version_of
from activities.tracks import SourceFile
from activities.workspace import workspace


class SharedWork:
    """See `Work`; what is in `root` is kept already."""

    is_common = True

    def __init__(self, root: Path) -> None:
        self.root = root

    def input(self, file: SourceFile) -> Path:
        """See base class."""
        return self.root / file.path

    async def keep(self, *units: str, beside: str = "") -> None:
        """See base class."""

    async def missing(self, files: Sequence[SourceFile]) -> list[list[SourceFile]]:
        """See base class: one group; the engine passes over those that are there."""
        return [[*files]]

    async def keep_sources(self, files: Sequence[SourceFile]) -> None:
        """See base class."""


@contextmanager
def in_folder(
    job_id: str, needs: Iterable[str], sources: Iterable[SourceFile], failing: type[JobError]
) -> Iterator[SharedWork]:
    """As `at_work`."""
    work = SharedWork(workspace(job_id))
    if lost := [path for path in needs if not (work.root / path).exists()]:
        # A file system of the network may show what another worker has written only some time later.
        raise LostError(lost, code=failing.code, retryable=True)
    linked = [file for file in sources if file.linked]
    _check_unchanged(work.root, linked, failing)
    try:
        yield work
    except Exception:
        # What has failed may have read a mix.
        _check_unchanged(work.root, linked, failing)
        raise
    _check_unchanged(work.root, linked, failing)


def _check_unchanged(root: Path, linked: list[SourceFile], failing: type[JobError]) -> None:
    """A copy cannot change; a link to the source can, when its owner writes into the file."""
    for file in linked:
        path = root / file.path
        if path.exists() and version_of(path.stat()) != file.version:
            raise failing(
                f"the file {file.name!r} was written to while the job worked on it; "
                "start the job again when it is no longer written"
            )
