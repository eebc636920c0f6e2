"""Damages files in a way that a seed repeats, and takes them through all activities from Media Mapping to Packaging."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from random import Random

from activities.encode import AudioRequest, ChunkRequest, EncodedAudio, encode_audio, encode_chunk
from activities.errors import JobError
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
from tests.clips import _run

LONGEST = 150.0
"""Seconds after which a file counts as one that hangs; usual is one, on a machine that has nothing else to do."""
PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=64x36:rate=10:duration=0.8")
SOUND = ("-f", "lavfi", "-i", "sine=duration=0.8:sample_rate=48000")
FAST = ("-preset", "ultrafast", "-pix_fmt", "yuv420p")
X265 = ("-c:v", "libx265", "-x265-params", "log-level=error", "-movflags", "frag_keyframe")
SOURCES: dict[str, tuple[str, ...]] = {
    "mp4": (*PICTURE, *SOUND, *FAST),
    "m4v": (*PICTURE, *FAST, *X265, "-f", "mp4"),
    "mov": (*PICTURE, *SOUND, "-c:v", "prores", "-c:a", "pcm_s16le"),
    "mkv": (*PICTURE, *SOUND, *FAST, "-c:a", "flac"),
    "webm": (*PICTURE, *SOUND, "-deadline", "realtime"),
    "ts": (*PICTURE, *SOUND, *FAST, "-c:v", "libx264", "-c:a", "ac3"),
    "wav": SOUND,
    "m4a": SOUND,
}
"""What makes a tiny file of each kind."""
PACKAGES_ONLY = {"mp4", "m4v", "mkv", "ts"}
"""Kinds whose pictures can be packaged as they are."""
NUMBERS = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
"""What readers mistake for lengths and counts."""
BOXES = ("mvhd", "tkhd", "mdhd", "elst", "stts", "ctts", "stsz", "stsc", "stco", "stsd", "tfhd", "trun", "fmt ", "data")
ELEMENTS = ("2ad7b1", "4489", "b0", "ba", "23e383", "b5", "9f", "e7", "a3", "54b0", "b7", "86", "63a2", "bb", "a1")
FIELDS = [*(name.encode() for name in BOXES), *(bytes.fromhex(name) for name in ELEMENTS)]
"""Boxes of MP4 and WAV, and elements of Matroska, whose content readers calculate with."""
MAPPINGS = {
    "FailOnNoVideoTracks": False,
    "FailOnNoAudioTracks": False,
    "AudioFileLanguageExpression": r"\.(?:wav|m4a)$",
}
LADDER = {"VideoRepresentations": [{"BitrateInKbps": 50}], "OptimizeFor": "Speed"}
Mutation = Callable[[bytearray, Random], None]


def made(kind: str, folder: Path) -> bytes:
    """A tiny file."""
    target = folder / f"movie.{kind}"
    _run(*SOURCES[kind], str(target))
    return target.read_bytes()


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


async def outcome(
    content: bytes, name: str, out: Path, *, packages_only: bool = False, longest: float = LONGEST
) -> JobError | None:
    """Take one file through the activities: None = it was encoded and packaged.

    Raises:
        TimeoutError: it hangs.
        Exception: what nobody foresaw.
    """
    fresh(workspace(JOB_ID) / "source")
    file = SourceFile(name, f"source/0001.{name.rsplit('.', 1)[1]}", len(content))
    (workspace(JOB_ID) / file.path).write_bytes(content)
    fields = {"OutputFormat": ["Dash"]} | ({"VideoFormat": "DoNotEncode"} if packages_only else LADDER)
    try:
        async with asyncio.timeout(longest):
            await _taken_through(file, ContentProcessing.model_validate(fields), out)
    except JobError as error:
        return error
    return None


async def _taken_through(file: SourceFile, processing: ContentProcessing, out: Path) -> None:
    run, packages_only = Running(), processing.video_format == "DoNotEncode"
    request = MapRequest(JOB_ID, [file], MediaMappings.model_validate(MAPPINGS), all_videos=packages_only)
    mapped = await run(map_media, request)
    text = (await run(prepare_text, PrepareRequest(JOB_ID, mapped))).text
    drawn = await run(plan, PlanRequest(JOB_ID, mapped, processing))
    audio = await run(encode_audio, AudioRequest(JOB_ID, mapped.audio, drawn)) if drawn.audio else EncodedAudio()
    video = await _video(run, mapped, drawn)
    await run(package, PackageRequest(JOB_ID, drawn, processing.output_format, video.paths, audio.paths, text))
    if mapped.video:
        section = ImageExtraction(intervals=[50])
        await run(extract_images, ImagesRequest(JOB_ID, mapped.video, section, location(out)))


async def _video(run: Running, mapped: Mapped, drawn: Plan) -> Joined:
    if mapped.video and mapped.variants:
        return await run(copy_video, CopyRequest(JOB_ID, mapped.variants, drawn))
    if not mapped.video:
        return Joined()
    chunks = [await run(encode_chunk, ChunkRequest(JOB_ID, mapped.video, drawn, chunk)) for chunk in drawn.chunks]
    return await run(join_chunks, JoinRequest(JOB_ID, mapped.video, drawn, drawn.chunks, chunks))
