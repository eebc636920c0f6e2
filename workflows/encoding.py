"""The job: its phases in order. Nothing here knows of events or codes; the interceptor makes them from what happens."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.acquire import Acquired, AcquireRequest, acquire
from activities.cleanup import CleanUpRequest, DeleteSourceRequest, clean_up, delete_source
from activities.deliver import DeliverRequest, deliver
from activities.drm.keys import CheckKeysRequest, check_keys
from activities.encode import AudioRequest, EncodedAudio, encode_audio
from activities.images import ImagesRequest, extract_images
from activities.join import Joined
from activities.map import MapRequest, map_media
from activities.media.marks import Mark
from activities.package import PackagedFormat, PackageRequest, package
from activities.plan import Plan, PlanRequest, plan
from activities.prepare import Prepared, PrepareRequest, prepare_text
from activities.server import PAUSED, job_id_of
from activities.storage.config import HttpLocation, WritableLocation
from activities.thumbnails import ThumbnailsRequest, make_thumbnails
from activities.tracks import Mapped
from activities.validate import ValidateRequest, validate
from activities.variants import CopyRequest, copy_video
from activities.watermarks import WatermarksRequest, prepare_watermarks
from workflows.film import Film, is_cancelled, stop_if_cancelled, together
from workflows.job import Job
from workflows.options import WORKFLOW, Rank, deliver_activity_id, perform, priority

Request = TypeVar("Request")
Result = TypeVar("Result")


# Input that does not even decode ends the run; without this, Temporal would try for ever.
@workflow.defn(name=WORKFLOW, failure_exception_types=[ValueError, KeyError])
class EncodingJob:
    """One title: from a folder of files to DASH and HLS at its place."""

    def __init__(self) -> None:
        self._paused = bool(workflow.memo_value(PAUSED, default=False))
        self._published: list[PackagedFormat] = []

    @workflow.run
    async def run(self, description: RawValue) -> dict[str, str]:
        """Take anything, so that what is no job fails instead of staying open for ever.

        Returns the absolute manifest links under `dash` and `hls`.
        """
        self._job = job = Job.parse(description)
        self._id = job_id_of(workflow.info().workflow_id)
        images = job.image_extraction.location if job.image_extraction else None
        if drm := job.content_processing.drm():
            await perform(check_keys, CheckKeysRequest(self._id, drm, job.content_processing.output_format))
        await perform(validate, ValidateRequest(job.content_acquisition, job.content_publishing, images))
        try:
            acquired = await self._acquire()
            mapped, marks, prepared = await self._map(acquired)
            formats = await self._encode(mapped, marks, prepared)
            await self._extract_images(mapped)
            output = await self._publish(formats)
        except (Exception, asyncio.CancelledError):
            # What was begun must not be found by a reader.
            await _uncancelled(self._clean_up(withdraw=self._published))
            raise
        await _uncancelled(self._clean_up(withdraw=[]))
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

    async def _acquire(self) -> Acquired:
        job = self._job
        return await self._step(
            acquire, AcquireRequest(self._id, job.content_acquisition, job.media_mappings, self._watermark_names())
        )

    def _watermark_names(self) -> list[str]:
        watermarks = self._job.content_processing.visible_video_watermarks or []
        return list(dict.fromkeys(each.watermark_file_name for each in watermarks))

    async def _map(self, acquired: Acquired) -> tuple[Mapped, list[Mark], Prepared]:
        names = self._watermark_names()
        media = [file for file in acquired.files if file.name not in names]
        mapped = await self._step(map_media, MapRequest(self._id, media, self._job.media_mappings, self._packages_only))
        marks = await self._prepare_watermarks(mapped, acquired)
        return mapped, marks, await self._step(prepare_text, PrepareRequest(self._id, mapped))

    @property
    def _packages_only(self) -> bool:
        return self._job.content_processing.video_format == "DoNotEncode"

    async def _prepare_watermarks(self, mapped: Mapped, acquired: Acquired) -> list[Mark]:
        watermarks = self._job.content_processing.visible_video_watermarks
        if not watermarks or not mapped.video:
            return []
        request = WatermarksRequest(self._id, watermarks, acquired.files, mapped.video)
        return await self._step(prepare_watermarks, request)

    async def _encode(self, mapped: Mapped, marks: list[Mark], prepared: Prepared) -> list[PackagedFormat]:
        planned = await self._step(plan, PlanRequest(self._id, mapped, self._job.content_processing.without_drm()))
        made = planned.without_chunks()
        audio, video = await together(self._encode_audio(mapped, made), self._encode_video(mapped, planned, marks))
        packaged = await self._step(
            package,
            PackageRequest(
                self._id,
                made,
                self._job.content_processing.output_format,
                video.paths,
                audio.paths,
                prepared.text,
                self._job.content_processing.use_native_language_names,
                self._job.content_processing.drm(),
                self._job.content_processing.naming,
                self._job.content_processing.archiving,
            ),
        )
        return await self._make_thumbnails(made, video, packaged.formats)

    async def _encode_audio(self, mapped: Mapped, made: Plan) -> EncodedAudio:
        if not made.audio:
            return EncodedAudio()
        return await self._step(encode_audio, AudioRequest(self._id, mapped.audio, made))

    async def _encode_video(self, mapped: Mapped, planned: Plan, marks: list[Mark]) -> Joined:
        if not mapped.video:
            return Joined()
        if self._packages_only:
            return await self._step(copy_video, CopyRequest(self._id, mapped.variants, planned))
        return await Film(self._id, mapped.video, planned, marks, self._step).encoded()

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
        try:
            await self._step(extract_images, request)
        except ActivityError as error:
            # Never fatal: the client is told by an event of its own.
            if is_cancelled_exception(error):
                raise

    async def _publish(self, formats: list[PackagedFormat]) -> dict[str, str]:
        links: dict[str, str] = {}
        for output in formats:
            self._published.append(output)
            request = DeliverRequest(self._id, self._job.content_publishing, output)
            delivered = await self._step(
                deliver, request, activity_id=deliver_activity_id(output.type), detail=f"({output.type})"
            )
            links |= delivered.links
        return links

    async def _clean_up(self, withdraw: list[PackagedFormat]) -> None:
        try:
            await perform(clean_up, CleanUpRequest(self._id, self._job.content_publishing, withdraw))
        except ActivityError as error:
            workflow.logger.error("the workspace of job %s could not be removed: %s", self._id, error.cause)

    async def _delete_source(self, location: WritableLocation, acquired: Acquired) -> None:
        try:
            await perform(delete_source, DeleteSourceRequest(location, acquired.files))
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
        tenant = self._job.tenant_id or workflow.info().namespace
        result = await perform(activity, request, priority=priority(rank, tenant), patience=patience, **options)
        stop_if_cancelled()
        return result


async def _uncancelled(work: Coroutine[Any, Any, None]) -> None:
    """Finish `work` also when the job is cancelled meanwhile."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
