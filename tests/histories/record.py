"""Run a job to each of its ends on real servers and keep the histories: `python -m tests.histories.record FOLDER`."""

import asyncio
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
    for name, job in (("success", success), ("failure", failure)):
        handle = await service.submit(job)
        await service.end(handle)
        await _keep(handle, folder / f"{name}.json")
    handle = await service.submit(success)
    await service.wait_for(handle.id, "VideoEncodingStarted")
    await handle.signal("cancel", "recorded")
    await service.end(handle)
    await _keep(handle, folder / "cancel.json")


async def _keep(handle: Any, path: Path) -> None:
    # Stack traces hold the place of this checkout, which is nobody's business.
    path.write_text((await handle.fetch_history()).to_json().replace(str(ROOT), "/encoding"))
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
