"""Players that come too early: whenever a manifest is there, all that it leads to has to be there as well."""

import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.chaos.checks import digests

INTERVAL = 0.1
MANIFESTS = (".mpd", ".m3u8")


class Readers:
    """Look at folders again and again inside the block."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="readers", daemon=True)
        self._watched: dict[Path, dict[str, str]] = {}
        self.looks = 0
        """How often there was a manifest."""
        self.problems: set[str] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def watch(self, folder: Path, expected: dict[str, str]) -> None:
        """`expected`: digests by name, of all that belongs there in the end."""
        self._watched[folder] = expected

    def _look(self) -> None:
        while not self._over.wait(INTERVAL):
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
