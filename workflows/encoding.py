"""The job: its phases in order. Nothing here knows of events or codes; the interceptor makes them from what happens."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import Priority, RawValue
from temporalio.exceptions import ActivityError, WorkflowAlreadyStartedError, is_cancelled_exception

from activities.acquire import PICTURE_SIGNAL, Acquired, AcquireRequest, Arrived, acquire
from activities.cleanup import CleanUpRequest, DeleteSourceRequest, clean_up, delete_source
from activities.drm.keys import CheckKeysRequest, check_keys
from activities.encode import AudioRequest, EncodedAudio, encode_audio
from activities.images import ImagesRequest, extract_images
from activities.join import Joined
from activities.map import MapRequest, map_media
from activities.media.marks import Mark
from activities.package import PackagedFormat, PackageRequest
from activities.plan import Plan, PlanRequest, plan
from activities.prepare import Prepared, PrepareRequest, prepare_text
from activities.server import PAUSED, Run, job_id_of
from activities.storage.config import HttpLocation, WritableLocation
from activities.thumbnails import ThumbnailsRequest, make_thumbnails
from activities.tracks import Mapped
from activities.validate import ValidateRequest, validate
from activities.variants import CopyRequest, copy_video
from workflows.film import is_cancelled, stop_if_cancelled, together
from workflows.job import Job
from workflows.options import REMOVE_WORKFLOW, WORKFLOW, Rank, perform, priority
from workflows.output import Output
from workflows.picture import Ahead, Picture

Request = TypeVar("Request")
Result = TypeVar("Result")


@workflow.defn(name=WORKFLOW)
class EncodingJob:
    """One title: from a folder of files to DASH and HLS at its place."""

    def __init__(self) -> None:
        self._paused = _is_paused()
        self._is_acquiring = False
        self._ahead: Ahead | None = None
        self._images: ImagesRequest | None = None
        """What may be at its place, whole or in part."""

    @workflow.run
    async def run(self, description: RawValue) -> dict[str, str]:
        """Take anything, so that what is no job fails instead of staying open for ever.

        Returns the absolute manifest links under `dash` and `hls`.
        """
        self._job = job = Job.parse(description)
        self._id = job_id_of(workflow.info().workflow_id)
        self._picture = Picture(self._id, job, self._step)
        self._output = Output(self._id, job, self._step)
        images = job.image_extraction.location if job.image_extraction else None
        if drm := job.content_processing.drm():
            await perform(check_keys, CheckKeysRequest(self._id, drm, job.content_processing.output_format))
        await perform(validate, ValidateRequest(job.content_acquisition, job.content_publishing, images))
        try:
            acquired = await self._acquire()
            mapped, marks, prepared = await self._map(acquired)
            formats = await self._encode(mapped, marks, prepared)
            await self._extract_images(mapped)
            output = await self._output.published(formats)
        except (Exception, asyncio.CancelledError):
            await _uncancelled(self._take_back())
            raise
        await _uncancelled(self._clean_up())
        source = job.content_acquisition
        if job.content_processing.delete_files_from_source_when_done and not isinstance(source, HttpLocation):
            await _uncancelled(self._delete_source(source, acquired))
        return output

    @workflow.signal
    def pause(self) -> None:
        """Start nothing new; what runs goes on to its end. A job is validated also when it is paused."""
        self._paused = True
        workflow.upsert_memo({PAUSED: True})

    @workflow.signal
    def resume(self) -> None:
        """Go on."""
        self._paused = False
        workflow.upsert_memo({PAUSED: False})

    @workflow.signal(name=PICTURE_SIGNAL)
    def picture_arrived(self, arrived: Arrived) -> None:
        """Of the activity that still brings the rest; an attempt of it that begins anew says it again."""
        if self._is_acquiring and not self._ahead:
            self._ahead = Ahead(self._picture, arrived.files)

    async def _acquire(self) -> Acquired:
        job = self._job
        request = AcquireRequest(self._id, job.content_acquisition, job.media_mappings, job.watermark_names)
        self._is_acquiring = not self._packages_only
        try:
            return await self._step(acquire, request)
        finally:
            self._is_acquiring = False

    @property
    def _packages_only(self) -> bool:
        return self._job.content_processing.video_format == "DoNotEncode"

    async def _map(self, acquired: Acquired) -> tuple[Mapped, list[Mark], Prepared]:
        media = [file for file in acquired.files if file.name not in self._job.watermark_names]
        mapped = await self._step(map_media, MapRequest(self._id, media, self._job.media_mappings, self._packages_only))
        if self._ahead and not await self._ahead.is_of(mapped.video):
            await self._ahead.stop()
            self._ahead = None
        marks = await (self._ahead.marks if self._ahead else self._picture.marks(mapped.video, acquired.files))
        return mapped, marks, await self._step(prepare_text, PrepareRequest(self._id, mapped))

    async def _encode(self, mapped: Mapped, marks: list[Mark], prepared: Prepared) -> list[PackagedFormat]:
        processing = self._job.content_processing
        picture = (await self._ahead.looked).plan if self._ahead else None
        planned = await self._step(plan, PlanRequest(self._id, mapped, processing.without_drm(), picture))
        made = planned.without_chunks()
        audio, video = await together(self._encode_audio(mapped, made), self._encode_video(mapped, planned, marks))
        formats = await self._output.packaged(
            PackageRequest(
                self._id,
                made,
                processing.output_format,
                video.paths,
                audio.paths,
                prepared.text,
                processing.use_native_language_names,
                processing.drm(),
                processing.naming,
                processing.archiving,
            ),
        )
        return await self._make_thumbnails(made, video, formats)

    async def _encode_audio(self, mapped: Mapped, made: Plan) -> EncodedAudio:
        if not made.audio:
            return EncodedAudio()
        return await self._step(encode_audio, AudioRequest(self._id, mapped.audio, made))

    async def _encode_video(self, mapped: Mapped, planned: Plan, marks: list[Mark]) -> Joined:
        if mapped.video and self._packages_only:
            return await self._step(copy_video, CopyRequest(self._id, mapped.variants, planned))
        return await (self._ahead.encoded if self._ahead else self._picture.encoded(mapped.video, planned, marks))

    async def _make_thumbnails(self, made: Plan, video: Joined, formats: list[PackagedFormat]) -> list[PackagedFormat]:
        """The formats with thumbnails; without, where they fail: the client is told by an event of its own."""
        section = self._job.thumbnails
        if not section or not section.generate:
            return formats
        request = ThumbnailsRequest(self._id, section, made, video.paths, formats)
        try:
            return await self._step(make_thumbnails, request)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return formats

    async def _extract_images(self, mapped: Mapped) -> None:
        section = self._job.image_extraction
        if not section:
            return
        request = ImagesRequest(self._id, mapped.video, section, self._job.content_publishing)
        self._images = replace(request, video=None)
        try:
            await self._step(extract_images, request)
        except ActivityError as error:
            # Never fatal: the client is told by an event of its own.
            if is_cancelled_exception(error):
                raise

    async def _take_back(self) -> None:
        """What was begun must not be found by a reader, and nothing may write to what is removed."""
        if self._ahead:
            await self._ahead.stop()
        await self._output.stop()
        await self._clean_up(self._output.begun, self._images)

    async def _clean_up(self, withdraw: Sequence[PackagedFormat] = (), images: ImagesRequest | None = None) -> None:
        try:
            request = CleanUpRequest(self._id, self._job.content_publishing, [*withdraw], images)
            await perform(clean_up, request, priority=self._priority(Rank.FIRST))
        except ActivityError as error:
            workflow.logger.error("what job %s leaves could not be removed yet: %s", self._id, error.cause)
            await self._remove_later()

    async def _remove_later(self) -> None:
        """By a run of its own, which has more patience than the client, who waits for the end of this one."""
        info = workflow.info()
        with suppress(WorkflowAlreadyStartedError):
            await workflow.start_child_workflow(
                REMOVE_WORKFLOW,
                Run(info.workflow_id, info.run_id),
                id=f"{self._id}-removal-{info.run_id}",
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            )

    async def _delete_source(self, location: WritableLocation, acquired: Acquired) -> None:
        try:
            request = DeleteSourceRequest(location, acquired.files)
            await perform(delete_source, request, priority=self._priority(Rank.FIRST))
        except ActivityError as error:
            workflow.logger.warning("job %s has succeeded, but %s", self._id, error.cause)

    async def _step(
        self,
        activity: Callable[[Request], Awaitable[Result]],
        request: Request,
        rank: Rank = Rank.FIRST,
        patience: timedelta | None = None,
        **options: str,
    ) -> Result:
        await workflow.wait_condition(lambda: not self._paused or is_cancelled())
        stop_if_cancelled()
        result = await perform(activity, request, priority=self._priority(rank), patience=patience, **options)
        stop_if_cancelled()
        return result

    def _priority(self, rank: Rank) -> Priority:
        return priority(rank, self._job.tenant_id or workflow.info().namespace)


def _is_paused() -> bool:
    """As a run before a reset, or whoever has started this one, has left it; what cannot be read asks for nothing."""
    try:
        return bool(workflow.memo_value(PAUSED, default=False))
    except (ValueError, KeyError):
        return False


async def _uncancelled(work: Coroutine[Any, Any, None]) -> None:
    """Finish `work` also when the job is cancelled meanwhile."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
