"""How fast files travel: our storages beside each library's own fastest way, against the same server."""

import os
import statistics
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from rich.table import Table

from activities.storage import opened
from activities.storage.download import fetched, listed, looked_at
from activities.storage.journal import Journal
from activities.storage.upload import stored
from benchmarks.peers import Files, Peer, RemoteLocation, azure, ftps, s3

LARGE = [256 << 20]
SMALL = [1 << 20] * 100
SETS = {"one file of 256 MiB": LARGE, "100 files of 1 MiB": SMALL}
MIB = 1 << 20


async def measure(scratch: Path, rounds: int) -> list[Table]:
    """MiB a second, and their ratio."""
    table = Table(
        "provider", "what", "way", "library", "ours", "ratio", title=f"transfer: MiB a second, medians of {rounds}"
    )
    folders = count(1)
    for running in (s3, azure, ftps):
        with running(scratch) as peer:
            for what, sizes in SETS.items():
                if len(sizes) > 1 and not peer.takes_many:
                    continue
                files = _files(scratch / what, sizes)
                rates = [await _round(peer, f"round-{next(folders)}", files) for _ in range(rounds)]
                for way, both in zip(("up", "down"), zip(*rates, strict=True), strict=True):
                    library, ours = (statistics.median(rate) for rate in zip(*both, strict=True))
                    row = (f"{library:.0f}", f"{ours:.0f}", f"{ours / library:.2f}")
                    table.add_row(peer.name, what, way, *row)
    return [table]


Rates = tuple[float, float]
"""Of the library, and ours."""


async def _round(peer: Peer, folder: str, files: Files) -> tuple[Rates, Rates]:
    """Up and down. What is sent is fetched back by the same side; the disk has to take all of it each time."""
    size = sum(path.stat().st_size for path, _ in files)
    back = [(path.with_suffix(".back"), name) for path, name in files]
    begin = time.perf_counter()
    peer.up(f"{folder}/library", files)
    up = size / MIB / (time.perf_counter() - begin)
    begin = time.perf_counter()
    await _store(peer.location(f"{folder}/ours"), files)
    our_up = size / MIB / (time.perf_counter() - begin)
    begin = time.perf_counter()
    peer.down(f"{folder}/library", back)
    down = size / MIB / (time.perf_counter() - begin)
    _remove(back)
    begin = time.perf_counter()
    await _fetch(peer.location(f"{folder}/ours"), back)
    our_down = size / MIB / (time.perf_counter() - begin)
    _remove(back)
    return (up, our_up), (down, our_down)


async def _store(location: RemoteLocation, files: Files) -> None:
    journal = files[0][0].with_name(".journal")
    journal.unlink(missing_ok=True)
    async with opened(location) as storage:
        await stored(storage, files, lambda _: None, Journal(journal))


async def _fetch(location: RemoteLocation, files: Files) -> None:
    targets = {name: path for path, name in files}
    async with opened(location) as storage:
        entries = await looked_at(storage, await listed(storage))
        await fetched(storage, [(entry, targets[entry.name]) for entry in entries], lambda _: None)


def _files(folder: Path, sizes: Sequence[int]) -> Files:
    folder.mkdir(exist_ok=True)
    files = [(folder / f"{number}.mp4", f"{number}.mp4") for number in range(len(sizes))]
    for (path, _), size in zip(files, sizes, strict=True):
        path.write_bytes(os.urandom(size))
    return files


def _remove(files: Files) -> None:
    for path, _ in files:
        path.unlink()
