"""What an activity sees of its job's files, wherever they are kept."""

import asyncio
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Protocol

from activities.errors import EncodingError, JobError
from activities.machine import FOLDER, faults
from activities.media.allowed import Input
from activities.settings import Settings
from activities.storage.base import StorageError
from activities.storage.explain import explained
from activities.storage.patience import asked
from activities.storage.threads import stoppable
from activities.store.claims import claims_of
from activities.store.own import own_bucket, told
from activities.store.scratch import sweep
from activities.store.shared import in_folder
from activities.tracks import SourceFile
from activities.workspace import remove

SWEEP_SECONDS = 3600.0


class Work(Protocol):
    """The job's files for the time of one activity. Paths are relative to `root`, a local folder."""

    root: Path
    is_common: bool
    """Whether `root` is where all workers look; else it is this activity's own."""

    def input(self, file: SourceFile) -> Input:
        """One of the announced sources, for the tools to read; it need not be in `root`."""

    async def keep(self, *units: str, beside: str = "") -> None:
        """Let other activities have these files and folders; without that they may be this activity's own.

        Args:
            beside: an earlier kept folder, all whose other files a new one has as well.
        """

    async def missing(self, files: Sequence[SourceFile]) -> list[list[SourceFile]]:
        """Source files that are still to be fetched into `root`, in groups: each is kept before the next is fetched."""

    async def keep_sources(self, files: Sequence[SourceFile]) -> None:
        """Let others have one such group; its files may be gone from `root` then."""


@asynccontextmanager
async def at_work(
    job_id: str,
    *,
    needs: Iterable[str] = (),
    wishes: Iterable[str] = (),
    sources: Iterable[SourceFile] = (),
    failing: type[JobError] = EncodingError,
) -> AsyncIterator[Work]:
    """The job's files inside the block; for use while the activity beats, since needs may have to be fetched.

    Args:
        needs: files, or folders that were kept as such, to be in `root` as they were kept.
        wishes: the same, where they are there and whole.
        sources: files to be read by tools (see `Work.input`).
        failing: the error of the activity where the store fails.

    Raises:
        LostError: a need is missing, or damaged.
        JobError: the store or the worker's machine cannot be used now, or a source has changed while the job works on
            it.
    """
    settings = Settings.from_environment()
    with faults(failing):
        if settings.work_store:
            from activities.store.private import in_bucket  # noqa: PLC0415 - a worker without a bucket starts faster

            async with in_bucket(
                settings, job_id, needs=needs, wishes=wishes, sources=sources, failing=failing
            ) as private:
                yield private
        else:
            async with in_folder(job_id, needs, sources, failing) as shared:
                yield shared


async def emptied(job_id: str) -> None:
    """Remove all that a job has kept.

    Raises:
        StorageError: something stays there.
    """
    settings = Settings.from_environment()
    if settings.work_store:
        from activities.store.private import removed  # noqa: PLC0415 - see above

        await removed(settings.work_store, job_id)
    with explained(f"{FOLDER} of the job cannot be removed"):
        await asyncio.to_thread(remove, job_id)
    with claims_of(job_id) as claims:
        await asked(claims.drop)


@asynccontextmanager
async def usable_store(settings: Settings) -> AsyncIterator[None]:
    """Make sure that this worker can use its store, and keep its disk tidy inside the block.

    Raises:
        RuntimeError: it cannot; the message names the variable.
    """
    await asyncio.to_thread(_check_folder, settings.work_root)
    if not settings.work_store:
        yield
        return
    try:
        with closing(own_bucket(settings.work_store, f".check-{secrets.token_hex(8)}")) as bucket:
            await stoppable(lambda _: bucket.check_usable())
    except StorageError as error:
        raise RuntimeError(f"ENCODING_WORK_STORE cannot be used: {told(error)}") from None
    sweeping = asyncio.create_task(_sweep(settings.work_root))
    try:
        yield
    finally:
        sweeping.cancel()
        await asyncio.wait([sweeping])


def _check_folder(work_root: Path) -> None:
    try:
        work_root.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".encoding-", dir=work_root)
        os.close(descriptor)
        Path(name).unlink()
    except OSError as error:
        raise RuntimeError(f"ENCODING_WORK_ROOT cannot be used: {error.strerror}: {work_root}") from None


async def _sweep(work_root: Path) -> None:
    while True:
        await asyncio.to_thread(sweep, work_root)
        await asyncio.sleep(SWEEP_SECONDS)
