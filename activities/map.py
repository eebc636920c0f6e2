"""Media Mapping: look into every file, then decide which track plays which part."""

import asyncio
from dataclasses import dataclass

from temporalio import activity

from activities.errors import AcquisitionError
from activities.heartbeat import Progress, beating
from activities.machine import MachineError
from activities.mapping.candidate import Candidate
from activities.mapping.decide import decide
from activities.mapping.names import Names
from activities.mappings import MediaMappings
from activities.media.probe import ProbeError, probe
from activities.store.work import Work, at_work
from activities.tracks import Mapped, SourceFile


@dataclass(frozen=True)
class MapRequest:
    """The acquired files and the rules."""

    job_id: str
    files: list[SourceFile]
    mappings: MediaMappings
    all_videos: bool = False
    """Every video track is a variant of the title; else the best is the title."""


@activity.defn
async def map_media(request: MapRequest) -> Mapped:
    """Look into every file, then decide.

    Raises:
        AcquisitionError: a file is empty or no media, a language is missing, or a `FailOn…` rule applies.
    """
    async with (
        beating(Progress(total=len(request.files))) as progress,
        at_work(request.job_id, sources=request.files, failing=AcquisitionError) as work,
    ):
        candidates = await looked_into(work, request.files, request.mappings, progress)
    return decide(candidates, request.mappings, all_videos=request.all_videos)


async def looked_into(
    work: Work, files: list[SourceFile], mappings: MediaMappings, progress: Progress
) -> list[Candidate]:
    """What the names of all files claim, and what is inside.

    Raises:
        AcquisitionError: one is empty or no media.
    """
    candidates, names = [], Names(mappings)
    for file in files:
        candidates.append(await _candidate(work, names, file))
        progress.done += 1
    return candidates


async def _candidate(work: Work, names: Names, file: SourceFile) -> Candidate:
    if file.size == 0:
        raise AcquisitionError(f"the file {file.name!r} is empty; upload it again, or remove it")
    claims = await asyncio.to_thread(names.claims, file.name)
    if not any(claim.part in {"video", "audio"} for claim in claims):
        return Candidate(file, claims)
    try:
        return Candidate(file, claims, await probe(work.input(file)))
    except ProbeError as error:
        raise AcquisitionError(
            f"the file {file.name!r} {error}; replace it, remove it from the folder, or let no expression find it"
        ) from None
    except MachineError as error:
        raise AcquisitionError(f"the file {file.name!r}: {error}", retryable=True) from None
