"""Which activity belongs to which phase, and which event its outcome is: the contract's section 1 as one table."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

from activities.deliver import Delivered
from activities.errors import ErrorCode
from activities.notify import Share
from activities.package import Measured, Packaged
from activities.plan import Plan
from publishers import events
from publishers.wire import told
from workflows.job import InvalidJob, Job
from workflows.options import (
    WHOLE_ACTIVITY_ID,
    chunk_activity_id,
    deliver_activity_id,
    package_activity_id,
    samples_activity_id,
)
from workflows.record import Record


class Phase(StrEnum):
    """The phases, in order, under their documented names."""

    PRE_VALIDATION = "Pre-Validation"
    ACQUISITION = "Acquisition"
    MEDIA_MAPPING = "Media Mapping"
    ENCODING = "Encoding"
    IMAGE_EXTRACTION = "Image Extraction"
    PUBLISHING = "Publishing"


@dataclass(frozen=True)
class Outcome:
    """A finished activity, seen from the job."""

    job: Job
    request: Any
    result: Any
    record: Record = field(default_factory=Record)
    description: dict[str, Any] = field(default_factory=dict)
    """The job as its client has written it."""


@dataclass(frozen=True)
class WatchPlan:
    """A phase that is about to start and whose progress is worth telling."""

    phase: Phase
    shares: list[Share]
    event: str | None = None
    film_seconds: float = 0.0
    started: datetime | None = None
    """When its first activity was handed out, if that was before."""
    whole: Share | None = None


@dataclass(frozen=True)
class Step:
    """What one kind of activity means to the client."""

    phase: Phase
    event: Callable[[Outcome], events.Body | None] | None = None
    """None = it tells nothing. What it makes may be None, too: not before others are done."""
    failure: Callable[[str], events.Body] | None = None
    """The event of a failure that does not end the job."""
    watch: Callable[[Outcome], WatchPlan | None] = lambda _: None
    """The phase that follows."""


def _job_created(outcome: Outcome) -> events.Body:
    job, echo = outcome.job, told(outcome.job, outcome.description)
    return events.JobCreated(
        content_acquisition_provider=job.content_acquisition.provider,
        content_acquisition_uri_path=job.content_acquisition.uri_path,
        content_publishing_provider=job.content_publishing.provider,
        content_publishing_uri_path=job.content_publishing.uri_path,
        message_publisher_types=[publisher.published_type for publisher in job.message_publishers],
        content_pre_processing=echo["MediaMappings"],
        content_processing=echo["ContentProcessing"],
    )


def _content_acquired(outcome: Outcome) -> events.Body:
    return events.ContentAcquired(
        total_files_count=len(outcome.result.files),
        total_files_size_in_bytes=sum(file.size for file in outcome.result.files),
        ignored_files=outcome.result.ignored,
    )


def _content_mapped(outcome: Outcome) -> events.Body:
    video, audio, text = outcome.result.video, outcome.result.audio, outcome.result.text
    texts = {
        caption: [
            events.MappedText(
                file_name=track.file.name, track_index=track.index, language=track.language, format=track.format
            )
            for track in text
            if track.caption is caption
        ]
        for caption in (False, True)
    }
    return events.ContentMapped(
        video_stream=video
        and events.MappedVideo(
            file_name=video.file.name,
            track_index=video.index,
            codec=video.codec,
            width=video.width,
            height=video.height,
            frame_rate=_decimal(video.frame_rate),
            duration_in_seconds=round(video.duration, 3),
            bitrate_in_kbps=video.bitrate,
        ),
        audio_streams=[
            events.MappedAudio(
                file_name=track.file.name,
                track_index=track.index,
                track_indices=track.indices,
                language=track.language,
                codec=track.codec,
                channels=track.channels,
                descriptive=track.descriptive,
            )
            for track in audio
        ],
        subtitle_streams=texts[False],
        caption_streams=texts[True],
    )


def _content_pre_processed(outcome: Outcome) -> events.Body:
    mapped, text = outcome.request.mapped, outcome.result.text
    return events.ContentPreProcessed(
        video_duration_for_public=clock(mapped.video.duration if mapped.video else 0.0),
        audio_languages=_unique(track.language for track in mapped.audio),
        subtitle_languages=_unique(track.language for track in text if not track.caption),
        caption_languages=_unique(track.language for track in text if track.caption),
        video_stream=mapped.video and events.VideoFile(file_name=mapped.video.file.name),
    )


def _video_encoding_started(outcome: Outcome) -> events.Body:
    settings, made = outcome.job.content_processing, outcome.result
    return events.VideoEncodingStarted(
        bitrates=[rendition.bitrate for rendition in made.video],
        video_format=settings.video_format,
        optimize_for=settings.optimize_for,
        output_format=list(settings.output_format),
        video_representations=[
            events.VideoRepresentationInUse(width=r.width, height=r.height, bitrate_in_kbps=r.bitrate)
            for r in made.video
        ],
        audio_representations=[
            events.AudioRepresentationInUse(
                language=r.language, bitrate_in_kbps=r.bitrate, sound=r.sound, audio_format=r.format
            )
            for r in made.audio
        ],
    )


def _encoding_finished(outcome: Outcome) -> events.Body | None:
    """Of the first format; not before all are packaged."""
    made: Plan = outcome.request.plan
    packaged: list[Packaged | None] = [outcome.result]
    if outcome.request.only:
        packaged = [outcome.record.results.get(package_activity_id(name)) for name in outcome.request.formats]
    if not packaged[0] or not all(packaged):
        return None
    measured = {rendition.name: rendition for rendition in packaged[0].renditions}
    video = [
        events.MeasuredRendition(
            kind="Video",
            bitrate_in_kbps=r.bitrate,
            measured_bitrate_in_kbps=measured[r.name].bitrate,
            width=r.width,
            height=r.height,
            codec=measured[r.name].codec,
            protection=_protection(measured[r.name]),
        )
        for r in made.video
    ]
    audio = [
        events.MeasuredRendition(
            kind="Audio",
            bitrate_in_kbps=r.bitrate,
            measured_bitrate_in_kbps=measured[r.name].bitrate,
            codec=measured[r.name].codec,
            language=r.language,
            protection=_protection(measured[r.name]),
        )
        for r in made.audio
    ]
    return events.EncodingFinished(bitrates=video + audio)


def _protection(rendition: Measured) -> events.Protection | None:
    if rendition.scheme is None or rendition.key_id is None:
        return None
    return events.Protection(scheme=rendition.scheme, key_id=rendition.key_id)


def _images_extracted(outcome: Outcome) -> events.Body:
    return events.ImagesExtracted(relative_path=outcome.result.relative_path, images=outcome.result.names)


def _content_published(outcome: Outcome) -> events.Body:
    delivered: Delivered = outcome.result
    return events.ContentPublished(
        type=outcome.request.output.type,
        total_size_in_bytes=delivered.total_size,
        location=delivered.location,
        total_files_count=delivered.total_files,
    )


def _acquisition(_: Outcome) -> WatchPlan:
    return WatchPlan(Phase.ACQUISITION, [Share("acquire", 1)], events.AcquisitionProgress.__name__)


def _encoding(outcome: Outcome) -> WatchPlan:
    """Weights stand for work: pixels per second of film, sound at about a small picture's cost."""
    made: Plan = outcome.result
    pixels = sum(r.width * r.height for r in made.video)
    audio = (1 + made.normalize) * 20_000 * len(made.audio) * made.duration
    chunks = [(chunk, chunk.duration or max(0.0, made.duration - chunk.start)) for chunk in made.chunks]
    work = audio + pixels * made.duration
    samples = [sum(sample.duration or 0.0 for sample in group) for group in made.sample_groups]
    shares = [
        *([Share("encode-audio", audio)] if made.audio else []),
        *(Share(samples_activity_id(part), pixels * seconds) for part, seconds in enumerate(samples)),
        *(Share(chunk_activity_id(chunk.index), pixels * seconds) for chunk, seconds in chunks),
        Share("join-chunks" if made.chunks else "copy-video", 0.01 * work),
        *_packaging(outcome.job, 0.03 * work),
    ]
    whole = Share(WHOLE_ACTIVITY_ID, pixels * made.duration) if len(made.chunks) > 1 else None
    ahead = outcome.record if outcome.request.picture else Record()  # of another picture, nothing counts
    begun = [moment for share in shares if (moment := ahead.begun.get(share.activity_id))]
    return WatchPlan(
        Phase.ENCODING,
        [replace(share, is_done=share.activity_id in ahead.results) for share in shares],
        events.EncodingProgress.__name__,
        made.duration,
        min(begun, default=None),
        whole,
    )


def _packaging(job: Job, weight: float) -> list[Share]:
    formats = job.content_processing.output_format
    ids = [package_activity_id(name) for name in formats] if job.sends_ahead else ["package"]
    return [Share(id_, weight / len(ids)) for id_ in ids]


def _publishing(outcome: Outcome) -> WatchPlan:
    formats = outcome.job.content_processing.output_format
    return WatchPlan(Phase.PUBLISHING, [Share(deliver_activity_id(name), 1) for name in formats])


def _publishing_unless_images(outcome: Outcome) -> WatchPlan | None:
    return None if outcome.job.image_extraction or outcome.job.makes_thumbnails else _publishing(outcome)


def _publishing_unless_stills(outcome: Outcome) -> WatchPlan | None:
    return None if outcome.job.image_extraction else _publishing(outcome)


STEPS: dict[str, Step] = {
    "check_keys": Step(Phase.PRE_VALIDATION),
    "validate": Step(Phase.PRE_VALIDATION, _job_created, watch=_acquisition),
    "acquire": Step(Phase.ACQUISITION, _content_acquired),
    "map_media": Step(Phase.MEDIA_MAPPING, _content_mapped),
    "prepare_text": Step(Phase.MEDIA_MAPPING, _content_pre_processed),
    "plan": Step(Phase.ENCODING, _video_encoding_started, watch=_encoding),
    "package": Step(Phase.ENCODING, _encoding_finished, watch=_publishing_unless_images),
    "make_thumbnails": Step(
        Phase.IMAGE_EXTRACTION,
        failure=lambda text: events.ImagesExtractionFailure(message=text),
        watch=_publishing_unless_stills,
    ),
    "extract_images": Step(
        Phase.IMAGE_EXTRACTION,
        _images_extracted,
        failure=lambda text: events.ImagesExtractionFailure(message=text),
        watch=_publishing,
    ),
    "deliver": Step(Phase.PUBLISHING, _content_published),
}
"""By activity name. Those that are not here tell nothing, and may begin before their phase. The events of the run's end
are made by `job_success` and `final_error`."""

OUT_OF_TIME = {
    Phase.PRE_VALIDATION: ErrorCode.PREVALIDATION,
    Phase.ACQUISITION: ErrorCode.ACQUISITION,
    Phase.MEDIA_MAPPING: ErrorCode.ACQUISITION,
    Phase.ENCODING: ErrorCode.ENCODING,
    Phase.IMAGE_EXTRACTION: ErrorCode.ENCODING,
    Phase.PUBLISHING: ErrorCode.PUBLISHING,
}
"""The code of an activity that no worker finished within its budget."""


def job_success(output: dict[str, str]) -> events.JobSuccess:
    """The end of a job that succeeded."""
    return events.JobSuccess(output=output)


def final_error(error: BaseException, phase: Phase, cancel_reason: str | None) -> events.FinalError:
    """The end of a job that did not."""
    code, text = _explain(error, phase, cancel_reason)
    return events.FinalError(code=code.number, error=code.title, message=text, phase=phase)


def ended_outside(phase: Phase, why: str) -> events.FinalError:
    """The end of a job whose run was closed by somebody else; `why` is a sentence for its client."""
    code = ErrorCode.INTERNAL
    return events.FinalError(code=code.number, error=code.title, message=why, phase=phase)


def _explain(error: BaseException, phase: Phase, cancel_reason: str | None) -> tuple[ErrorCode, str]:
    if is_cancelled_exception(error):
        return ErrorCode.CANCELLED, f"The job was cancelled: {cancel_reason or 'no reason was given'}"
    if isinstance(error, InvalidJob):
        return ErrorCode.PREVALIDATION, "; ".join(error.problems)
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ApplicationError):
        return ErrorCode.titled(cause.type), cause.message
    if isinstance(error, ActivityError):
        return OUT_OF_TIME[phase], f"{error.activity_type} was not finished in time by any worker: {reason(error)}"
    return (
        ErrorCode.INTERNAL,
        f"The service failed unexpectedly ({type(error).__name__}); its log has the details",
    )


def reason(error: FailureError) -> str:
    """The innermost message of a failure."""
    cause = error
    while isinstance(cause.cause, FailureError):
        cause = cause.cause
    return cause.message


def clock(seconds: float) -> str:
    """Seconds as `hh:mm:ss.fff`."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{thousandths:03}"


def _decimal(fraction: str) -> float:
    numerator, _, denominator = fraction.partition("/")
    return round(int(numerator) / int(denominator or 1), 3)


def _unique(values: Any) -> list[str]:
    return list(dict.fromkeys(values))
