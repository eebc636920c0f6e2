"""Groups of sound in HLS (RFC 8216, 4.3.4.1.1): each has every track once, so that no choice is lost in another one."""

import re
from collections.abc import Iterable

from activities.plan import AudioRendition
from activities.processing import channels_of

CODECS = {"AAC": "mp4a.40.2", "AC3": "ac-3"}
"""A format, and its name in playlists. AAC comes first: everything plays it."""
Groups = dict[str, dict[int, AudioRendition]]
"""Name → the rendition of each track."""


def groups(made: list[AudioRendition]) -> Groups:
    """A group for each format and, where tracks have several renditions of one, for each step of quality.

    A track with fewer of them is in further groups with its best one, or with one of another format.
    """
    found: Groups = {}
    tracks = dict.fromkeys(rendition.track for rendition in made)
    for audio_format in CODECS:
        steps = {track: _steps(made, track, audio_format) for track in tracks}
        for step in range(max(map(len, steps.values()), default=0)):
            name = _group(audio_format, step)
            found[name] = {
                track: own[min(step, len(own) - 1)] if own else _steps_of_any(made, track)[-1]
                for track, own in steps.items()
            }
    return found


def _group(audio_format: str, step: int) -> str:
    """Like `audio`, `audio-2`, `audio-AC3`."""
    return "audio" + ("" if audio_format == "AAC" else f"-{audio_format}") + (f"-{step + 1}" if step else "")


def _steps(made: Iterable[AudioRendition], track: int, audio_format: str) -> list[AudioRendition]:
    return sorted(
        (r for r in made if (r.track, r.format) == (track, audio_format)),
        key=lambda r: (channels_of(r.sound), r.bitrate),
    )


def _steps_of_any(made: Iterable[AudioRendition], track: int) -> list[AudioRendition]:
    return next(steps for audio_format in CODECS if (steps := _steps(made, track, audio_format)))


def home(found: Groups, rendition: AudioRendition) -> str:
    """The group that the packager writes it to."""
    return next(name for name, members in found.items() if rendition in members.values())


def completed(master: str, found: Groups) -> str:
    """A main playlist with the members that are at home in another group: the packager writes each but once."""
    lines = [_with_codecs(line, found) for line in master.splitlines()]
    media = {uri: line for line in lines if (uri := _attribute(line, "URI")) and "TYPE=AUDIO" in line}
    for name, members in found.items():
        for rendition in members.values():
            if home(found, rendition) != name:
                original = media[f"{rendition.name}.m3u8"]
                at = max(n for n, line in enumerate(lines) if "TYPE=AUDIO" in line) + 1
                lines.insert(at, re.sub(r'GROUP-ID="[^"]*"', f'GROUP-ID="{name}"', original))
    return "\n".join([*lines, ""])


def _with_codecs(line: str, found: Groups) -> str:
    """A variant with the formats of all sound in its group."""
    if not line.startswith("#EXT-X-STREAM-INF:") or not (members := found.get(_attribute(line, "AUDIO"))):
        return line
    told = _attribute(line, "CODECS").split(",")
    missing = dict.fromkeys(CODECS[r.format] for r in members.values() if CODECS[r.format] not in told)
    return re.sub(r'CODECS="[^"]*"', f'CODECS="{",".join([*told, *missing])}"', line)


def _attribute(line: str, name: str) -> str:
    found = re.search(rf'[:,]{name}="([^"]*)"', line)
    return found[1] if found else ""
