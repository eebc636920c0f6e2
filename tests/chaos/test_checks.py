"""The judge is judged: each defect that a run could show is named."""

import base64
import itertools

import pytest

from tests.chaos.checks import Event, Story, Told, differences, leaks
from tests.chaos.faults import injections


def event(number: int, kind: str, progress: int | None = None) -> Event:
    made: Event = {"SequenceNumber": number, "EventType": kind, "EventId": f"{number}-{kind}-{progress}"}
    return made if progress is None else made | {"Progress": progress, "Timestamp": "now"}


CREATED, STARTED, END = event(1, "JobCreated"), event(2, "VideoEncodingStarted"), event(3, "JobSuccess")
LOW, HIGH = event(2, "EncodingProgress", 10), event(2, "EncodingProgress", 20)
WHOLE = [CREATED, event(1, "AcquisitionProgress", 100), STARTED, LOW, HIGH, END]


def test_a_story_that_is_whole_is_left_alone_also_where_events_are_repeated() -> None:
    late = [*WHOLE[:4], {**LOW, "Timestamp": "later"}, CREATED, *WHOLE[4:], END]
    told = Told({"Files": WHOLE, "RabbitMQ": late})
    assert [*told.problems()] == []
    assert told.repeats == {"Files": 0, "RabbitMQ": 3}


@pytest.mark.parametrize(
    ("story", "problem"),
    [
        ([CREATED, END], "gaps or disorder"),
        ([STARTED, CREATED, END], "gaps or disorder"),
        ([CREATED, STARTED], "not one JobSuccess"),
        ([CREATED, STARTED, END, event(4, "FinalError")], "not one JobSuccess"),
        ([CREATED, event(2, "FinalError")], "not one JobSuccess"),
        ([CREATED, STARTED, END, HIGH], "something behind the end"),
        ([CREATED, STARTED, HIGH, LOW, END], "comes behind 20 %"),
        ([CREATED, LOW, STARTED, END], "2 EncodingProgress 10 comes behind 1 JobCreated"),
        ([CREATED, {**CREATED, "TenantId": "x"}, STARTED, END], "comes again with"),
        ([], "not one JobSuccess"),
    ],
)
def test_what_is_wrong_with_a_story_is_told(story: Story, problem: str) -> None:
    assert any(problem in text for text in Told({"Files": story}).problems())


def test_publishers_that_disagree_are_told() -> None:
    other = [CREATED, STARTED | {"TenantId": "x"}, END]
    assert any(
        "different stories" in text for text in Told({"Files": [CREATED, STARTED, END], "Ftps": other}).problems()
    )


def test_each_difference_of_an_output_is_told() -> None:
    found = [*differences({"a": "1", "b": "2", ".c.part": "3"}, {"a": "1", "b": "changed", "manifest.mpd": "4"})]
    assert len(found) == 3
    assert [*differences({"a": "1"}, {"a": "1"})] == []


@pytest.mark.parametrize("form", ["s3cret/Key", "s3cret%2FKey", base64.b64encode(b"s3cret/Key").decode()])
def test_a_secret_is_found_in_any_form(form: str) -> None:
    assert [*leaks({"a log": f"before {form} behind"}, ["s3cret/Key"])]
    assert not [*leaks({"a log": "clean"}, ["s3cret/Key"])]
    assert [*leaks({"a log": ""}, [])] == ["nothing was seen of a log"]


def test_a_seed_makes_the_faults_repeatable() -> None:
    first, again, other = (
        [*itertools.islice(injections(seed, 3, ["s3"], ["s3", "ftp"], 1.0), 50)] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
