"""The job parser and the events that tell of jobs, fed with jobs that somebody has damaged."""

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from publishers.config import MessagePublisher
from publishers.events import Message, Sender, event_schemas, message
from tests.fuzz.jobs import JOB, KEY, MARK, OTHER
from tests.fuzz.trying import JSON, TEXT, Way, damaged, inputs
from workflows.job import InvalidJob, Job, publishers_of, sender_of
from workflows.lifecycle import STEPS, Outcome

GUID = "0b0f1f9a-6f0c-4e5a-9f57-0f6f2a1d2c3b"
SCHEMA = jsonschema.Draft202012Validator(event_schemas()["JobCreated"])
NAMES = sorted(
    {str(key) for job in (JOB, OTHER) for section in job.values() if isinstance(section, dict) for key in section}
)
CLOSE = st.sampled_from(
    [
        "NaN",
        "nan",
        "inf",
        "-inf",
        1e400,
        "9" * 400 + ":00:00",
        "1:2:3",
        "Files",
        "files",
        "ftp://h/..",
        "s3://b/%2e%2e/",
        "%",
    ]
)
"""Values that some field could take."""
DAMAGE = JSON | CLOSE | st.dictionaries(st.sampled_from(NAMES), JSON | CLOSE, max_size=4)


DAMAGED = damaged(JOB, DAMAGE) | damaged(OTHER, DAMAGE)


def parsed(description: Any) -> Job | InvalidJob:
    try:
        return Job.parse(description)
    except InvalidJob as error:
        return error


def name(way: Way) -> str:
    """As problems name a field."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in way).removeprefix(".")


@pytest.mark.parametrize("job", [JOB, OTHER])
def test_the_jobs_that_are_damaged_are_valid_before(job: Any) -> None:
    assert Job.parse(job).to_json_object()


@given(DAMAGED)
@inputs(75)
def test_a_damaged_job_is_read_or_its_field_is_named(damage: tuple[Any, Way]) -> None:
    description, way = damage
    found = parsed(description)
    if isinstance(found, Job):
        assert Job.parse(found.to_json_object()) == found
        return
    for problem in found.problems:
        field, _, advice = problem.partition(": ")
        above = name(way[:-1])
        assert advice, problem
        assert field.startswith(above) or above.startswith(field) or field == "the job", problem
        assert not {MARK, KEY} & {part for part in (MARK, KEY) if part in problem}
        assert len(problem) < 2000
        assert problem.isprintable()


@given(DAMAGED, TEXT)
@inputs(50)
def test_what_is_told_of_a_job_is_json_without_secrets(damage: tuple[Any, Way], external: str) -> None:
    found = parsed(damage[0])
    if isinstance(found, Job) and (event := STEPS["validate"].event):
        body = event(Outcome(found, None, None, description=damage[0]))
        assert body
        _check_event(message(Sender(GUID, "studio", external), 1, datetime.now(UTC), body), external)
        assert MARK not in repr(found)


def _check_event(told: Message, external: str) -> None:
    text = json.dumps(told.body, allow_nan=False)
    assert MARK not in text
    assert KEY not in text
    assert json.loads(text)["ExternalId"] == external
    SCHEMA.validate(json.loads(text))


@given(JSON | damaged(JOB).map(lambda damage: damage[0]))
@inputs(50)
def test_who_is_told_is_known_whatever_the_job_is(description: Any) -> None:
    sender = sender_of(description, GUID, "run", "default")
    publishers: list[MessagePublisher] = publishers_of(description)
    assert json.dumps([sender.tenant_id, sender.external_id]).encode()
    assert len(publishers) <= 5
    assert all(MARK not in f"{publisher!r} {publisher.address}" for publisher in publishers)


@given(st.integers(1, 300), st.booleans(), st.sampled_from(["MessagePublishers", "ContentAcquisition", "ExternalId"]))
@inputs(20)
def test_depth_is_survived(depth: int, as_list: bool, field: str) -> None:  # noqa: FBT001
    value: Any = "x"
    for _ in range(depth):
        value = [value] if as_list else {"Provider": value}
    assert isinstance(parsed(JOB | {field: value}), InvalidJob)
