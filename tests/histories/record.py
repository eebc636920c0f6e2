"""Run a job to each of its ends on real servers and keep the histories: `python -m tests.histories.record FOLDER`."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.clips import Clips, truncated, vtt_file
from tests.integration.service import ROOT, Service, running
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
            with running(Path(scratch) / "service", server.address) as service:
                asyncio.run(_record(service, Clips(clips), folder))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
