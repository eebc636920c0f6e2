"""What is written for Temporal, and read again."""

import json
from dataclasses import replace
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload

from activities.cuts import Chunk
from activities.encode import ChunkRequest, EncodedChunk
from activities.heartbeat import Progress
from activities.media.color import Color
from activities.notify import PublishRequest
from activities.plan import Plan, VideoRendition
from activities.tracks import SourceFile, VideoTrack
from publishers.config import Files
from publishers.events import Message
from tests.activities.running import JOB_ID
from workflows.codec import data_converter

VIDEO = VideoTrack(SourceFile("film.mp4", "source/0001.mp4", 1), 0, "h264", 1920, 1080, "25/1", 7200.0, None, 3000)
LADDER = [
    VideoRendition(f"video-H264-{height}-{kbps}k", 2 * height, height, kbps) for height, kbps in ((90, 80), (180, 250))
]
REQUEST = ChunkRequest(JOB_ID, VIDEO, Plan(LADDER, duration=7200.0), Chunk(7, 140.0, 20.0, 500, 139.8, 20.4))
BEFORE = (
    '{"index":7,"paths":{"video-H264-90-80k":"encoded/chunk-0007-2/video-H264-90-80k.mp4"},"frames":500,"checksums":{}}'
)


@pytest.mark.parametrize(
    "value",
    [
        REQUEST,
        replace(REQUEST, is_thrifty=True, quality={"video-H264-90-80k": 23.5}),
        replace(REQUEST, video=replace(VIDEO, color=Color(bits=10), interlaced=True)),
        EncodedChunk(0, "encoded/chunk-0000-1", 500, {"a": 1}),
        PublishRequest(
            Files.model_validate({"Type": "Files", "UriPath": "/events"}), [Message({"EventType": "JobSuccess"})]
        ),
        Progress(),
        Progress(0, 100),
    ],
)
async def test_what_was_written_is_read_again(value: Any) -> None:
    assert await data_converter().decode([await written(value)], [type(value)]) == [value]


async def test_what_is_as_usual_is_left_out() -> None:
    told = json.loads((await written(REQUEST)).data)
    assert told["video"].keys() == {
        *("file", "index", "codec", "width", "height", "frame_rate", "duration", "frames", "bitrate")
    }
    assert told["plan"].keys() == {"video", "duration"}
    assert told.keys() == {"job_id", "video", "plan", "chunk"}


async def test_models_are_written_in_full() -> None:
    block = Files.model_validate({"Type": "Files", "UriPath": "/events"})
    told = json.loads((await written(PublishRequest(block, []))).data)
    assert told["publisher"] == block.to_json_object()


async def test_chunks_of_workers_from_before_are_found() -> None:
    before = Payload(metadata={"encoding": b"json/plain"}, data=BEFORE.encode())
    [chunk] = await data_converter().decode([before], [EncodedChunk])
    paths = {"video-H264-90-80k": "encoded/chunk-0007-2/video-H264-90-80k.mp4"}
    assert chunk.paths == paths
    [again] = await data_converter().decode([await written(chunk)], [EncodedChunk])
    assert again.paths == paths


async def written(value: Any) -> Payload:
    [payload] = await data_converter().encode([value])
    return payload
