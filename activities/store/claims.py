"""Which job was the last to publish at a place (see `archive.places_of`): it alone may take back what lies there."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from activities.settings import Settings
from activities.store.notes import Notes, notes_of

KIND = "places"


class Claims:
    """Those of one job. All methods block, and raise nothing but `StorageError`."""

    def __init__(self, notes: Notes, job_id: str) -> None:
        self._notes = notes
        self._job = job_id.encode()

    def take(self, places: Iterable[str]) -> None:
        """From whoever has them: what lies there is about to be replaced."""
        for place in places:
            self._notes.write(place, self._job)

    def hold(self, places: Iterable[str]) -> bool:
        """Whether nobody has taken them since."""
        return all(self._notes.read(place) == self._job for place in places)

    def drop(self) -> None:
        """The job has ended."""
        for place in self._notes.names():
            if self._notes.read(place) == self._job:
                self._notes.remove(place)


@contextmanager
def claims_of(job_id: str) -> Iterator[Claims]:
    """A job's, for the time of the block."""
    with notes_of(Settings.from_environment(), KIND) as notes:
        yield Claims(notes, job_id)
