"""What a tool may take and reach: it reads the files of strangers, and readers of media have a history of holes.

- Memory, processor time, size of a file, number of processes: limits of the kernel.
- No network: a namespace without any where the worker may make one (as root, or where the system lets users), and
  no TCP by Landlock in any case, where the kernel has it (Linux 6.7). A tool that reads what this worker serves reaches
  that one port.
- It gains no privileges, and dies with the worker.

All is prepared before the fork; between fork and exec there are system calls and nothing else.
"""

import ctypes
import os
import resource
import signal
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from urllib.parse import urlsplit

from activities.settings import Settings

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""Landlock's system calls, on every architecture."""
VERSION, FIRST_WITH_NETWORK = 1, 4
BIND_TCP, CONNECT_TCP, NET_PORT = 1, 2, 2
HOUR = 3600
"""Seconds."""
NOBODY = -1
"""Instead of a descriptor: the kernel has no such rules."""
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Run in a new child: SIGKILL when its parent dies, since then nobody is left to stop it."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@contextmanager
def confined(command: Sequence[str], settings: Settings) -> Iterator[Callable[[], None]]:
    """What a new child that becomes `command` has to run first, inside the block."""
    port = next((urlsplit(part).port for part in command if part.startswith("http://")), None)
    limits, rules = _limits(settings), _ruleset(port)

    def confine() -> None:
        _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if port is None and _libc.unshare(CLONE_NEWNET):
            _libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)
        if rules != NOBODY:
            _libc.syscall(RESTRICT_SELF, rules, 0)
        for kind, most in limits:
            resource.setrlimit(kind, (most, most))
        die_with_parent()

    try:
        yield confine
    finally:
        if rules != NOBODY:
            os.close(rules)


def _limits(settings: Settings) -> list[tuple[int, int]]:
    """Of memory, what is written to counts, not addresses that threads and libraries only reserve."""
    wanted = {
        resource.RLIMIT_DATA: settings.tool_memory << 20,
        resource.RLIMIT_CPU: settings.tool_cpu * HOUR,
        resource.RLIMIT_FSIZE: settings.tool_file * 1_000_000_000,
        resource.RLIMIT_NPROC: settings.tool_processes,
        resource.RLIMIT_CORE: 0,
    }
    return [(kind, _at_most(kind, most)) for kind, most in wanted.items()]


def _at_most(kind: int, wanted: int) -> int:
    allowed = resource.getrlimit(kind)[1]
    return wanted if allowed == resource.RLIM_INFINITY else min(wanted, allowed)


def _ruleset(port: int | None) -> int:
    """A descriptor of rules that allow TCP to `port` of any host, or none at all."""
    if not _rules_networks():
        return NOBODY
    rules: int = _libc.syscall(CREATE_RULESET, struct.pack("QQ", 0, BIND_TCP | CONNECT_TCP), 16, 0)
    if port is not None and rules != NOBODY:
        _libc.syscall(ADD_RULE, rules, NET_PORT, struct.pack("QQ", CONNECT_TCP, port), 0)
    return rules


@cache
def _rules_networks() -> bool:
    return bool(_libc.syscall(CREATE_RULESET, None, 0, VERSION) >= FIRST_WITH_NETWORK)
