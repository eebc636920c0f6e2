"""Which job was the last to publish at a place (see `archive.places_of`): it alone may take back what lies there."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from activities.settings import Settings
from activities.store.notes import Notes, notes_of

KIND = "places"


class Claims:
    """Those of one job. All methods block, and raise nothing but `StorageError`.

    A note named after the place tells the job; a mark, `<JobId>.<place>`, lets the job find what it has taken, and
    counts behind the JobId how often others have taken it in between.
    """

    def __init__(self, notes: Notes, job_id: str) -> None:
        self._notes = notes
        self._job = job_id.encode()
        self._mark = f"{job_id}."

    def take(self, places: Iterable[str]) -> int:
        """From whoever has them: what lies there is about to be replaced.

        Returns how often they were lost: what the job has put there before the last time may be another's by now.
        """
        return sum(self._take(place) for place in places)

    def _take(self, place: str) -> int:
        mark = self._notes.read(f"{self._mark}{place}")
        if mark is not None and self.hold([place]):
            return self._count(mark)
        times = self._count(mark) + 1 if mark else 0
        text = self._job + (b" %d" % times if times else b"")
        self._notes.write(f"{self._mark}{place}", text)  # first: what is not marked is not found again
        self._notes.write(place, self._job)
        return times

    def _count(self, mark: bytes | None) -> int:
        return int((mark or b"").partition(b" ")[2] or 0)

    def are_free(self, places: Iterable[str]) -> bool:
        """Whether no other job has them."""
        return all(self._notes.read(place) in {None, self._job} for place in places)

    def held_since(self, lost: int, places: Sequence[str]) -> bool:
        """Whether nobody, not for a moment, has taken them since `take` gave this number."""
        marks = [self._notes.read(f"{self._mark}{place}") for place in places]
        return self.hold(places) and sum(map(self._count, marks)) == lost

    def hold(self, places: Iterable[str]) -> bool:
        """Whether nobody has taken them since."""
        return all(self._notes.read(place) == self._job for place in places)

    def drop(self) -> None:
        """The job has ended."""
        names = {*self._notes.names()}
        marks = {name for name in names if "." in name}
        own = [mark for mark in marks if mark.startswith(self._mark)]
        # Earlier versions have made no marks.
        unmarked = names - marks - {mark.partition(".")[2] for mark in marks}
        for place in (*(mark.removeprefix(self._mark) for mark in own), *unmarked):
            if self._notes.read(place) == self._job:
                self._notes.remove(place)
        for mark in own:
            self._notes.remove(mark)


@contextmanager
def claims_of(job_id: str) -> Iterator[Claims]:
    """A job's, for the time of the block."""
    with notes_of(Settings.from_environment(), KIND) as notes:
        yield Claims(notes, job_id)
