"""Where content comes from and goes to: one module a provider behind one small protocol."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from activities.secrets import SecretError, revealed
from activities.storage.base import Storage, StorageError
from activities.storage.config import Location
from activities.storage.files import FilesStorage
from activities.storage.s3.storage import S3Storage

OPENERS: dict[str, Callable[[Any], Storage]] = {
    "Files": FilesStorage,
    "AmazonS3": S3Storage,
    "AmazonS3Compatible": S3Storage,
}


@contextmanager
def opened(location: Location) -> Iterator[Storage]:
    """The storage that a block of the job names, for the time of the block; its secrets are read here.

    Raises:
        StorageError: the block does not name a place, or its secrets cannot be read.
    """
    storage = _open(location)
    try:
        yield storage
    finally:
        storage.close()


def _open(location: Location) -> Storage:
    try:
        return OPENERS[location.provider](revealed(location))
    except SecretError as error:
        raise StorageError(str(error), field="CredentialsSecret") from None
