"""Where content comes from and goes to: one module a provider behind one small protocol."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from typing import Any, overload

from activities.secrets import SecretError, revealed
from activities.storage.base import Source, Storage, StorageError
from activities.storage.config import Location, WritableLocation
from activities.storage.threads import stoppable

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
def opened(location: WritableLocation) -> AbstractAsyncContextManager[Storage]: ...
@overload
def opened(location: Location) -> AbstractAsyncContextManager[Source]: ...
@asynccontextmanager
async def opened(location: Location) -> AsyncIterator[Any]:
    """As `storage_of`, for the time of the block: the event loop waits for no host, not even to say good-bye.

    Raises:
        StorageError: as `storage_of`.
    """
    storage = await stoppable(lambda _: storage_of(location))
    try:
        yield storage
    finally:
        await stoppable(lambda _: storage.close())


@overload
def storage_of(location: WritableLocation) -> Storage: ...
@overload
def storage_of(location: Location) -> Source: ...
def storage_of(location: Location) -> Any:
    """The storage that a block of the job names, to be closed after use; its secrets are read here.

    Raises:
        StorageError: the block does not name a place, or its secrets cannot be read.
    """
    module, name = PROVIDERS[location.provider]
    provider = getattr(import_module(f"activities.storage.{module}"), name)
    try:
        return provider(revealed(location))
    except SecretError as error:
        raise StorageError(str(error), field="CredentialsSecret") from None
