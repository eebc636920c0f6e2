"""The folders below which a `Files` location may lie, and the check that it does.

What goes wrong is told by the path that the job names: which folders there are, and where links lead, is not for it.

Nothing outside of them is ever read or written, whatever a job says and wherever links lead; nor is the worker's own
folder, in which the files of all jobs are.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

VARIABLE = "ENCODING_FILES_ROOT"
WORK_VARIABLE = "ENCODING_WORK_ROOT"
MOST_PARTS = 200
"""Folders in each other: beyond, recursion in the standard library ends."""


class FolderError(Exception):
    """A path is not usable as a `Files` location. The text is for people."""


def files_roots() -> tuple[Path, ...]:
    """The folders that `ENCODING_FILES_ROOT` lists, separated by `:`.

    Raises:
        ValueError: one of them is not absolute.
    """
    roots = tuple(Path(part) for part in os.environ.get(VARIABLE, "").split(":") if part)
    for root in roots:
        if not root.is_absolute():
            raise ValueError(f"{VARIABLE} lists {str(root)!r}; it must be an absolute path")
    return roots


def work_root() -> Path:
    """Where the worker keeps the files of its jobs.

    Raises:
        ValueError: it is not absolute; tools run in folders of their own, and would look for their files there.
    """
    root = os.environ.get(WORK_VARIABLE, "/var/tmp/encoding")  # noqa: S108 - survives a reboot, unlike /tmp
    if not root.startswith("/"):
        raise ValueError(f"{WORK_VARIABLE} is {root!r}; it must be an absolute path, or be left out")
    return Path(root)


def local_path(uri_path: str) -> Path:
    """The path that a `UriPath` means: an absolute path, or a percent-encoded `file:///` URI.

    Raises:
        FolderError: it is neither.
    """
    path = _decoded(uri_path) if uri_path.lower().startswith("file:") else uri_path
    if not path.startswith("/") or "\0" in path:
        raise FolderError(f"{uri_path!r} is neither an absolute path nor a file:/// URI")
    if path.count("/") > MOST_PARTS:
        raise FolderError(f"the path holds more than {MOST_PARTS} folders in each other")
    return Path(path)


def below_roots(path: Path, roots: tuple[Path, ...]) -> Path:
    """`path` with all links and `..` resolved; it need not exist.

    Raises:
        FolderError: it lies outside of `roots`, or there are none; or it is, holds or lies in the worker's own folder.
    """
    if not roots:
        raise FolderError(f"no local folder is allowed on this worker; set {VARIABLE} to allow some")
    resolved = _resolved(path)
    root = next((root for root in roots if resolved.is_relative_to(os.path.realpath(root))), None)
    if root is None:
        raise FolderError(
            f"{path} lies outside of the allowed folders; name one inside of them, "
            f"or have the worker's operator add it to {VARIABLE}"
        )
    if not root.is_dir():
        # Never made here: a disk that is not mounted would be mistaken for an empty one.
        missing = "does not exist on this worker, or is no folder"
        raise FolderError(f"the folder of {VARIABLE} that {path} lies in {missing}")
    work = Path(os.path.realpath(work_root()))
    if resolved.is_relative_to(work) or work.is_relative_to(resolved):
        raise FolderError(f"{path} is, holds or lies in the worker's own folder ({WORK_VARIABLE}); name another one")
    return resolved


@contextmanager
def held(folder: Path, *, make: bool = False) -> Iterator[Path]:
    """A folder, as `below_roots` gives it, under a name that stays its own inside the block.

    Whoever may write around it could put a link in its place, or in that of a folder above, after it was looked at.

    Args:
        make: it, and those above, where they are missing.

    Raises:
        FolderError: somebody has.
        OSError: it is not there, or is no folder.
    """
    if make and not folder.is_dir():
        with held(folder.parent, make=True) as above:
            (above / folder.name).mkdir(exist_ok=True)
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        own = Path(f"/proc/self/fd/{descriptor}")
        if own.readlink() != folder:
            raise FolderError(f"{folder} was moved, or replaced by a link, while it was in use; leave it in its place")
        yield own
    finally:
        os.close(descriptor)


def _resolved(path: Path) -> Path:
    try:
        return Path(os.path.realpath(path))
    except RecursionError:
        raise FolderError(f"{path} is a chain of too many links") from None


def _decoded(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        path = unquote(parts.path, errors="strict")
    except ValueError:  # also UnicodeDecodeError
        raise FolderError(f"{uri!r} is not a valid file:/// URI") from None
    if parts.netloc not in {"", "localhost"}:
        raise FolderError(f"{uri!r} names the host {parts.netloc}; write file:///folder, with three slashes")
    if parts.query or parts.fragment:
        raise FolderError(f"{uri!r} holds ? or #; write them as %3F and %23")
    return path
