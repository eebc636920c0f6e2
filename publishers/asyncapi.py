"""The events as a contract that machines can read: an AsyncAPI 3 document made from the models."""

from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

from publishers import events
from publishers.events import Body, Message, Sender, event_schemas, message

REF = "#/components/schemas/{model}"

SENDER = Sender(
    job_id="0b0f7a9e-4b0e-4c56-9d0c-2f4d4c0e6b11",
    tenant_id="studio-one",
    external_id="title-4711",
    external_type="Movie",
    external_provider="Catalogue",
)
BEGIN = datetime(2026, 1, 31, 18, 0, tzinfo=UTC)
VIDEO = {"file_name": "title-4711.mov", "track_index": 0, "codec": "prores", "width": 1920, "height": 1080}

EXAMPLES: tuple[Body, ...] = (
    events.JobCreated(
        content_acquisition_provider="Files",
        content_acquisition_uri_path="/media/in/title-4711",
        content_publishing_provider="Files",
        content_publishing_uri_path="/media/out/title-4711",
        message_publisher_types=["RabbitMqMessagePublishing"],
        content_pre_processing={"VideoStreamExpression": r"\.mov$"},
        content_processing={"OutputFormat": ["Dash", "Hls"]},
    ),
    events.AcquisitionProgress(progress=62),
    events.ContentAcquired(
        total_files_count=2, total_files_size_in_bytes=48_318_382_080, ignored_files=["read-me.txt"]
    ),
    events.ContentMapped(
        video_stream=events.MappedVideo(**VIDEO, frame_rate=25.0, duration_in_seconds=5400.0, bitrate_in_kbps=71_000),
        audio_streams=[
            events.MappedAudio(
                file_name="title-4711.mov",
                track_index=1,
                track_indices=[1],
                language="en",
                codec="pcm_s24le",
                channels=2,
                descriptive=False,
            )
        ],
        subtitle_streams=[events.MappedText(file_name="title-4711-sub-de.srt", language="de", format="srt")],
        caption_streams=[],
    ),
    events.ContentPreProcessed(
        video_duration_for_public="01:30:00.000",
        audio_languages=["en"],
        subtitle_languages=["de"],
        caption_languages=[],
        video_stream=events.VideoFile(file_name="title-4711.mov"),
    ),
    events.VideoEncodingStarted(
        bitrates=[4500],
        video_format="H264",
        optimize_for="Balance",
        output_format=["Dash", "Hls"],
        video_representations=[events.VideoRepresentationInUse(width=1920, height=1080, bitrate_in_kbps=4500)],
        audio_representations=[
            events.AudioRepresentationInUse(language="en", bitrate_in_kbps=128, sound="Stereo", audio_format="AAC")
        ],
    ),
    events.EncodingProgress(progress=37, speed_factor=2.4, remaining_seconds=1418),
    events.EncodingFinished(
        bitrates=[
            events.MeasuredRendition(
                kind="Video",
                bitrate_in_kbps=4500,
                measured_bitrate_in_kbps=4371,
                width=1920,
                height=1080,
                codec="avc1.640028",
            )
        ]
    ),
    events.ImagesExtracted(relative_path="images", images=["preview_1.jpg"]),
    events.ImagesExtractionFailure(message="no frame could be read at 90 % of the film"),
    events.ContentPublished(
        type="Dash",
        total_size_in_bytes=2_950_000_000,
        location="file:///media/out/title-4711/dash/",
        total_files_count=1812,
    ),
    events.JobSuccess(output={"dash": "file:///media/out/title-4711/dash/manifest.mpd"}),
    events.FinalError(
        code=2000, error="Encoding Error", message="title-4711.mov ends after 12 s; upload it again", phase="Encoding"
    ),
)
"""One of each event, all of one title; a real job has either of the last two."""

TRANSPORTS: dict[str, dict[str, Any]] = {
    "rabbitmq": {
        "address": "{Queue}",
        "description": "The queue of a RabbitMQ broker, through the default exchange. The property `type` is the "
        "event's name, `message_id` its EventId, `timestamp` its time; persistent, confirmed, mandatory.",
        "bindings": {"amqp": {"is": "queue", "queue": {"durable": True}, "bindingVersion": "0.3.0"}},
    },
    "serviceBus": {
        "address": "{Queue}",
        "description": "A queue of an Azure Service Bus namespace; without `Queue` in the job, the one that is named "
        "after the event. The body is a JSON string. Application property `OriginalMessageType` and `subject` are the "
        "event's name, `message_id` is its EventId, `session_id` the JobId.",
    },
    "sqs": {
        "address": "{QueueUrl}",
        "description": "An Amazon SQS queue. The message attribute `type` is the event's name; on a FIFO queue, the "
        "group id is the JobId and the deduplication id the EventId.",
        "bindings": {"sqs": {"queue": {"name": "{QueueUrl}", "fifoQueue": True}, "bindingVersion": "0.3.0"}},
    },
    "ftps": {
        "address": "{UriPath}/{JobId}/{FileName}",
        "description": "One file an event: `<SequenceNumber, 6 digits>-<EventType>.json`, for progress "
        "`…-<EventType>-<Progress, 3 digits>.json`. A file appears when it is whole.",
    },
    "files": {
        "address": "{UriPath}/{JobId}/{FileName}",
        "description": "The same files as `ftps`, in a local folder.",
    },
}


def examples() -> list[Message]:
    """One message of each event."""
    return [message(SENDER, number, BEGIN + timedelta(minutes=number), body) for number, body in enumerate(EXAMPLES, 1)]


def asyncapi() -> dict[str, Any]:
    """The whole document, as JSON."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Encoding Service events",
            "version": version("encoding-service"),
            "description": "What a job tells its client. In order and at least once to each publisher: drop an "
            "EventId that was seen before, and ignore fields and events that are not known here.",
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(transport) for name, transport in TRANSPORTS.items()},
        "operations": {
            f"sendTo{name[0].upper()}{name[1:]}": {"action": "send", "channel": {"$ref": f"#/channels/{name}"}}
            for name in TRANSPORTS
        },
        "components": {
            "messages": {example.event_type: _message(example) for example in examples()},
            "schemas": _schemas(),
        },
    }


def _channel(transport: dict[str, Any]) -> dict[str, Any]:
    names = [part.split("}")[0] for part in transport["address"].split("{")[1:]]
    references = {body.__name__: {"$ref": f"#/components/messages/{body.__name__}"} for body in events.BODIES}
    return {
        "address": transport["address"],
        "description": transport["description"],
        "parameters": {name: {} for name in names},
        "messages": references,
        **({"bindings": transport["bindings"]} if "bindings" in transport else {}),
    }


def _message(example: Message) -> dict[str, Any]:
    name = example.event_type
    return {
        "name": name,
        "summary": str(getattr(events, name).__doc__),
        "payload": {"$ref": REF.format(model=name)},
        "examples": [{"name": name, "payload": example.body}],
    }


def _schemas() -> dict[str, Any]:
    """Those of the events and, beside them, those of their parts: references have one place to point to."""
    schemas: dict[str, Any] = {}
    for name, schema in event_schemas(REF).items():
        schemas |= schema.pop("$defs", {})
        schemas[name] = schema
    return schemas
