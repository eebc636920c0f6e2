"""How the progress of a phase is added up; what becomes of it is tested with whole jobs."""

from datetime import UTC, datetime

from activities.notify import Meter, Pending, Share, Watch
from publishers.events import Sender


def meter(*weights: float) -> Meter:
    shares = [Share(f"part-{place}", weight) for place, weight in enumerate(weights)]
    return Meter(Watch("Encoding", "EncodingProgress", Sender("id", "studio"), 3, datetime.now(UTC), shares))


def test_what_is_done_counts_by_its_weight() -> None:
    parts = meter(1, 3)
    reports = ({"part-0": 0.5}, {"part-1": 0.5}, {"part-0": 0.1})
    assert [parts.take(Pending(report)) for report in reports] == [12, 62, 62]


def test_a_film_whose_length_nobody_knows_has_no_percent() -> None:
    assert meter(0, 0).take(Pending({"part-1": 0.0})) == 0
