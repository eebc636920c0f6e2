"""Ends of tools that are the fault of the machine, and not of what they have read."""

import errno

from activities.machine import FAULTS, MachineError
from activities.media.process import Exit

SAID = {
    "No space left": errno.ENOSPC,
    "uota exceeded": errno.EDQUOT,
    "Read-only file system": errno.EROFS,
    "Permission denied": errno.EACCES,
    "Stale file handle": errno.ESTALE,
    "Too many open files": errno.EMFILE,
    "No file descriptors available": errno.EMFILE,
}
"""In the words of both C libraries of tools. An "I/O error" is what they also call a file that ends early."""
SAID_OF_MEMORY = ("malloc of size", "bad_alloc", "MemoryError")
"""Not "Out of memory", which ffprobe also says of a file with too many tracks."""
MEMORY = "{name} needs more memory than it may take on the worker; see ENCODING_TOOL_MEMORY_MB"
KILLED = (
    "{name} was killed (signal {signal}); check the worker's memory, and ENCODING_TOOL_MEMORY_MB and "
    "ENCODING_TOOL_CPU_HOURS there"
)


def fault_of(ended: Exit, name: str) -> str | None:
    """What is wrong with the machine, by the way in which the tool `name` has ended and by its last lines."""
    if ended.status and any(words in ended.errors for words in SAID_OF_MEMORY):
        return MEMORY.format(name=name)
    if ended.was_killed:
        return KILLED.format(name=name, signal=-ended.status)
    said = (FAULTS[number] for words, number in SAID.items() if words in ended.errors)
    return next(said, None) if ended.status else None


def check_machine(ended: Exit, name: str) -> None:
    """Raise `MachineError` where `fault_of` finds anything."""
    if fault := fault_of(ended, name):
        raise MachineError(fault)
