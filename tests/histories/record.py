"""Run a job to each of its ends on real servers and keep the histories: `python -m tests.histories.record FOLDER`."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.clips import Clips, tone, truncated, vtt_file
from tests.integration.history import activities
from tests.integration.service import ROOT, Service, running
from tests.servers.gated import gated
from tests.servers.temporal import TemporalServer


async def _record(service: Service, clips: Clips, folder: Path) -> None:
    subtitle = vtt_file(service.root / "movie-sub-en.vtt")
    source = service.source(clips(seconds=3), subtitle)
    success = service.job(source, ImageExtraction={"Intervals": [50]})
    failure = service.job(service.source(truncated(clips(seconds=3)), name="broken"))
    film = service.job(service.source(clips(seconds=120, size="128x72", audio="mono"), name="film"))
    film["ContentProcessing"] |= {"OutputFormat": ["Cmaf"], "VideoRepresentations": [{"BitrateInKbps": 60}]}
    for name, job in (("success", success), ("failure", failure), ("chunks", film)):
        handle = await service.submit(job)
        await service.end(handle)
        await _keep(handle, folder / f"{name}.json")
    handle = await service.submit(success)
    await service.wait_for(handle.id, "VideoEncodingStarted")
    await handle.signal("cancel", "recorded")
    await service.end(handle)
    await _keep(handle, folder / "cancel.json")
    handle = await service.submit(failure)
    await handle.signal("pause")
    await service.wait_for(handle.id, "JobCreated")
    await handle.signal("resume")
    await service.end(handle)
    await _keep(handle, folder / "pause.json")
    await _record_overlap(service, clips, folder)


async def _record_overlap(service: Service, clips: Clips, folder: Path) -> None:
    """The picture is encoded while sound is still on its way."""
    source = service.source(clips(seconds=3), tone(440, service.root / "movie-sound-de.m4a"), name="late")
    with gated(source, "movie-sound-de.m4a") as gate:
        job = service.job(source, ContentAcquisition={"Provider": "Http", "UriPath": gate.url})
        job["MediaMappings"] |= {"AudioFileLanguageExpression": r"-sound-(?<lang>\w+)\.m4a$"}
        handle = await service.submit(job)
        while "join-chunks" not in (await activities(handle)).completed:
            await asyncio.sleep(0.1)
        gate.open()
        await service.end(handle)
    await _keep(handle, folder / "overlap.json")


async def _keep(handle: Any, path: Path) -> None:
    # Stack traces hold the place of this checkout, which is nobody's business.
    text = (await handle.fetch_history()).to_json().replace(str(ROOT), "/encoding")
    path.write_text(json.dumps(json.loads(text), separators=(",", ":")) + "\n")
    print(path)  # noqa: T201


def main() -> None:
    folder = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch:
        server = TemporalServer(Path(scratch))
        server.start()
        try:
            clips = Path(scratch) / "clips"
            clips.mkdir()
            with running(Path(scratch) / "service", server.address, ENCODING_PRIVATE_HOSTS="127.0.0.1") as service:
                asyncio.run(_record(service, Clips(clips), folder))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
