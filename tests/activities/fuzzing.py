"""Damages files in a way that a seed repeats, and takes them through all activities from Media Mapping to Packaging."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from activities.encode import AudioRequest, ChunkRequest, EncodedAudio, encode_audio, encode_chunk
from activities.errors import AcquisitionError, EncodingError, JobError
from activities.images import ImageExtraction, ImagesRequest, extract_images
from activities.join import Joined, JoinRequest, join_chunks
from activities.map import MapRequest, map_media
from activities.mappings import MediaMappings
from activities.package import PackageRequest, package
from activities.plan import Plan, PlanRequest, plan
from activities.prepare import PrepareRequest, prepare_text
from activities.processing import ContentProcessing
from activities.tracks import Mapped, SourceFile
from activities.variants import CopyRequest, copy_video
from activities.workspace import fresh, workspace
from tests.activities.running import JOB_ID, Running, location
from tests.clips import CUES, _run, srt_file, vtt_file

LONGEST = 60.0
"""Seconds after which a mutation counts as one that hangs; usual is less than one."""
NUMBERS = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
"""What readers mistake for lengths and counts."""
BOXES = ("mvhd", "tkhd", "mdhd", "elst", "stts", "ctts", "stsz", "stsc", "stco", "stsd", "tfhd", "trun", "fmt ", "data")
ELEMENTS = ("2ad7b1", "4489", "b0", "ba", "23e383", "b5", "9f", "e7", "a3", "54b0", "b7", "86", "63a2", "bb", "a1")
FIELDS = [*(name.encode() for name in BOXES), *(bytes.fromhex(name) for name in ELEMENTS)]
"""Boxes of MP4 and WAV, and elements of Matroska, whose content readers calculate with."""
MAPPINGS = {
    "FailOnNoVideoTracks": False,
    "FailOnNoAudioTracks": False,
    "SubtitleFileLanguageExpression": r"\.(?:srt|vtt|ttml|pac)$",
    "AudioFileLanguageExpression": r"\.(?:wav|m4a)$",
}
LADDER = {"VideoRepresentations": [{"BitrateInKbps": 50}], "OptimizeFor": "Speed", "OutputFormat": ["Dash"]}
Mutation = Callable[[bytearray, Random], None]


@dataclass(frozen=True)
class Outcome:
    """How a file ended: without `error` it was encoded and packaged."""

    error: JobError | None = None

    @property
    def kind(self) -> str:
        return type(self.error).__name__ if self.error else "Success"


def fixtures(folder: Path) -> dict[str, Path]:
    """A tiny file of each kind."""
    picture = ["-f", "lavfi", "-i", "testsrc2=size=64x36:rate=10:duration=0.8"]
    sound = ["-f", "lavfi", "-i", "sine=duration=0.8:sample_rate=48000"]
    text = ["-i", str(srt_file(folder / "inside.srt"))]
    fast = ["-preset", "ultrafast", "-pix_fmt", "yuv420p"]
    made = {
        "mp4": [*picture, *sound, *fast],
        "mov": [*picture, *sound, "-c:v", "prores", "-c:a", "pcm_s16le"],
        "mkv": [*picture, *sound, *text, *fast, "-c:a", "flac", "-c:s", "srt"],
        "webm": [*picture, *sound, "-deadline", "realtime"],
        "ts": [*picture, *sound, *fast, "-c:v", "libx264", "-c:a", "ac3"],
        "m4v": [*picture, *fast, "-c:v", "libx265", "-x265-params", "log-level=error", "-movflags", "frag_keyframe"],
        "wav": sound,
        "m4a": sound,
    }
    for kind, arguments in made.items():
        _run(*arguments, *(["-f", "mp4"] if kind == "m4v" else []), str(folder / f"movie.{kind}"))
    return {kind: folder / f"movie.{kind}" for kind in made} | _texts(folder)


def _texts(folder: Path) -> dict[str, Path]:
    ttml = folder / "movie.ttml"
    lines = "".join(f'<p begin="{start}s" end="{end}s">{text}</p>' for start, end, text in CUES)
    ttml.write_text(f'<tt xmlns="http://www.w3.org/ns/ttml"><body><div>{lines}</div></body></tt>')
    return {"srt": srt_file(folder / "movie.srt"), "vtt": vtt_file(folder / "movie.vtt"), "ttml": ttml}


def mutated(content: bytes, seed: int) -> bytes:
    """`content` after one to four damages."""
    random, result = Random(seed), bytearray(content)
    for mutation in random.choices(MUTATIONS, k=random.choice((1, 1, 2, 4))):
        if result:
            mutation(result, random)
    return bytes(result)


def _flip(content: bytearray, random: Random) -> None:
    for _ in range(random.choice((1, 4, 32))):
        content[_place(content, random)] ^= 1 << random.randrange(8)


def _cut(content: bytearray, random: Random) -> None:
    del content[random.randrange(len(content)) :]


def _drop(content: bytearray, random: Random) -> None:
    del content[_span(content, random)]


def _repeat(content: bytearray, random: Random) -> None:
    span = _span(content, random)
    content[span.start : span.start] = content[span] * random.choice((1, 2, 20))


def _swap(content: bytearray, random: Random) -> None:
    one, other = _span(content, random), _span(content, random)
    content[one], content[other] = content[other], content[one]


def _number(content: bytearray, random: Random) -> None:
    """A length, a count or a time somewhere becomes another one."""
    size = random.choice((1, 2, 4, 8))
    number = random.choice(NUMBERS) & ((1 << 8 * size) - 1)
    start = _place(content, random)
    content[start : start + size] = number.to_bytes(size, random.choice(("big", "little")))


def _box(content: bytearray, random: Random) -> None:
    """A box of MP4 grows, shrinks, or changes its name."""
    boxes = [match.start() for match in re.finditer(rb"[a-z]{3}[a-z0-9 ]", content)]
    if not boxes:
        return
    start = random.choice(boxes)
    size = int.from_bytes(content[max(0, start - 4) : start], "big") + random.randint(-64, 64)
    content[max(0, start - 4) : start] = random.choice((size & 0xFFFFFFFF, *NUMBERS)).to_bytes(4, "big")
    if random.random() < 0.2:
        content[start : start + 4] = random.choice((b"free", b"moov", b"trak", b"mdat", b"stco"))


def _field(content: bytearray, random: Random) -> None:
    """What follows a name becomes another number: a time, a size, a place, a count."""
    found = [match.end() for name in FIELDS for match in re.finditer(re.escape(name), content)]
    if found:
        start = random.choice(found) + random.choice((0, 1, 2, 4, 8, 12, 16, 20, 24))
        size = random.choice((1, 2, 4))
        content[start : start + size] = (random.choice(NUMBERS) & ((1 << 8 * size) - 1)).to_bytes(size, "big")


MUTATIONS: list[Mutation] = [_flip, _cut, _drop, _repeat, _swap, _number, _box, _field, _field, _field]


def _place(content: bytearray, random: Random) -> int:
    """Half of them where most formats have their heads and tails: in the middle is what a decoder takes."""
    size, edge = len(content), min(len(content), 1500)
    return random.choice((random.randrange(size), random.randrange(edge), size - 1 - random.randrange(edge)))


def _span(content: bytearray, random: Random) -> slice:
    start = _place(content, random)
    return slice(start, start + random.choice((1, 4, 64, 1024)))


async def encoded(content: bytes, name: str, fields: dict[str, object], out: Path) -> Outcome:
    """Take one file through the activities, and judge how it ends.

    Raises:
        AssertionError: its message does not name the file, or its code is another one than 1000 and 2000.
        TimeoutError: it hangs.
        Exception: what nobody foresaw.
    """
    fresh(workspace(JOB_ID))
    path = f"source/0001.{name.rsplit('.', 1)[1]}"
    (workspace(JOB_ID) / "source").mkdir()
    (workspace(JOB_ID) / path).write_bytes(content)
    try:
        async with asyncio.timeout(LONGEST):
            await _encoded(SourceFile(name, path, len(content)), ContentProcessing.model_validate(fields), out)
    except JobError as error:
        assert isinstance(error, AcquisitionError | EncodingError)
        assert name in str(error), error
        return Outcome(error)
    return Outcome()


async def _encoded(file: SourceFile, processing: ContentProcessing, out: Path) -> None:
    run, packages_only = Running(), processing.video_format == "DoNotEncode"
    request = MapRequest(JOB_ID, [file], MediaMappings.model_validate(MAPPINGS), all_videos=packages_only)
    mapped = await run(map_media, request)
    text = (await run(prepare_text, PrepareRequest(JOB_ID, mapped))).text
    made = await run(plan, PlanRequest(JOB_ID, mapped, processing))
    audio = await run(encode_audio, AudioRequest(JOB_ID, mapped.audio, made)) if made.audio else EncodedAudio()
    video = await _video(run, mapped, made)
    await run(package, PackageRequest(JOB_ID, made, processing.output_format, video.paths, audio.paths, text))
    if mapped.video:
        section = ImageExtraction(intervals=[50])
        await run(extract_images, ImagesRequest(JOB_ID, mapped.video, section, location(out)))


async def _video(run: Running, mapped: Mapped, made: Plan) -> Joined:
    if mapped.video and mapped.variants:
        return await run(copy_video, CopyRequest(JOB_ID, mapped.variants, made))
    if not mapped.video:
        return Joined()
    chunks = [await run(encode_chunk, ChunkRequest(JOB_ID, mapped.video, made, chunk)) for chunk in made.chunks]
    return await run(join_chunks, JoinRequest(JOB_ID, mapped.video, made, chunks))
