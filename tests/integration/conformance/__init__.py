"""Whether published folders keep to the standards of their manifests.

No package ships the XML schema of MPDs, so the rules that matter here are written out.
"""

from pathlib import Path

from tests.integration.conformance.dash import mpd_problems
from tests.integration.conformance.hls import master_problems


def problems(folder: Path) -> list[str]:
    """What is wrong with the manifests below a folder, of which there must be one."""
    mpds = sorted(folder.rglob("*.mpd"))
    masters = [path for path in sorted(folder.rglob("*.m3u8")) if "#EXT-X-STREAM-INF:" in path.read_text()]
    found = [f"{mpd.name}: {text}" for mpd in mpds for text in mpd_problems(mpd)]
    found += [f"{master.name}: {text}" for master in masters for text in master_problems(master)]
    return found if mpds or masters else [f"{folder} has no manifest"]
