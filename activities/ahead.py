"""What needs the picture alone, while other files of the title still arrive: the film is found, and planned."""

from dataclasses import dataclass

from temporalio import activity

from activities.errors import AcquisitionError
from activities.heartbeat import Progress, beating
from activities.map import looked_into
from activities.mapping.decide import best_video
from activities.mappings import MediaMappings
from activities.plan import Plan, PlanRequest, plan
from activities.processing import ContentProcessing
from activities.store.work import at_work
from activities.tracks import Mapped, SourceFile, VideoTrack


@dataclass(frozen=True)
class LookRequest:
    """All files that may be the film, and what is asked for."""

    job_id: str
    files: list[SourceFile]
    mappings: MediaMappings
    processing: ContentProcessing


@dataclass(frozen=True)
class Looked:
    """The film, as Media Mapping will find it, and its plan without sound."""

    video: VideoTrack | None
    """None = none of the files has a picture."""
    plan: Plan


@activity.defn
async def look_ahead(request: LookRequest) -> Looked:
    """Find the film and plan its picture.

    Raises:
        AcquisitionError: as `map_media`.
        EncodingError: as `plan`.
    """
    async with (
        beating(Progress()) as progress,
        at_work(request.job_id, sources=request.files, failing=AcquisitionError) as work,
    ):
        video = best_video(await looked_into(work, request.files, request.mappings, progress))
    return Looked(video, await plan(PlanRequest(request.job_id, Mapped(video), request.processing)))
