"""Jobs of every kind: each ends in its own way, or takes steps that no other one takes."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from PIL import Image
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError

from tests.clips import Clips, tone, truncated, vtt_file
from tests.integration.history import activities
from tests.integration.service import Service
from tests.integration.test_chunks import chunks_in, damaged, until_finished
from tests.servers.gated import gated
from workflows import client as jobs

Handle = WorkflowHandle[Any, Any]


@dataclass(frozen=True)
class Stage:
    """What a scenario plays on."""

    service: Service
    clips: Clips

    def job(self, *files: Path, **sections: Any) -> dict[str, Any]:
        """A small one, of one rendition and one format."""
        job = self.service.job(self.service.source(*files), **sections)
        job["ContentProcessing"] |= {"OutputFormat": ["Cmaf"], "VideoRepresentations": [{"BitrateInKbps": 60}]}
        return job

    def film(self) -> Path:
        """Long enough for chunks."""
        return self.clips(seconds=120, size="128x72", audio="mono")

    async def ended(self, job: Any) -> Handle:
        """A job that is left alone until its end."""
        handle = await self.service.submit(job)
        await self.service.end(handle)
        return handle


async def success(on: Stage) -> Handle:
    subtitle = vtt_file(on.service.root / "movie-sub-en.vtt")
    source = on.service.source(on.clips(seconds=3), subtitle)
    return await on.ended(on.service.job(source, ImageExtraction={"Intervals": [50]}))


async def failure(on: Stage) -> Handle:
    """2000."""
    return await on.ended(on.job(truncated(on.clips(seconds=3))))


async def cancel(on: Stage) -> Handle:
    """5001."""
    handle = await on.service.submit(on.job(on.clips(seconds=3)))
    await on.service.wait_for(handle.id, "VideoEncodingStarted")
    await handle.signal("cancel", "recorded")
    await on.service.end(handle)
    return handle


async def pause(on: Stage) -> Handle:
    handle = await on.service.submit(on.job(truncated(on.clips(seconds=3))))
    await handle.signal("pause")
    await on.service.wait_for(handle.id, "JobCreated")
    await handle.signal("resume")
    await on.service.end(handle)
    return handle


async def chunks(on: Stage) -> Handle:
    return await on.ended(on.job(on.film()))


async def repair(on: Stage) -> Handle:
    """A chunk is lost, and the job pauses between others."""
    handle = await on.service.submit(on.job(on.film()))
    first, *_ = await until_finished(handle, 1)
    await handle.signal("pause")
    [folder] = (path for path in chunks_in(on.service, handle.id) if first[-4:] in path.name)
    next(folder.glob("*.mp4")).unlink()
    await handle.signal("resume")
    await on.service.end(handle)
    return handle


async def one_piece(on: Stage) -> Handle:
    """The chunks of the film do not fit."""
    job = on.job(damaged(on.film(), on.service.root / "movie.ts"))
    return await on.ended(job | {"MediaMappings": {"VideoStreamExpression": r"\.ts$"}})


async def parts(on: Stage) -> Handle:
    """Every step that a job need not have."""
    Image.new("RGB", (64, 64), "red").save(mark := on.service.root / "mark.png")
    job = on.job(on.clips(), mark, ImageExtraction={"Intervals": [50]}, Thumbnails={"Generate": True})
    watermark = {"WatermarkFileName": mark.name, "PositionXPercentage": 0, "PositionYPercentage": 0}
    drm = {
        "DrmProtection": "Base64Key",
        "KeyId": str(uuid4()),
        "ContentKey": base64.b64encode(bytes(range(16))).decode(),
    }
    job["ContentProcessing"] |= drm | {"VisibleVideoWatermarks": [watermark], "DeleteFilesFromSourceWhenDone": True}
    job["MessagePublishers"] = []
    return await on.ended(job)


async def sound(on: Stage) -> Handle:
    """No picture, so that images and thumbnails fail."""
    job = on.job(on.clips(), ImageExtraction={"Intervals": [50]}, Thumbnails={"Generate": True}, MessagePublishers=[])
    job["MediaMappings"] = {
        "VideoStreamExpression": "none",
        "AudioFileLanguageExpression": "movie",
        "FailOnNoVideoTracks": False,
    }
    return await on.ended(job)


async def variants(on: Stage) -> Handle:
    """Nothing is encoded."""
    job = on.job(on.clips(), MessagePublishers=[])
    job["ContentProcessing"] = {"VideoFormat": "DoNotEncode", "OutputFormat": ["Cmaf"]}
    return await on.ended(job)


async def overlap(on: Stage) -> Handle:
    """The picture is encoded while sound is still on its way."""
    source = on.service.source(on.clips(seconds=3), tone(440, on.service.root / "movie-sound-de.m4a"), name="late")
    with gated(source, "movie-sound-de.m4a") as gate:
        job = on.service.job(source, ContentAcquisition={"Provider": "Http", "UriPath": gate.url})
        job["MediaMappings"] |= {"AudioFileLanguageExpression": r"-sound-(?<lang>\w+)\.m4a$"}
        handle = await on.service.submit(job)
        while "join-chunks" not in (await activities(handle)).completed:
            await asyncio.sleep(0.1)
        gate.open()
        await on.service.end(handle)
    return handle


async def late(on: Stage) -> Handle:
    """Encoding lasts so long that its progress is told."""
    return await on.ended(on.job(on.clips(seconds=60, size="640x360")))


async def acquisition(on: Stage) -> Handle:
    """1000."""
    return await on.ended(on.job(on.clips(), MediaMappings={"VideoStreamExpression": r"\.mkv$"}))


async def publishing(on: Stage) -> Handle:
    """3000."""
    job = on.job(on.clips())
    handle = await on.service.submit(job)
    await on.service.wait_for(handle.id, "VideoEncodingStarted")
    output = Path(job["ContentPublishing"]["UriPath"])
    output.parent.mkdir(exist_ok=True)
    output.write_text("a file where the folder was")
    await on.service.end(handle)
    return handle


async def internal(on: Stage) -> Handle:
    """5000: a file where the work folder was."""
    handle = await on.service.submit(on.job(on.clips()))
    on.service.work.rename(on.service.work.with_name("gone"))
    on.service.work.write_text("")
    await on.service.end(handle)
    return handle


async def invalid(on: Stage) -> Handle:
    """5003."""
    return await on.ended(on.job(on.clips(), Unheard="of"))


async def undelivered(on: Stage) -> Handle:
    """A receiver takes nothing."""
    refusing = {"Type": "Files", "UriPath": "/etc/no-place-for-events"}
    return await on.ended(on.job(on.clips(), Unheard="of", MessagePublishers=[refusing]))


async def resend(on: Stage) -> Handle:
    """Events are sent again."""
    job = await on.ended(on.job(on.clips(), Unheard="of"))
    client = await jobs.connect(on.service._address)
    await jobs.resend(client, job)
    while True:  # it is listed a moment later
        async for run in client.list_workflows(f"WorkflowId STARTS_WITH 'resend-{job.id}'"):
            return client.get_workflow_handle(run.id)


async def sweep(on: Stage) -> Handle:
    found, _ = await _swept(on)
    return found


async def end(on: Stage) -> Handle:
    _, ended = await _swept(on)
    return ended


async def _swept(on: Stage) -> tuple[Handle, Handle]:
    """A job is terminated; the sweep that finds it, and what ends it."""
    job = on.job(on.clips(seconds=20))
    handle = await on.service.submit(job)
    await on.service.wait_for(handle.id, "VideoEncodingStarted")
    await handle.terminate(reason="recorded")
    client = await on.service.client()
    ending = client.get_workflow_handle(f"{handle.id}-final-{handle.result_run_id}")
    while True:
        sweeping: Handle = await client.start_workflow("Sweep", id=f"sweep-{uuid4()}", task_queue="encoding")
        await sweeping.result()
        with suppress(RPCError):
            await ending.result()
            return sweeping, ending


async def removal(on: Stage) -> Handle:
    """Files of a job are taken back by a run of its own."""
    job, client = await failure(on), await on.service.client()
    run = {"workflow_id": job.id, "run_id": job.result_run_id}
    removing: Handle = await client.start_workflow("RemoveJob", run, id=f"{job.id}-removal", task_queue="encoding")
    await removing.result()
    return removing


Scenario = Callable[[Stage], Awaitable[Handle]]
"""Returns whose history it is that is to be kept."""
SCENARIOS: dict[str, Scenario] = {
    "success": success,
    "failure": failure,
    "cancel": cancel,
    "pause": pause,
    "chunks": chunks,
    "repair": repair,
    "one-piece": one_piece,
    "parts": parts,
    "sound": sound,
    "variants": variants,
    "overlap": overlap,
    "late": late,
    "acquisition": acquisition,
    "publishing": publishing,
    "internal": internal,
    "invalid": invalid,
    "undelivered": undelivered,
    "resend": resend,
    "sweep": sweep,
    "end": end,
    "removal": removal,
}
