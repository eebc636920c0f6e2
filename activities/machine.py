"""What the worker's machine is to blame for, and the content is not: told with the code of the activity it happens to.

Another worker, or a later attempt, may have more luck.
"""

import asyncio
import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from activities.errors import JobError
from activities.settings import Settings

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

FOLDER = "the worker's work folder"
LIMIT = "the worker is at a limit of its system"
FAULTS = {
    errno.ENOSPC: f"no space is left in {FOLDER}; free some",
    errno.EDQUOT: f"the quota of {FOLDER} is used up; free some space",
    errno.EROFS: f"{FOLDER} is read-only; look for errors of its disk, and mount it anew",
    errno.EACCES: f"{FOLDER} may not be written; give the worker's user access",
    errno.EPERM: f"the system does not permit to write to {FOLDER}; give the worker's user access",
    errno.EIO: f"{FOLDER} cannot be read or written; check its disk",
    errno.ESTALE: f"{FOLDER} is on a network file system that has lost it; mount it anew",
    errno.ETIMEDOUT: f"{FOLDER} is on a network file system that does not answer; check it",
    errno.EMFILE: f"{LIMIT}: too many files are open; raise `ulimit -n`",
    errno.ENFILE: f"{LIMIT}: too many files are open on its machine; raise `fs.file-max`",
    errno.ENOMEM: f"{LIMIT}: memory is short; see ENCODING_TOOL_MEMORY_MB and ENCODING_TRANSCODE_SLOTS",
    errno.EAGAIN: f"{LIMIT}: it may start no further process or thread; raise `ulimit -u`, or ENCODING_TOOL_MEMORY_MB",
}
"""What the system reports, and what to do; all else is a bug of ours."""
SILENT = f"{FOLDER} does not answer; check its disk"


class MachineError(Exception):
    """The text is for people, and says what to do."""


@contextmanager
def faults(failing: type[JobError]) -> Iterator[None]:
    """Turn a `MachineError`, and what the system reports, into a `failing` that is worth another attempt."""
    try:
        yield
    except MachineError as error:
        raise failing(str(error), retryable=True) from None
    except OSError as error:
        if not (told := FAULTS.get(error.errno or 0)):
            raise
        raise failing(told, retryable=True) from None


async def on_disk(work: Callable[Parameters, Result], *args: Parameters.args, **named: Parameters.kwargs) -> Result:
    """Do something short with the work folder, in a thread: the event loop waits for no disk.

    Raises:
        MachineError: the disk has not answered for `ENCODING_STALL_SECONDS`; what it was to do may come later.
    """
    patience = Settings.from_environment().stall_timeout.total_seconds()
    try:
        return await asyncio.wait_for(asyncio.to_thread(work, *args, **named), patience)
    except TimeoutError:
        raise MachineError(SILENT) from None
