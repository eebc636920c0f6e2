"""Players that come too early: whenever a manifest is there, all that it leads to has to be there as well."""

from collections.abc import Iterator
from pathlib import Path

from tests.chaos.checks import digests
from tests.chaos.looking import Looking

INTERVAL = 0.1
MANIFESTS = (".mpd", ".m3u8")


class Readers(Looking):
    """Look at folders again and again inside the block."""

    def __init__(self) -> None:
        super().__init__(INTERVAL)
        self._watched: dict[Path, dict[str, str]] = {}
        self.looks = 0
        """How often there was a manifest."""
        self.problems: set[str] = set()

    def watch(self, folder: Path, expected: dict[str, str]) -> None:
        """`expected`: digests by name, of all that belongs there in the end."""
        self._watched[folder] = expected

    def _look(self) -> None:
        for folder, expected in [*self._watched.items()]:
            self.problems |= {*self._half_written(folder, expected)}

    def _half_written(self, folder: Path, expected: dict[str, str]) -> Iterator[str]:
        for name in filter(lambda name: name.endswith(MANIFESTS), expected):
            manifest = folder / name
            if not manifest.exists():
                continue
            self.looks += 1
            missing = [other for other in _beside(name, expected) if not (folder / other).exists()]
            digest = digests({name: _read(manifest)})[name]
            # A delivery that begins anew takes the manifest away first: then nobody is led anywhere.
            if (missing or digest != expected[name]) and manifest.exists():
                yield f"{manifest} is there without {missing[:3]}, or half written"


def _beside(manifest: str, names: dict[str, str]) -> list[str]:
    """The media of the same format: two formats have a folder each."""
    top = manifest.partition("/")[0] if manifest.startswith(("dash/", "hls/")) else ""
    return [name for name in names if name.startswith(top) and not name.endswith(MANIFESTS)]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""
