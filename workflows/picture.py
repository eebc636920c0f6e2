"""The picture of the title and what lies over it; it is encoded while other files still arrive."""

import asyncio

from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.ahead import Looked, LookRequest, look_ahead
from activities.join import Joined
from activities.media.marks import Mark
from activities.plan import Plan
from activities.tracks import SourceFile, VideoTrack
from activities.watermarks import WatermarksRequest, prepare_watermarks
from workflows.film import Film
from workflows.job import Job
from workflows.tasks import stopped
from workflows.turns import Step


class Picture:
    """What is done for it; `step` performs one activity."""

    def __init__(self, job_id: str, job: Job, step: Step) -> None:
        self._id = job_id
        self._job = job
        self._step = step

    async def looked_at(self, files: list[SourceFile]) -> Looked:
        """The film among files that may be it, and its plan."""
        job = self._job
        media = [file for file in files if file.name not in job.watermark_names]
        request = LookRequest(self._id, media, job.media_mappings, job.content_processing.without_drm())
        looked: Looked = await self._step(look_ahead, request)
        return looked

    async def marks(self, video: VideoTrack | None, files: list[SourceFile]) -> list[Mark]:
        """What lies over it."""
        watermarks = self._job.content_processing.visible_video_watermarks
        if not watermarks or not video:
            return []
        marks: list[Mark] = await self._step(prepare_watermarks, WatermarksRequest(self._id, watermarks, files, video))
        return marks

    async def encoded(self, video: VideoTrack | None, planned: Plan, marks: list[Mark]) -> Joined:
        """All its renditions."""
        if not video:
            return Joined()
        return await Film(self._id, video, planned, marks, self._step).encoded()


class Ahead:
    """A picture whose files are there while others still arrive: all that needs nothing else begins at once.

    Each result is awaited where the job has use for it, and what has gone wrong is raised there: so the client sees
    the phases in their order.
    """

    def __init__(self, picture: Picture, files: list[SourceFile]) -> None:
        self._picture = picture
        self._files = files
        self.looked = asyncio.create_task(picture.looked_at(files))
        self.marks = asyncio.create_task(self._marks())
        self.encoded = asyncio.create_task(self._encoded())

    async def is_of(self, video: VideoTrack | None) -> bool:
        """Whether Media Mapping has found this film. If it could not be planned, that is left to the phase for it.

        Without a film nothing was planned: the plan is as long as the sound, which had not arrived.
        """
        try:
            return video is not None and (await self.looked).video == video
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return False

    async def stop(self) -> None:
        """Returns when nothing of it runs any more."""
        await stopped(self.looked, self.marks, self.encoded)

    async def _marks(self) -> list[Mark]:
        return await self._picture.marks((await self.looked).video, self._files)

    async def _encoded(self) -> Joined:
        looked = await self.looked
        return await self._picture.encoded(looked.video, looked.plan, await self.marks)
