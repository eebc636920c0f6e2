"""The thirteen events of a job, as the contract names them (section 2), without any transport.

A body holds what one event alone says. `message` puts the envelope that all events share in front of it.
Sizes are bytes, bitrates kbit/s, progress percent, times ISO 8601 UTC.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID, uuid5

from pydantic import Field, create_model
from pydantic.json_schema import DEFAULT_REF_TEMPLATE

from publishers.wire import Wire


class Envelope(Wire):
    """What every event carries besides its own fields."""

    event_type: str
    event_id: str
    """Stable over redeliveries: consumers deduplicate on it."""
    sequence_number: int
    """Counts lifecycle events from 1 without a gap; a progress event repeats that of the one it follows."""
    timestamp: str
    job_id: str
    tenant_id: str
    external_id: str | None = None
    external_type: str | None = None
    external_provider: str | None = None


class Body(Wire):
    """Base of the events' own fields."""


class JobCreated(Body):
    """The job passed pre-validation; an echo of it without any secret."""

    content_acquisition_provider: str
    content_acquisition_uri_path: str
    content_publishing_provider: str
    content_publishing_uri_path: str
    message_publisher_types: list[str]
    content_pre_processing: dict[str, Any]
    content_processing: dict[str, Any]


class AcquisitionProgress(Body):
    """Share of the source's bytes in the workspace."""

    progress: int = Field(ge=0, le=100)


class ContentAcquired(Body):
    """The source is in the workspace."""

    total_files_count: int
    total_files_size_in_bytes: int
    ignored_files: list[str]


class MappedVideo(Wire):
    """The one video track that is encoded."""

    file_name: str
    track_index: int
    codec: str
    width: int
    height: int
    frame_rate: float
    duration_in_seconds: float
    bitrate_in_kbps: int


class MappedAudio(Wire):
    """One audio track that is encoded."""

    file_name: str
    track_index: int
    """Stream in the file, from 0; of a joined track, the first."""
    track_indices: list[int]
    """All streams: several are the channels of a joined track."""
    language: str
    codec: str
    channels: int
    descriptive: bool


class MappedText(Wire):
    """One subtitle or caption track."""

    file_name: str
    track_index: int | None = None
    """Stream in the video's file, from 0; null where the file is nothing but this text."""
    language: str
    format: str


class ContentMapped(Body):
    """Which file and track plays which part."""

    video_stream: MappedVideo | None
    audio_streams: list[MappedAudio]
    subtitle_streams: list[MappedText]
    caption_streams: list[MappedText]


class VideoFile(Wire):
    """The source file of the video."""

    file_name: str


class ContentPreProcessed(Body):
    """All streams are ready to be encoded."""

    video_duration_for_public: str
    """`hh:mm:ss.fff`"""
    audio_languages: list[str]
    subtitle_languages: list[str]
    caption_languages: list[str]
    video_stream: VideoFile | None


class VideoRepresentationInUse(Wire):
    """One rung of the ladder."""

    width: int
    height: int
    bitrate_in_kbps: int


class AudioRepresentationInUse(Wire):
    """One audio rendition."""

    language: str
    bitrate_in_kbps: int
    sound: str
    audio_format: str


class VideoEncodingStarted(Body):
    """The encoders start, with these settings."""

    bitrates: list[int]
    video_format: str
    optimize_for: str
    output_format: list[str]
    video_representations: list[VideoRepresentationInUse]
    audio_representations: list[AudioRepresentationInUse]


class EncodingProgress(Body):
    """Share of the encoding phase that is done."""

    progress: int = Field(ge=0, le=100)
    speed_factor: float | None = None
    """Seconds of film per second of work."""
    remaining_seconds: int | None = None


class Protection(Wire):
    """How a rendition is encrypted."""

    scheme: str
    """`cenc` or `cbcs`; of two formats, that of the first."""
    key_id: str


class MeasuredRendition(Wire):
    """One rendition as it left the packager."""

    kind: Literal["Video", "Audio"]
    bitrate_in_kbps: int
    measured_bitrate_in_kbps: int
    width: int | None = None
    height: int | None = None
    codec: str
    language: str | None = None
    protection: Protection | None = None


class EncodingFinished(Body):
    """Everything is encoded and packaged."""

    bitrates: list[MeasuredRendition]


class ImagesExtracted(Body):
    """The still frames lie below the output location."""

    relative_path: str
    images: list[str]


class ImagesExtractionFailure(Body):
    """No still frames; the job goes on."""

    message: str


class ContentPublished(Body):
    """One produced format is at its place, playable."""

    type: Literal["Dash", "Hls", "Cmaf", "DashOnDemand"]
    total_size_in_bytes: int
    location: str
    total_files_count: int


class JobSuccess(Body):
    """The last event of a job that succeeded; manifest links under `dash` and `hls`."""

    output: dict[str, str]


class FinalError(Body):
    """The last event of a job that failed or was cancelled."""

    code: int
    error: str
    message: str
    phase: str


BODIES: tuple[type[Body], ...] = (
    JobCreated,
    AcquisitionProgress,
    ContentAcquired,
    ContentMapped,
    ContentPreProcessed,
    VideoEncodingStarted,
    EncodingProgress,
    EncodingFinished,
    ImagesExtracted,
    ImagesExtractionFailure,
    ContentPublished,
    JobSuccess,
    FinalError,
)
FINAL = {JobSuccess.__name__, FinalError.__name__}
"""Exactly one of them ends every job."""


@dataclass(frozen=True)
class Sender:
    """The part of the envelope that is the same for all events of a job."""

    job_id: str
    tenant_id: str
    external_id: str | None = None
    external_type: str | None = None
    external_provider: str | None = None
    run_id: str = ""
    """Tells a job from an earlier one of the same id."""


@dataclass(frozen=True)
class Message:
    """One event as every transport sends it: the JSON object, and readers for what headers repeat of it."""

    body: dict[str, Any]

    @property
    def event_type(self) -> str:
        """Name of the event."""
        return str(self.body["EventType"])

    @property
    def event_id(self) -> str:
        """Identity over redeliveries."""
        return str(self.body["EventId"])

    @property
    def job_id(self) -> str:
        """The job that it speaks of."""
        return str(self.body["JobId"])

    @property
    def sequence_number(self) -> int:
        """Place in the job's order."""
        return int(self.body["SequenceNumber"])

    @property
    def progress(self) -> int | None:
        """Percent, for a progress event alone."""
        return self.body.get("Progress")

    @property
    def timestamp(self) -> datetime:
        """When it happened."""
        return datetime.fromisoformat(self.body["Timestamp"])


def message(sender: Sender, sequence_number: int, at: datetime, body: Body) -> Message:
    """Put `body` in its envelope. Same sender, number and percent give the same `EventId`, whoever asks."""
    event_type = type(body).__name__
    progress = getattr(body, "progress", "")
    envelope = Envelope(
        event_type=event_type,
        event_id=str(uuid5(UUID(sender.job_id), f"{sender.run_id}:{sequence_number}:{event_type}:{progress}")),
        sequence_number=sequence_number,
        timestamp=at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        job_id=sender.job_id,
        tenant_id=sender.tenant_id,
        external_id=sender.external_id,
        external_type=sender.external_type,
        external_provider=sender.external_provider,
    )
    return Message(envelope.to_json_object() | body.to_json_object())


def event_schemas(ref_template: str = DEFAULT_REF_TEMPLATE) -> dict[str, dict[str, Any]]:
    """JSON Schema of every event as it goes over the wire, by event name.

    Further fields are allowed, unlike in our own models: an event may gain some.
    """
    models = {
        body.__name__: create_model(body.__name__, __base__=(body, Envelope), __doc__=body.__doc__) for body in BODIES
    }
    return {
        name: _open(model.model_json_schema(ref_template=ref_template, mode="serialization"))
        for name, model in models.items()
    }


def _open(schema: Any) -> Any:
    """Without the ban on further fields, and without titles that only repeat a field's name."""
    if isinstance(schema, list):
        return [_open(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: part for name, part in schema.items() if name != "title"}
    return {name: _open(part) for name, part in kept.items() if (name, part) != ("additionalProperties", False)}
