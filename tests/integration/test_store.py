"""Whole jobs by workers that have only the Temporal server and a bucket in common."""

import os
import secrets
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.activities.storage.doing import Place
from tests.activities.storage.s3_doing import s3_folder, s3_location
from tests.clips import Clips, vtt_file
from tests.integration.players import decoded_tracks
from tests.integration.service import Service, running
from tests.servers.network import Network, inside
from tests.servers.proxy import Proxy
from tests.servers.s3 import S3
from tests.servers.temporal import TemporalServer

PADDING = 64 << 20


@pytest.fixture
def store(s3: S3) -> Place:
    return s3_folder(s3, f"work/{secrets.token_hex(8)}")


def settings(s3: S3, store: Place, way: Proxy, **more: str) -> dict[str, str]:
    """Of a worker that reaches the bucket by `way`."""
    return {
        "ENCODING_WORK_STORE": store.location.uri_path.rstrip("/"),
        "AWS_ENDPOINT_URL": f"http://{way.host}:{way.port}",
        "AWS_ACCESS_KEY_ID": s3.admin.key_id,
        "AWS_SECRET_ACCESS_KEY": s3.admin.secret,
        **more,
    }


def padded(film: Path, target: Path) -> Path:
    """The same film in a file that is much larger than what has to be read of it."""
    target.write_bytes(film.read_bytes() + (PADDING + 8).to_bytes(4) + b"free" + os.urandom(PADDING))
    return target


@contextmanager
def two_workers(
    folder: Path, address: str, s3: S3, store: Place
) -> Iterator[tuple[Service, Service, Proxy]]:
    """One that controls, one that encodes, and the way of the second to the bucket."""
    root = str(folder / "control" / "media")
    with ExitStack() as stack:
        direct, way = (stack.enter_context(Proxy(s3.port)) for _ in range(2))
        control = settings(s3, store, direct, ENCODING_ROLE="control")
        transcode = settings(s3, store, way, ENCODING_ROLE="transcode", ENCODING_FILES_ROOT=root)
        yield (
            stack.enter_context(running(folder / "control", address, **control)),
            stack.enter_context(running(folder / "transcode", address, **transcode)),
            way,
        )


async def test_a_job_with_all_its_parts_goes_through_the_bucket(
    tmp_path: Path,
    temporal_server: TemporalServer,
    s3: S3,
    store: Place,
    clip: Clips,
    serve_folder: Callable[[Path], str],
) -> None:
    film, mark = padded(clip(seconds=4), tmp_path / "movie.mp4"), tmp_path / "mark.png"
    Image.new("RGBA", (40, 20), (255, 0, 0, 128)).save(mark)
    with two_workers(tmp_path, temporal_server.address, s3, store) as (control, transcode, way):
        source = control.source(film, vtt_file(tmp_path / "movie-sub-en.vtt"), mark)
        job = control.job(
            source,
            Thumbnails={"Generate": True, "DurationInSeconds": 1},
            ImageExtraction={"Intervals": [50], "Pattern": "still_%.jpg"},
        )
        watermark = {"WatermarkFileName": mark.name, "PositionXPercentage": 5, "PositionYPercentage": 5}
        job["ContentProcessing"] |= {"VisibleVideoWatermarks": [watermark], "NormalizeAudio": True}
        ended = await control.run(job)
        assert ended.names[-1] == "JobSuccess", (ended.events[-1], control.log[-3000:], transcode.log[-3000:])
        output = Path(job["ContentPublishing"]["UriPath"])
        assert_complete(output, serve_folder(output))
        # Much less than the film: nobody who encodes has read all of it.
        assert way.received < PADDING / 4
        assert store.names() == []
        for service in (control, transcode):
            assert not [*service.work.iterdir()], service.log
            assert "Traceback" not in service.log


def assert_complete(output: Path, address: str) -> None:
    kinds = [track.kind for track in decoded_tracks(f"{address}/dash/manifest.mpd")]
    assert sorted(kinds) == ["audio", "video", "video"]
    assert (output / "images" / "still_1.jpg").stat().st_size
    assert (output / "hls" / "thumbnails" / "1.jpg").stat().st_size
    assert "thumbnails" in (output / "dash" / "manifest.mpd").read_text()


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as network:
        yield network


async def test_three_machines_share_nothing_but_server_and_bucket(
    tmp_path: Path,
    temporal_server: TemporalServer,
    s3: S3,
    store: Place,
    clip: Clips,
    network: Network,
    mounted: Callable[..., Path],
) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(Proxy(temporal_server.port, network.address))
        bucket = stack.enter_context(Proxy(s3.port, network.address))
        machines = [network.machine() for _ in range(3)]
        # One slot each: picture and sound of a title are encoded at once, on two machines.
        roles = [{"ENCODING_ROLE": "control"}, *[{"ENCODING_ROLE": "transcode", "ENCODING_TRANSCODE_SLOTS": "1"}] * 2]
        services = [
            Service(
                mounted(tmp_path / name, "-t", "tmpfs", "tmpfs"),
                f"{server.host}:{server.port}",
                inside(name),
                **settings(s3, store, bucket, **role),
            )
            for name, role in zip(machines, roles, strict=True)
        ]
        for service in services:
            stack.callback(service.stop)
        await asyncio.gather(*(asyncio.to_thread(service.start) for service in services))
        assert not reaches(machines[0], "127.0.0.1", s3.port)
        assert not reaches(machines[0], network.address_of(machines[1]), 22)
        film, place = padded(clip(seconds=4), tmp_path / "movie.mp4"), s3_folder(s3, secrets.token_hex(8))
        place.put("in/movie.mp4", film.read_bytes())
        job = services[0].job(Path(), **locations(s3, place, bucket))
        before = [network.received(name) for name in machines]
        submitted = await submit(services[0], temporal_server.address, job)
        received = [network.received(name) - start for name, start in zip(machines, before, strict=True)]
        assert submitted.names[-1] == "JobSuccess", (submitted.events[-1], [each.log[-2000:] for each in services])
        assert received[0] > PADDING, "whoever acquires reads the film once"
        assert all(0 < size < PADDING / 4 for size in received[1:]), received
        assert all("encode" in service.log for service in services[1:])
        assert store.names() == []
        assert {"out/dash/manifest.mpd", "out/hls/manifest.m3u8"} < {*place.names()}
        for service in services:
            assert not [*service.work.iterdir()], service.log
