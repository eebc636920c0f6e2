from dataclasses import replace
from datetime import UTC, datetime

from publishers.events import BODIES, ContentAcquired, EncodingProgress, FinalError, Sender, event_schemas, message

SENDER = Sender("0b0f1f9a-6f0c-4e5a-9f57-0f6f2a1d2c3b", "tenant", "ext:1", "Movie", None)
NOW = datetime(2026, 1, 2, 3, 4, 5, 678_900, UTC)


def test_an_event_is_envelope_and_body_in_documented_names() -> None:
    body = ContentAcquired(total_files_count=2, total_files_size_in_bytes=30, ignored_files=["x"])
    assert message(SENDER, 2, NOW, body).body == {
        "EventType": "ContentAcquired",
        "EventId": message(SENDER, 2, NOW, body).event_id,
        "SequenceNumber": 2,
        "Timestamp": "2026-01-02T03:04:05.678Z",
        "JobId": SENDER.job_id,
        "TenantId": "tenant",
        "ExternalId": "ext:1",
        "ExternalType": "Movie",
        "ExternalProvider": None,
        "TotalFilesCount": 2,
        "TotalFilesSizeInBytes": 30,
        "IgnoredFiles": ["x"],
    }


def test_the_event_id_depends_on_what_happened_and_not_on_when_it_is_told() -> None:
    later = NOW.replace(year=2027)
    body = FinalError(code=1000, error="Acquisition Error", message="m", phase="Acquisition")
    assert message(SENDER, 3, NOW, body).event_id == message(SENDER, 3, later, body).event_id
    assert message(SENDER, 3, NOW, body).event_id != message(SENDER, 4, NOW, body).event_id
    again = replace(SENDER, run_id="another")
    assert message(SENDER, 3, NOW, body).event_id != message(again, 3, NOW, body).event_id
    ids = {message(SENDER, 5, NOW, EncodingProgress(progress=percent)).event_id for percent in range(101)}
    assert len(ids) == 101


def test_every_event_has_a_schema_with_envelope_and_body() -> None:
    schemas = event_schemas()
    assert len(schemas) == len(BODIES) == 13
    assert {"JobId", "EventId", "Code", "Phase"} <= set(schemas["FinalError"]["properties"])
