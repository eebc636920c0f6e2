from typing import Any

import pytest

from activities.server import job_id_of
from publishers.wire import Wire
from workflows.job import InvalidJob, Job, publishers_of, sender_of

GUID = "0b0f1f9a-6f0c-4e5a-9f57-0f6f2a1d2c3b"


def minimal(**fields: Any) -> dict[str, Any]:
    return {
        "ContentAcquisition": {"Provider": "Files", "UriPath": "/media/in"},
        "MediaMappings": {"VideoStreamExpression": r"\.mp4$"},
        "ContentProcessing": {"OutputFormat": ["Dash"]},
        "ContentPublishing": {"Provider": "Files", "UriPath": "/media/out"},
        **fields,
    }


def problems(description: object) -> list[str]:
    with pytest.raises(InvalidJob) as raised:
        Job.parse(description)
    return raised.value.problems


def test_a_minimal_job_is_valid() -> None:
    assert Job.parse(minimal()).content_publishing.uri_path == "/media/out"


def nulled(section: Wire, written: dict[str, Any]) -> dict[str, Any]:
    """What is not written in it, or in the sections below, is null, as serializers of other languages have it."""
    made: dict[str, Any] = {str(field.alias): None for field in type(section).model_fields.values()}
    for name, field in type(section).model_fields.items():
        read, given = getattr(section, name), written.get(str(field.alias))
        if given is not None:
            made[str(field.alias)] = nulled(read, given) if isinstance(read, Wire) else given
    return made


def test_null_is_as_if_left_out() -> None:
    written = minimal()
    plain = Job.parse(written)
    every = nulled(plain, written)
    assert every["ContentProcessing"]["OptimizeFor"] is None
    every["MediaMappings"].pop("FallbackLanguageCode")  # there it is a value
    assert Job.parse(every) == plain
    block = {"Type": "RabbitMQ", "Host": "h", "Queue": "q", "CredentialsName": "n", "CredentialsSecret": "s"}
    [publisher] = publishers_of({"MessagePublishers": [block]})
    assert publishers_of({"MessagePublishers": [nulled(publisher, block)]}) == [publisher]


@pytest.mark.parametrize(
    ("description", "kind"),
    [(None, "nothing"), ([], "an array"), ("x", "a string"), (3, "a number"), (True, "a boolean")],
)
def test_what_is_no_object_is_named(description: object, kind: str) -> None:
    assert problems(description) == [f"the job must be a JSON object, not {kind}"]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("ExternalID", "x", "ExternalID: is not a field"),
        ("message_publishers", [{"Type": "Files", "UriPath": "/e"}], "message_publishers: is not a field"),
        ("ContentProcessing", {"output_format": ["Dash"]}, "ContentProcessing.output_format: is not a field"),
        ("MessagePublishers", [{"Type": "RabbitMQ"}], "MessagePublishers[0].Host: is missing"),
        ("MessagePublishers", [{"Type": "Pigeon"}], "MessagePublishers[0]"),
        ("MessagePublishers", [{"Type": "Files", "UriPath": "/e", "Colour": 1}], "MessagePublishers[0].Colour: is not"),
        ("MessagePublishers", [{"Type": "Files", "UriPath": "/e"}] * 6, "MessagePublishers: "),
        ("ContentProcessing", {"OutputFormat": ["Betamax"]}, "ContentProcessing.OutputFormat"),
        ("ContentProcessing", {"EncodingMode": "PerFrame"}, "ContentProcessing.EncodingMode"),
        ("ExternalId", 7, "ExternalId: "),
        ("ExternalId", "\ud800", "ExternalId: "),
        (
            "ContentAcquisition",
            {"Provider": "Gopher", "UriPath": "/x"},
            "ContentAcquisition: unknown Provider 'Gopher'",
        ),
    ],
)
def test_every_problem_has_the_path_of_its_field(field: str, value: object, expected: str) -> None:
    assert any(problem.startswith(expected) for problem in problems(minimal(**{field: value})))


def test_a_secret_is_not_quoted_in_a_problem() -> None:
    block = {"Type": "RabbitMQ", "Host": "h", "Port": "s3cret", "Queue": "q", "CredentialsSecret": ["s3cret"]}
    assert "s3cret" not in " ".join(problems(minimal(MessagePublishers=[block])))


def test_a_secret_is_not_in_the_text_of_a_block() -> None:
    block = {
        "Type": "RabbitMQ",
        "Host": "h",
        "Port": 5672,
        "Queue": "q",
        "CredentialsName": "me",
        "CredentialsSecret": "s3cret",
    }
    job = Job.parse(minimal(MessagePublishers=[block]))
    assert "s3cret" not in f"{job!r} {job} {job.message_publishers[0].address}"


def test_an_invalid_job_still_tells_its_valid_publishers() -> None:
    good = {"Type": "Files", "UriPath": "/events"}
    found = publishers_of({"MessagePublishers": [{"Type": "Pigeon"}, good, 7]})
    assert [publisher.uri_path for publisher in found if publisher.type == "Files"] == ["/events"]
    assert publishers_of(None) == publishers_of({"MessagePublishers": "x"}) == []


def test_a_guid_is_its_own_job_id_and_another_workflow_id_gets_a_stable_one() -> None:
    assert job_id_of(GUID) == GUID
    assert job_id_of(GUID.upper()) == GUID.upper()
    assert job_id_of("my-title") == job_id_of("my-title") != job_id_of("my-title2")
    assert len(job_id_of("my-title")) == 36
    assert job_id_of(GUID.replace("-", "")) != GUID.replace("-", "")


def test_the_sender_survives_an_invalid_description() -> None:
    sender = sender_of({"ExternalId": "ä:1", "TenantId": 5, "ExternalType": "\ud800"}, GUID, "run", "ns")
    assert (sender.job_id, sender.tenant_id, sender.external_id, sender.external_type) == (GUID, "ns", "ä:1", None)


@pytest.mark.parametrize("digits", [400, 5000])
def test_a_time_without_end_is_named(digits: int) -> None:
    time = "9" * digits + ":00:00"
    mark = {"WatermarkFileName": "a.png", "PositionXPercentage": 0, "PositionYPercentage": 0, "StartTime": time}
    [problem] = problems(minimal(ContentProcessing={"VisibleVideoWatermarks": [mark]}))
    assert problem.startswith("ContentProcessing.VisibleVideoWatermarks[0].StartTime: must be hh:mm:ss")


@pytest.mark.parametrize(
    ("depth", "told"),
    [(15, "unknown Provider that is no text; supported: Ftps"), (5000, "sections lie in each other more than 20 deep")],
)
def test_a_kind_that_is_no_text_is_named_however_deep_it_is(depth: int, told: str) -> None:
    provider: Any = "Files"
    for _ in range(depth):
        provider = [provider]
    [problem] = problems(minimal(ContentAcquisition={"Provider": provider, "UriPath": "/x"}))
    assert problem.startswith(f"ContentAcquisition: {told}")
