"""Whole jobs that only package: the variants of their client, in single files and in archives."""

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clips import Clips, _run
from tests.integration.players import decoded_tracks
from tests.integration.service import Service


@pytest.fixture
def variants(service: Service, clip: Clips, tmp_path: Path) -> Path:
    """Two sizes, with B-frames; sound in one of them."""
    for height in (90, 180):
        keys = ["-force_key_frames", "expr:gte(t,n_forced)", "-flags", "+cgop", "-preset", "veryfast"]
        size = ["-vf", f"scale=-2:{height}", "-c:v", "libx264"]
        sound = ["-map", "0:a", "-c:a", "copy"] if height == 180 else []
        _run("-i", str(clip()), "-map", "0:v", *sound, *size, *keys, str(tmp_path / f"movie-{height}.mp4"))
    return service.source(*tmp_path.glob("movie-*.mp4"), name="variants")


def packaging(service: Service, source: Path, **fields: Any) -> dict[str, Any]:
    job = service.job(source)
    job["ContentProcessing"] = {"VideoFormat": "DoNotEncode", **fields}
    job["MediaMappings"] = {"VideoStreamExpression": r"movie-\d+\.mp4"}
    return job


def assert_plays(manifest: str) -> None:
    tracks = decoded_tracks(manifest)
    assert sorted((t.kind, t.height, t.frames) for t in tracks if t.kind == "video") == [
        ("video", 90, 50),
        ("video", 180, 50),
    ]
    assert [t.kind for t in tracks].count("audio") == 1
    assert all(abs(t.seconds - 2) < 0.1 for t in tracks)


async def test_variants_become_single_files_under_names_of_the_job(
    service: Service, variants: Path, serve_folder: Callable[[Path], str]
) -> None:
    naming = {"ManifestName": "index", "VideoChunksPattern": "movie", "AudioChunksPattern": "sound"}
    job = packaging(service, variants, OutputFormat="DashOnDemand", Naming=naming)
    job["Thumbnails"] = {"Generate": True, "DurationInSeconds": 1}
    ended = await service.run(job)
    assert ended.status == "COMPLETED", service.log[-3000:]
    assert ended.names[-5:] == [
        "ContentPreProcessed",
        "VideoEncodingStarted",
        "EncodingFinished",
        "ContentPublished",
        "JobSuccess",
    ]
    assert "EncodingProgress" in [event["EventType"] for event in ended.events]
    [finished] = [event for event in ended.events if event["EventType"] == "EncodingFinished"]
    assert [(b["Codec"], b["Height"]) for b in finished["Bitrates"]] == [("H264", 90), ("H264", 180), ("AAC", None)]
    output = Path(job["ContentPublishing"]["UriPath"])
    assert ended.result["Output"] == {"dash": (output / "index.mpd").as_uri()}
    names = {path.name.split("-")[0] for path in output.glob("*.mp4")}
    assert (names, (output / "sound-en.mp4").is_file()) == ({"movie", "sound"}, True)
    assert "thumbnail_tile" in (output / "index.mpd").read_text()
    assert_plays(f"{serve_folder(output)}/index.mpd")


async def test_archives_play_when_they_are_unpacked_where_they_lie(
    service: Service, variants: Path, serve_folder: Callable[[Path], str]
) -> None:
    job = packaging(service, variants, OutputFormat=["Dash", "Hls"], Archiving="SingleTar")
    ended = await service.run(job)
    assert ended.status == "COMPLETED", service.log[-3000:]
    output = Path(job["ContentPublishing"]["UriPath"])
    assert sorted(path.name for path in output.iterdir()) == ["dash.tar", "hls.tar"]
    assert ended.result["Output"] == {kind: (output / f"{kind}.tar").as_uri() for kind in ("dash", "hls")}
    published = [event for event in ended.events if event["EventType"] == "ContentPublished"]
    sizes = [(output / f"{kind}.tar").stat().st_size for kind in ("dash", "hls")]
    assert [(e["Type"], e["TotalSizeInBytes"], e["TotalFilesCount"]) for e in published] == [
        ("Dash", sizes[0], 1),
        ("Hls", sizes[1], 1),
    ]
    for archive in output.glob("*.tar"):
        with tarfile.open(archive) as opened:
            opened.extractall(output, filter="data")
    address = serve_folder(output)
    assert_plays(f"{address}/dash/manifest.mpd")
    assert_plays(f"{address}/hls/manifest.m3u8")
