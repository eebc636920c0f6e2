"""Where content comes from and goes to: one module a provider behind one small protocol."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any, overload

from activities.secrets import SecretError, revealed
from activities.storage.base import Source, Storage, StorageError
from activities.storage.config import Location, WritableLocation

# Imported when first needed: the libraries of some take half a second to load, at each start of a command.
PROVIDERS = {
    "AmazonS3": ("s3.storage", "S3Storage"),
    "AmazonS3Compatible": ("s3.storage", "S3Storage"),
    "AzureBlob": ("azure.storage", "AzureBlobStorage"),
    "Files": ("files", "FilesStorage"),
    "Ftps": ("ftps.storage", "FtpsStorage"),
    "Http": ("http.source", "HttpSource"),
}


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
    module, name = PROVIDERS[location.provider]
    provider = getattr(import_module(f"activities.storage.{module}"), name)
    try:
        found: Source = provider(revealed(location))
    except SecretError as error:
        raise StorageError(str(error), field="CredentialsSecret") from None
    return found
