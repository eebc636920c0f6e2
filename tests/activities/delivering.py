"""A packaged format, and its way to a folder."""

from pathlib import Path

from activities.deliver import DeliverRequest
from activities.package import PackagedFormat
from tests.activities.running import JOB_ID, location

OUTPUT = PackagedFormat(
    type="Hls",
    root="package/hls",
    media=[f"video/{number}.m4s" for number in range(10)],
    manifests=["video.m3u8", "manifest.m3u8"],
    links={"hls": "manifest.m3u8"},
)


def files(folder: Path) -> list[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if path.suffix != ".journal")


def request(folder: Path) -> DeliverRequest:
    return DeliverRequest(JOB_ID, location(folder), OUTPUT)
