"""Where content comes from and goes to: one module a provider behind one small protocol."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, overload

from activities.secrets import SecretError, revealed
from activities.storage.base import Source, Storage, StorageError
from activities.storage.config import Location, WritableLocation
from activities.storage.files import FilesStorage
from activities.storage.ftps import FtpsStorage
from activities.storage.http import HttpSource

OPENERS: dict[str, Callable[[Any], Source]] = {"Files": FilesStorage, "Ftps": FtpsStorage, "Http": HttpSource}


@overload
def opened(location: WritableLocation) -> AbstractContextManager[Storage]: ...
@overload
def opened(location: Location) -> AbstractContextManager[Source]: ...
@contextmanager
def opened(location: Location) -> Iterator[Any]:
    """The storage that a block of the job names, for the time of the block; its secrets are read here.

    Raises:
        StorageError: the block does not name a place, or its secrets cannot be read.
    """
    storage = _open(location)
    try:
        yield storage
    finally:
        storage.close()


def _open(location: Location) -> Source:
    try:
        return OPENERS[location.provider](revealed(location))
    except SecretError as error:
        raise StorageError(str(error), field="CredentialsSecret") from None
