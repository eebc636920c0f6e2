"""The argument lists of ffmpeg for sound: streams are joined, mixed to the asked layouts, levelled and encoded."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from activities.media.allowed import Input
from activities.media.command import compiled, mp4_options, opened_input
from activities.media.loudness import Loudness, measured, normalized
from activities.plan import AudioRendition, Plan
from activities.tracks import AudioTrack

SAMPLE_RATES = "44100|48000"
"""The nearest one is taken: sound at one of them is not resampled."""
LAYOUTS = {"Mono": "mono", "Stereo": "stereo", "5.1": "5.1"}
JOINED = {2: ("stereo", ("FL", "FR")), 6: ("5.1", ("FL", "FR", "FC", "LFE", "BL", "BR"))}
"""By number of mono tracks: the layout, and the channel of each. ffmpeg's 5.1 has the surround channels in its back."""
ENCODERS = {"AAC": "aac", "AC3": "ac3"}


@dataclass(frozen=True)
class Request:
    """What all sound is made of."""

    sources: Mapping[str, Input]
    """Path in the workspace → what is read."""
    tracks: list[AudioTrack]
    plan: Plan


@dataclass(frozen=True)
class _Streams:
    """One stream, or the mono streams that are joined."""

    path: str
    indices: tuple[int, ...]
    missing: tuple[float, ...]
    """Seconds of silence behind each, up to the longest."""
    exact: bool
    """Whether the source says for certain where they end."""
    silence: float
    """Seconds behind all of them, up to the end of the picture."""


Mixes = dict[_Streams, dict[str, list[AudioRendition]]]
"""By streams and not by track: one stream can serve two tracks, and ffmpeg-python takes equal nodes for one."""


def audio_command(request: Request, outputs: dict[str, Path], loudness: dict[str, Loudness]) -> list[str]:
    """Every audio rendition of every track. `outputs`: rendition name → file; `loudness`: of those to normalize."""
    inputs = _inputs(request)
    made = [_read(request, inputs), *_copied(request, inputs, outputs)]
    for sound, renditions in _mixed(request, inputs):
        level = loudness.get(renditions[0].name)
        ready = normalized(sound, level) if level else sound
        ready = ready.filter("aformat", sample_rates=SAMPLE_RATES)
        for copy, rendition in zip(_copies(ready, len(renditions)), renditions, strict=True):
            encoder = {"c:a": ENCODERS[rendition.format], "b:a": f"{rendition.bitrate}k"}
            made.append(ffmpeg.output(copy, f"file:{outputs[rendition.name]}", **encoder, **mp4_options()))
    return compiled(*made)


def measuring_command(request: Request, folder: Path) -> list[str]:
    """Measure what `audio_command` would encode; one result for each of `mixes` goes into `folder`."""
    inputs = _inputs(request)
    passed = [measured(sound, folder / f"{renditions[0].name}.json") for sound, renditions in _mixed(request, inputs)]
    return compiled(*(ffmpeg.output(sound, "-", format="null") for sound in passed), _read(request, inputs))


def mixes(request: Request) -> list[str]:
    """The first rendition of each sound in each layout: others have the same loudness."""
    return [renditions[0].name for sounds in _users(request).values() for renditions in sounds.values()]


def _copied(request: Request, inputs: dict[str, Any], outputs: dict[str, Path]) -> Iterator[Any]:
    for rendition in (each for each in request.plan.audio if each.is_copied):
        track = request.tracks[rendition.track]
        sound = inputs[track.file.path][str(track.index)]
        yield ffmpeg.output(sound, f"file:{outputs[rendition.name]}", **{"c:a": "copy"}, **mp4_options())


def _users(request: Request) -> Mixes:
    users: Mixes = {}
    for rendition in (each for each in request.plan.audio if not each.is_copied):
        streams = _streams(request.tracks[rendition.track], request.plan.picture)
        users.setdefault(streams, {}).setdefault(rendition.sound, []).append(rendition)
    return users


def _streams(track: AudioTrack, end: float) -> _Streams:
    missing = [round(track.duration - stream.duration, 3) for stream in track.mono] or [0.0]
    silence = max(0.0, round(end - track.duration, 3) if track.exact else end)
    return _Streams(track.file.path, tuple(track.indices), tuple(missing), track.exact, silence)


def _inputs(request: Request) -> dict[str, Any]:
    return {name: opened_input(path) for name, path in request.sources.items()}


def _read(request: Request, inputs: dict[str, Any]) -> Any:
    """Picture and sound of each source, to nowhere, so that sound which starts behind the picture is not early.

    In MPEG-TS ffmpeg counts time from the first packet of the streams that it reads.
    """
    heard = {(track.file.path, track.index): None for track in (request.tracks[r.track] for r in request.plan.audio)}
    streams = [opened["V:0?"] for opened in inputs.values()] + [inputs[path][str(index)] for path, index in heard]
    return ffmpeg.output(*streams, "-", c="copy", format="null")


def _mixed(request: Request, inputs: dict[str, Any]) -> Iterator[tuple[Any, list[AudioRendition]]]:
    """Each sound in each asked layout, with the renditions that need it."""
    users = _users(request)
    for sound, layouts in zip(_sounds(inputs, [*users]), users.values(), strict=True):
        for copy, (layout, renditions) in zip(_copies(sound, len(layouts)), layouts.items(), strict=True):
            # The factors of a mix are at most 1 together: full channels do not clip where they meet.
            mix = {"ochl": LAYOUTS[layout], "rematrix_maxval": 1}
            yield copy.filter("aresample", **mix), renditions


def _sounds(inputs: dict[str, Any], wanted: list[_Streams]) -> list[Any]:
    """The sound of each of `wanted`; a stream that several need is copied."""
    uses = Counter((streams.path, index) for streams in wanted for index in streams.indices)
    copies = {
        # Silence fills gaps and a late start: sound stays with the picture.
        (path, index): iter(
            _copies(inputs[path][str(index)].filter("aresample", **{"async": 1, "first_pts": 0}), times)
        )
        for (path, index), times in uses.items()
    }
    return [_one([next(copies[streams.path, index]) for index in streams.indices], streams) for streams in wanted]


def _copies(sound: Any, times: int) -> list[Any]:
    if times == 1:
        return [sound]
    split = sound.filter_multi_output("asplit", times)
    return [split.stream(place) for place in range(times)]


def _one(streams: list[Any], wanted: _Streams) -> Any:
    """One sound that is not shorter than the picture."""
    sound = streams[0] if len(streams) == 1 else _joined(streams, wanted)
    if not wanted.silence:
        return sound
    # A known length is added to, not filled up: a sound that breaks off stays too short, and that is noticed.
    return sound.filter("apad", **{"pad_dur" if wanted.exact else "whole_dur": wanted.silence})


def _joined(streams: list[Any], wanted: _Streams) -> Any:
    """Channels joined to one sound. The end of the shortest would end it: silence makes them as long as the longest."""
    padded = [
        stream.filter("apad", pad_dur=seconds) if seconds else stream
        for stream, seconds in zip(streams, wanted.missing, strict=True)
    ]
    layout, channels = JOINED[len(streams)]
    places = "|".join(f"{place}.0-{channel}" for place, channel in enumerate(channels))
    return ffmpeg.filter(padded, "join", inputs=len(streams), channel_layout=layout, map=places)
