"""How each activity runs: its queue, its budget, what the UI says of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy

from activities.acquire import acquire
from activities.ahead import look_ahead
from activities.cleanup import clean_up, delete_source
from activities.deliver import deliver, send_media
from activities.drm.keys import check_keys
from activities.encode import encode_audio, encode_chunk, encode_samples
from activities.images import extract_images
from activities.join import join_chunks
from activities.map import map_media
from activities.package import package
from activities.plan import plan
from activities.prepare import prepare_text
from activities.thumbnails import make_thumbnails
from activities.validate import validate
from activities.variants import copy_video
from activities.watermarks import prepare_watermarks

WORKFLOW = "EncodingJob"
RESEND_WORKFLOW = "ResendEvents"
SWEEP_WORKFLOW = "Sweep"
END_WORKFLOW = "EndJob"
REMOVE_WORKFLOW = "RemoveJob"
CONTROL_QUEUE = "encoding"
"""Workflows and events."""
FILES_QUEUE = "encoding-files"
"""Validation, transfers and probing: jobs that have begun go before others, and events wait for none of it."""
PROGRESS_QUEUE = "encoding-progress"
"""Reporters of progress, which stay for a whole phase: those that find no place hold up nothing else."""
TRANSCODE_QUEUE = "encoding-transcode"
"""Video, which keeps cores busy for long; separate, or progress reports would wait behind chunks."""
MEDIA_QUEUE = "encoding-media"
"""What else reads or writes a whole title (packets, sound, packaging, stills), on the same workers: a job that needs
nothing else does not wait behind chunks."""

HEARTBEAT_TIMEOUT = timedelta(seconds=30)
# No limit of attempts: a worker that shuts down uses one up. Which faults are final is decided where they are
# understood, in the activity; the budget ends the rest.
RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1))

Request = TypeVar("Request")
Result = TypeVar("Result")


class Rank(IntEnum):
    """Who goes first where workers are short: added to the priority that the client has given the workflow."""

    FIRST = -1
    """What ends a phase, so that jobs that are nearly done are done."""
    USUAL = 0
    LATER = 1
    """More chunks of a film than its share: they fill workers that nobody else needs."""


LEAST_URGENT, USUAL_PRIORITY = 5, 3
"""Temporal's own."""
LONGEST_KEY = 64
"""Bytes of a fairness key."""


def priority(rank: Rank, tenant: str) -> Priority:
    """Of an activity; where the server knows fairness, tenants get equal shares of each rank."""
    base = workflow.info().priority.priority_key or USUAL_PRIORITY
    key = tenant.encode()[:LONGEST_KEY].decode(errors="ignore")
    return Priority(priority_key=min(max(base + rank, 1), LEAST_URGENT), fairness_key=key)


@dataclass(frozen=True)
class Options:
    """Options of one activity."""

    summary: str
    budget: timedelta
    """With the time that it waits for a worker."""
    queue: str = FILES_QUEUE


OPTIONS: dict[Callable[..., Any], Options] = {
    check_keys: Options("check that the keys can be had", timedelta(days=1)),
    validate: Options("check both locations", timedelta(days=1)),
    acquire: Options("copy the source to the workspace", timedelta(days=1)),
    look_ahead: Options("find the film and plan it, while other files arrive", timedelta(hours=6), MEDIA_QUEUE),
    map_media: Options("decide which file plays which part", timedelta(hours=1)),
    prepare_watermarks: Options("read the watermarks", timedelta(hours=1), MEDIA_QUEUE),
    prepare_text: Options("convert subtitles to WebVTT", timedelta(hours=6)),
    plan: Options("choose renditions and chunks", timedelta(hours=6), MEDIA_QUEUE),
    encode_audio: Options("encode all sound", timedelta(days=2), MEDIA_QUEUE),
    encode_samples: Options("find the rates by samples", timedelta(days=1), TRANSCODE_QUEUE),
    encode_chunk: Options("encode video", timedelta(days=7), TRANSCODE_QUEUE),
    join_chunks: Options("join and check the chunks", timedelta(hours=6), MEDIA_QUEUE),
    copy_video: Options("check the variants and copy them", timedelta(days=1), MEDIA_QUEUE),
    package: Options("write segments and manifests", timedelta(hours=12), MEDIA_QUEUE),
    make_thumbnails: Options("make thumbnails for the seek bar", timedelta(hours=6), MEDIA_QUEUE),
    extract_images: Options("extract still frames", timedelta(hours=1), MEDIA_QUEUE),
    send_media: Options("send media, to be published later", timedelta(days=1)),
    deliver: Options("publish media, then manifests", timedelta(days=1)),
    clean_up: Options("remove the workspace", timedelta(minutes=10)),
    delete_source: Options("remove the files from the source folder", timedelta(minutes=10)),
}


WHOLE_ACTIVITY_ID = "encode-video-whole"
"""Names the activity that encodes a film once more, in one piece."""


def chunk_activity_id(index: int) -> str:
    """Names the activity that encodes chunk `index`."""
    return f"encode-video-{index:04}"


def samples_activity_id(part: int) -> str:
    """Names the activity that encodes a part of the samples."""
    return f"encode-samples-{part:02}"


def package_activity_id(output_format: str) -> str:
    """Names the activity that packages one format by itself."""
    return f"package-{output_format}"


def send_activity_id(output_format: str) -> str:
    """Names the activity that sends the media of one format ahead."""
    return f"send-{output_format}"


def deliver_activity_id(output_format: str) -> str:
    """Names the activity that publishes one format."""
    return f"deliver-{output_format}"


async def perform(
    activity: Callable[[Request], Awaitable[Result]],
    request: Request,
    *,
    activity_id: str | None = None,
    detail: str = "",
    priority: Priority = Priority.default,
    patience: timedelta | None = None,
) -> Result:
    """Run one activity with its options.

    Args:
        activity: one of `OPTIONS`.
        request: its argument.
        activity_id: where its name is not enough.
        detail: goes behind its summary in the UI.
        priority: who goes first.
        patience: how long it waits for a worker; None = for ever.
    """
    options = OPTIONS[activity]
    return await workflow.execute_activity(
        activity,
        request,
        activity_id=activity_id or str(activity.__name__).replace("_", "-"),
        task_queue=options.queue,
        schedule_to_close_timeout=options.budget,
        schedule_to_start_timeout=patience,
        heartbeat_timeout=HEARTBEAT_TIMEOUT,
        retry_policy=RETRY,
        # An activity that owns files or a process has to be gone before anything else touches them.
        cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        summary=f"{options.summary} {detail}".strip(),
        priority=priority,
    )
