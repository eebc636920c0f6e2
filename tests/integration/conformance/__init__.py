"""Whether published folders keep to the standards of their manifests.

No package ships the XML schema of MPDs, so the rules that matter here are written out.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from tests.integration.conformance.dash import mpd_problems
from tests.integration.conformance.hls import master_problems


def problems(folder: Path) -> list[str]:
    """What is wrong with the manifests below a folder, of which there must be one."""
    mpds = sorted(folder.rglob("*.mpd"))
    playlists = sorted(folder.rglob("*.m3u8"))
    masters = [path for path in playlists if "#EXT-X-STREAM-INF:" in path.read_text()]
    found = [f"{mpd.name}: {text}" for mpd in mpds for text in _told(mpd_problems, mpd)]
    found += [f"{master.name}: {text}" for master in masters for text in _told(master_problems, master)]
    if playlists and not masters:
        found.append("has playlists, of which none names the others")
    return found if mpds or masters else [f"{folder} has no manifest"]


def _told(check: Callable[[Path], Iterator[str]], manifest: Path) -> Iterator[str]:
    """What a check finds; what it stumbles over is a finding, too."""
    try:
        yield from check(manifest)
    except Exception as error:  # noqa: BLE001 - of many kinds: no number, no XML, no attribute
        yield f"cannot be read: {error!r}"
