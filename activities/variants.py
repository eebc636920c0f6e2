"""`DoNotEncode`: the variants of the source are packaged as they are, once it is sure that players can change over."""

from dataclasses import dataclass, field
from itertools import pairwise

from temporalio import activity

from activities.errors import EncodingError
from activities.heartbeat import Progress, beating
from activities.join import Joined
from activities.machine import on_disk
from activities.media.allowed import Input
from activities.media.command import copy_video_command, skipped_command
from activities.media.ffmpeg import run_ffmpeg
from activities.media.pictures import Pictures, pictures
from activities.media.probe import ProbeError
from activities.plan import LONGEST_GOP, PACKAGED_CODECS, Plan
from activities.store.work import Work, at_work
from activities.tracks import VideoTrack, named
from activities.workspace import attempt_folder, fresh

FOLDER = "variants"
APART = 0.02
"""Seconds that two key frames of the same picture may differ: containers round."""
UNEQUAL = 0.5
"""Seconds that variants may differ at their end."""


@dataclass(frozen=True)
class CopyRequest:
    """The variants, in the order of the plan's renditions."""

    job_id: str
    variants: list[VideoTrack]
    plan: Plan


@dataclass(frozen=True)
class _Variant:
    track: VideoTrack
    seen: Pictures = field(repr=False)


@activity.defn
async def copy_video(request: CopyRequest) -> Joined:
    """Check all variants, then bring each into a file of its own as the packager takes it, without encoding.

    Raises:
        EncodingError: one cannot be packaged, or does not go with the others.
    """
    folder = attempt_folder(FOLDER)
    pairs = list(zip(request.plan.video, request.variants, strict=True))
    paths = {rendition.name: f"{folder}/{rendition.name}.mp4" for rendition, _ in pairs}
    files = {track.file for track in request.variants}
    async with beating(Progress(total=2 * len(pairs))) as progress, at_work(request.job_id, sources=files) as work:
        await on_disk(fresh, work.root / folder)
        variants: list[_Variant] = []
        for track in request.variants:
            variants.append(await _checked(work.input(track.file), track))
            progress.done += 1
        await _check_match(work, variants)
        for rendition, track in pairs:
            command = copy_video_command(work.input(track.file), track, work.root / paths[rendition.name])
            await run_ffmpeg(command, named([track]))
            progress.done += 1
        await work.keep(folder)
    return Joined(paths, min(variant.seen.count for variant in variants))


async def _checked(source: Input, track: VideoTrack) -> _Variant:
    """One variant by itself."""
    if track.codec not in PACKAGED_CODECS:
        raise _unfit(track, f"is {track.codec}, and only H.264 and H.265 can be packaged")
    try:
        seen = await pictures(source, track.index)
    except ProbeError as error:
        raise _unfit(track, str(error)) from None
    if seen.is_encrypted:
        raise _unfit(track, "is encrypted")
    if not seen.keys or seen.keys[0] > APART:
        raise _unfit(track, "does not start with a key frame")
    begin, end = max(pairwise([*seen.keys, seen.duration]), key=lambda gap: gap[1] - gap[0])
    if end - begin > LONGEST_GOP + APART:
        raise _unfit(
            track, f"has no key frame between {begin:.2f} s and {end:.2f} s, and needs one each {LONGEST_GOP} s"
        )
    return _Variant(track, seen)


async def _check_match(work: Work, variants: list[_Variant]) -> None:
    """All have key frames at the same times, and one length: players change between them at key frames."""
    first = variants[0]
    for other in variants[1:]:
        track, like = other.track, named([first.track])
        if abs(other.seen.duration - first.seen.duration) > UNEQUAL:
            raise _unfit(track, f"lasts {other.seen.duration:.2f} s, and {like} {first.seen.duration:.2f} s")
        for mine, its in zip(other.seen.keys, first.seen.keys, strict=False):
            if abs(mine - its) > APART:
                raise _unfit(track, f"has a key frame at {mine:.2f} s where {like} has one at {its:.2f} s")
        if len(other.seen.keys) != len(first.seen.keys):
            raise _unfit(track, f"has {len(other.seen.keys)} key frames, and {like} {len(first.seen.keys)}")
    if len(variants) > 1:
        for variant in variants:
            await _check_closed(work, variant)


async def _check_closed(work: Work, variant: _Variant) -> None:
    """No picture needs one of before its key frame: whoever changes variants there has another one in its place."""
    track, leading = variant.track, variant.seen.leading
    if leading and (
        track.codec == "h264" or await run_ffmpeg(skipped_command(work.input(track.file), track), named([track]))
    ):
        raise _unfit(
            track,
            f"has an open GOP at {leading[0]:.2f} s: pictures behind that key frame need others before it, and "
            "between variants players change there; encode it with closed GOPs",
        )


def _unfit(track: VideoTrack, reason: str) -> EncodingError:
    return EncodingError(
        f"the variant {named([track])} {reason}; replace it, let MediaMappings.VideoStreamExpression not find it, "
        "or set ContentProcessing.VideoFormat to H264"
    )
