"""Whole jobs by workers that have only the Temporal server and a bucket in common."""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.activities.storage.doing import Place
from tests.activities.storage.s3_doing import s3_folder, s3_location
from tests.clips import Clips, truncated, vtt_file
from tests.integration.players import decoded_tracks
from tests.integration.service import OWNER, Service, running
from tests.servers.network import Network, inside
from tests.servers.process import started
from tests.servers.proxy import Proxy
from tests.servers.s3 import S3
from tests.servers.temporal import TemporalServer

PADDING = 48 << 20


@dataclass(frozen=True)
class Common:
    """All that the workers share, and the folder in which the test keeps their disks."""

    server: TemporalServer
    s3: S3
    store: Place
    folder: Path

    def settings(self, way: Proxy, role: str, **more: str) -> dict[str, str]:
        """Of a worker that reaches the bucket by `way`."""
        return {
            "ENCODING_ROLE": role,
            "ENCODING_WORK_STORE": self.store.location.uri_path.rstrip("/"),
            "ENCODING_WORK_STORE_ENDPOINT": f"http://{way.host}:{way.port}",
            "AWS_ACCESS_KEY_ID": self.s3.admin.key_id,
            "AWS_SECRET_ACCESS_KEY": self.s3.admin.secret,
            **more,
        }


@pytest.fixture(scope="module")
def common(temporal_server: TemporalServer, s3: S3, tmp_path_factory: pytest.TempPathFactory) -> Common:
    store = s3_folder(s3, f"work/{secrets.token_hex(8)}")
    return Common(temporal_server, s3, store, tmp_path_factory.mktemp("common"))


def padded(film: Path, target: Path) -> Path:
    """The same film in a file that is much larger than what has to be read of it."""
    target.write_bytes(film.read_bytes() + (PADDING + 8).to_bytes(4) + b"free" + os.urandom(PADDING))
    return target


@pytest.fixture(scope="module")
def pair(common: Common) -> Iterator[tuple[Service, Service, Proxy]]:
    """A worker that controls, one that encodes, and the way of the second to the bucket."""
    folder, address = common.folder, common.server.address
    with Proxy(common.s3.port) as direct, Proxy(common.s3.port) as way:
        control = common.settings(direct, "control")
        # Stills are published by whoever makes them.
        transcode = common.settings(way, "transcode", ENCODING_FILES_ROOT=str(folder / "control" / "media"))
        with (
            running(folder / "control", address, **control) as first,
            running(folder / "transcode", address, **transcode) as second,
        ):
            yield first, second, way


async def test_a_job_with_all_its_parts_goes_through_the_bucket(
    common: Common, pair: tuple[Service, Service, Proxy], clip: Clips, serve_folder: Callable[[Path], str]
) -> None:
    control, transcode, way = pair
    film, mark = padded(clip(seconds=4), common.folder / "movie.mp4"), common.folder / "mark.png"
    Image.new("RGBA", (40, 20), (255, 0, 0, 128)).save(mark)
    watermark = {"WatermarkFileName": mark.name, "PositionXPercentage": 5, "PositionYPercentage": 5}
    source = control.source(film, vtt_file(common.folder / "movie-sub-en.vtt"), mark)
    job = control.job(
        source,
        Thumbnails={"Generate": True, "DurationInSeconds": 1},
        ImageExtraction={"Intervals": [50], "Pattern": "still_%.jpg"},
    )
    job["ContentProcessing"] |= {"VisibleVideoWatermarks": [watermark], "NormalizeAudio": True}
    before = way.received
    ended = await control.run(job)
    assert ended.names[-1] == "JobSuccess", (ended.events[-1], control.log[-3000:], transcode.log[-3000:])
    output = Path(job["ContentPublishing"]["UriPath"])
    assert_complete(output, serve_folder(output))
    assert way.received - before < PADDING / 2, "who encodes reads what is needed of the film, and not all of it"
    assert common.store.names() == [OWNER]
    for service in (control, transcode):
        assert not [*service.work.iterdir()], service.log
        assert "Traceback" not in service.log


async def test_a_failed_job_leaves_nothing_in_the_bucket(
    common: Common, pair: tuple[Service, Service, Proxy], clip: Clips
) -> None:
    control, transcode, _ = pair
    ended = await control.run(control.job(control.source(truncated(clip(seconds=4)), name="damaged")))
    assert ended.error["Code"] == 2000
    assert common.store.names() == [OWNER]
    assert not [path for service in (control, transcode) for path in service.work.iterdir()]


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


@pytest.mark.slow
async def test_three_machines_share_nothing_but_server_and_bucket(
    common: Common, clip: Clips, network: Network, mounted: Callable[..., Path]
) -> None:
    with Proxy(common.server.port, network.address) as server, Proxy(common.s3.port, network.address) as bucket:
        machines = [network.machine() for _ in ROLES]
        disks = [mounted(common.folder / name, "-t", "tmpfs", "tmpfs") for name in machines]
        services = [
            Service(disk, f"{server.host}:{server.port}", inside(name), **common.settings(bucket, **role))
            for name, disk, role in zip(machines, disks, ROLES, strict=True)
        ]
        with ExitStack() as stack:
            for service in services:
                stack.enter_context(started(service))
            assert not reaches(machines[0], "127.0.0.1", common.s3.port)
            assert not reaches(machines[0], network.address_of(machines[1]), 22)
            media = s3_folder(common.s3, secrets.token_hex(8))
            media.put("in/movie.mp4", padded(clip(seconds=4), common.folder / "movie.mp4").read_bytes())
            before = [network.received(name) for name in machines]
            ended = await services[0].run(services[0].job(Path(), **locations(common.s3, media, bucket)))
            received = [network.received(name) - start for name, start in zip(machines, before, strict=True)]
            media.put("in/movie.mp4", clip(seconds=120, size="128x72", audio="mono").read_bytes())
            long = await services[0].run(services[0].job(Path(), **locations(common.s3, media, bucket)))
        assert ended.names[-1] == "JobSuccess", (ended.events[-1], [each.log[-2000:] for each in services])
        assert {"out/dash/manifest.mpd", "out/hls/manifest.m3u8"} < {*media.names()}
        assert received[0] > PADDING, "who acquires reads the film once"
        assert max(received[1:]) < PADDING / 2, received
        assert long.names[-1] == "JobSuccess", (long.events[-1], [each.log[-2000:] for each in services])
        assert len(await encoders_of(services[0], long.job_id)) == 2, "chunks of one film are encoded on both"
        assert common.store.names() == [OWNER]
        assert not [path for service in services for path in service.work.iterdir()]


ROLES: tuple[dict[str, str], ...] = (
    {"role": "control"},
    # One slot each: picture and sound are encoded at once, on two machines.
    {"role": "transcode", "ENCODING_TRANSCODE_SLOTS": "1"},
    {"role": "transcode", "ENCODING_TRANSCODE_SLOTS": "1"},
)


async def encoders_of(service: Service, job_id: str) -> set[str]:
    """The workers that have encoded chunks of a job."""
    handle, chunks, found = (await service.client()).get_workflow_handle(job_id), set[int](), set[str]()
    async for event in handle.fetch_history_events():
        if event.activity_task_scheduled_event_attributes.activity_id.startswith("encode-video-"):
            chunks.add(event.event_id)
        begun = event.activity_task_started_event_attributes
        if begun.scheduled_event_id in chunks:
            found.add(begun.identity)
    return found


def locations(s3: S3, media: Place, way: Proxy) -> dict[str, Any]:
    """Of a job that reads and writes below `media`, by `way`."""
    prefix = media.location.uri_path.removeprefix(f"s3://{s3.bucket}/")
    sections = {"ContentAcquisition": "in", "ContentPublishing": "out"}
    endpoint = f"http://{way.host}:{way.port}"
    return {
        section: s3_location(s3, f"{prefix}/{folder}", EndpointUrl=endpoint).to_json_object()
        for section, folder in sections.items()
    }


def reaches(machine: str, host: str, port: int) -> bool:
    """Whether a connection from a machine is taken."""
    code = f"import socket; print(socket.socket().connect_ex(({host!r}, {port})))"
    command = ["timeout", "1", *inside(machine), sys.executable, "-c", code]
    answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return answer == "0"
