"""A job whose work folder is a small file system of its own, with each of its activities ready to run."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from PIL import Image

from activities.acquire import AcquireRequest, acquire
from activities.cuts import Chunk
from activities.deliver import DeliverRequest, deliver
from activities.encode import (
    AudioRequest,
    ChunkRequest,
    EncodedAudio,
    EncodedChunk,
    SamplesRequest,
    encode_audio,
    encode_chunk,
    encode_samples,
)
from activities.errors import ErrorCode
from activities.images import ImageExtraction, ImagesRequest, extract_images
from activities.join import JoinRequest, join_chunks
from activities.mappings import MediaMappings
from activities.package import Packaged, PackageRequest, package
from activities.plan import AudioRendition, Plan, VideoRendition
from activities.prepare import PrepareRequest, prepare_text
from activities.thumbnails import Thumbnails, ThumbnailsRequest, make_thumbnails
from activities.tracks import AudioTrack, Mapped, TextTrack, VideoTrack
from activities.variants import CopyRequest, copy_video
from activities.watermarks import Watermark, WatermarksRequest, prepare_watermarks
from tests.activities.running import JOB_ID, Running, location
from tests.activities.tracks import audio_tracks, in_workspace, video_track
from tests.clips import srt_file

SMALL, SOUND = VideoRendition("small", 160, 90, 100), AudioRendition("sound", 0, "en", 64, "Stereo")
PLAN = Plan([SMALL], [SOUND], preset="ultrafast", duration=4)
AS_IT_IS = replace(PLAN, video=[replace(SMALL, source="'film.mp4' (track 0)")])
"""Nothing of ours has made the picture."""
HALVES = [Chunk(0, 0.0, 2.0, 50, read=2.2), Chunk(1, 2.0, None, 50, seek=1.8)]
QUALITY = {"small": 24.0}


async def run(activity: Callable[[Any], Awaitable[Any]], request: Any, attempt: int) -> Any:
    running = Running()
    running.environment.info = replace(running.environment.info, attempt=attempt)
    return await running(activity, request)


@dataclass(frozen=True)
class Work:
    """What its activities have made, at attempt 0."""

    outside: Path
    """For source and result, on another file system."""
    video: VideoTrack
    audio: list[AudioTrack]
    chunks: list[EncodedChunk]
    whole: EncodedChunk
    sound: EncodedAudio
    packaged: Packaged

    @classmethod
    async def of(cls, clip: Path, outside: Path) -> "Work":
        file = in_workspace(clip)
        video, audio = await video_track(clip, file), await audio_tracks(clip, file)
        whole, *chunks = [
            await run(encode_chunk, ChunkRequest(JOB_ID, video, PLAN, chunk, quality=QUALITY), 0)
            for chunk in (Chunk(0), *HALVES)
        ]
        sound = await run(encode_audio, AudioRequest(JOB_ID, audio, PLAN), 0)
        wanted = PackageRequest(JOB_ID, PLAN, ["Dash", "Hls"], whole.paths, sound.paths)
        (outside / "in").mkdir()
        (outside / "in" / "film.mp4").write_bytes(clip.read_bytes())
        return cls(outside, video, audio, chunks, whole, sound, await run(package, wanted, 0))

    def requests(self) -> dict[str, tuple[Callable[[Any], Awaitable[Any]], Any, ErrorCode]]:
        """By name: the activity, its request, and the code that its failures have."""
        at, video, made = JOB_ID, self.video, self.packaged.formats
        text = TextTrack(in_workspace(srt_file(self.outside / "text.srt"), 2), "en", "SRT")
        mark = Watermark.model_validate({"WatermarkFileName": "mark.png", **MARK})
        image = in_workspace(_image(self.outside / "mark.png"), 3)
        source, out = location(self.outside / "in"), location(self.outside / "out")
        loud = replace(PLAN, normalize=True)
        wanted = PackageRequest(at, PLAN, ["Dash", "Hls"], self.whole.paths, self.sound.paths)
        sheets = Thumbnails(generate=True, duration_in_seconds=1)
        stills = ImageExtraction.model_validate({"Intervals": [50]})
        acquisition, encoding, publishing = ErrorCode.ACQUISITION, ErrorCode.ENCODING, ErrorCode.PUBLISHING
        return {
            "acquire": (acquire, AcquireRequest(str(uuid4()), source, MediaMappings()), acquisition),
            "watermarks": (prepare_watermarks, WatermarksRequest(at, [mark], [image], video), acquisition),
            "text": (prepare_text, PrepareRequest(at, Mapped(video, [], [text])), acquisition),
            "samples": (encode_samples, SamplesRequest(at, video, PLAN, 0, [Chunk(0, 0, 1)], QUALITY), encoding),
            "chunk": (encode_chunk, ChunkRequest(at, video, PLAN, Chunk(0)), encoding),
            "sound": (encode_audio, AudioRequest(at, self.audio, loud), encoding),
            "join": (join_chunks, JoinRequest(at, video, PLAN, HALVES, self.chunks), encoding),
            "variants": (copy_video, CopyRequest(at, [video], PLAN), encoding),
            "package": (package, wanted, encoding),
            "variants' package": (package, replace(wanted, plan=AS_IT_IS), encoding),
            "thumbnails": (make_thumbnails, ThumbnailsRequest(at, sheets, PLAN, self.whole.paths, made), encoding),
            "stills": (extract_images, ImagesRequest(at, video, stills, out), encoding),
            "deliver": (deliver, DeliverRequest(at, out, made[0]), publishing),
        }


MARK = {"PositionXPercentage": 0, "PositionYPercentage": 0}


def _image(path: Path) -> Path:
    Image.new("RGB", (64, 64)).save(path)
    return path
