"""Where content comes from and goes to: one module a provider behind one small protocol."""

from activities.storage.base import Storage
from activities.storage.config import Location
from activities.storage.files import FilesStorage


def open_storage(location: Location) -> Storage:
    """The storage that a block of the job names.

    Raises:
        StorageError: the block does not name a place.
    """
    return FilesStorage(location)
