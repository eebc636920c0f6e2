"""Acquisition: bring the usable files of the source folder to the workspace, those of the picture first."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

from temporalio import activity

from activities.errors import AcquisitionError
from activities.heartbeat import Progress, beating, counting
from activities.machine import on_disk
from activities.mapping.names import Names
from activities.mappings import MediaMappings, suffix
from activities.server import tell_run
from activities.storage import opened
from activities.storage.base import Entry, Source, StorageError
from activities.storage.config import Location
from activities.storage.download import PARTS, check_room, fetched, listed, looked_at
from activities.storage.files import FilesStorage
from activities.store.work import Work, at_work
from activities.tracks import SourceFile
from activities.workspace import SOURCES
from publishers.atomic import remove_parts, replacing

LISTING = "files.json"
"""What the files in it are copies of."""
SHOWN = 5
"""Names that a message quotes at most."""
MOST_FILES = 1000
"""That one job uses: more come from an expression that finds too much."""
MOMENT = 1.0
"""Seconds; files that arrive sooner behind the picture are waited for."""
PICTURE_SIGNAL = "picture_arrived"
MOST_NAMES = 250_000
"""Bytes of all their names together, which go into history several times: Temporal takes 2 MB at once."""
MOST_IGNORED = 100_000
"""Bytes of all ignored names together, as JSON: the list goes into history, and into an event, for which some receivers
have 256 KB."""


@dataclass(frozen=True)
class AcquireRequest:
    """Which files, from where."""

    job_id: str
    location: Location
    mappings: MediaMappings
    watermarks: list[str] = field(default_factory=list)
    """Names of images that are used whatever the mappings say."""


@dataclass(frozen=True)
class Acquired:
    """What was copied, and what was left."""

    files: list[SourceFile] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Arrived:
    """Files that are there before the rest."""

    files: list[SourceFile]


@dataclass(frozen=True)
class Chosen:
    """The files that play a part."""

    entries: list[Entry]
    picture: frozenset[str]
    """Names of those that may be the film, or lie over it."""


@activity.defn
async def acquire(request: AcquireRequest) -> Acquired:
    """Copy every file that plays a part; what an earlier attempt has copied stays.

    Where the rest takes its time, the run is told by `PICTURE_SIGNAL` that the picture is there.

    Raises:
        AcquisitionError: the folder or a file cannot be read, no file is usable, or `FailOnIgnoredFiles`.
    """
    async with beating(Progress()) as progress:
        try:
            async with opened(request.location) as storage:
                entries = await listed(storage)
                chosen = await asyncio.to_thread(choose, entries, request.mappings, request.watermarks)
                async with at_work(request.job_id, failing=AcquisitionError) as work:
                    files = await _copy(storage, chosen, work, progress)
        except StorageError as error:
            raise AcquisitionError(str(error), retryable=error.temporary) from None
    used = {file.name for file in files}
    return Acquired(files, _bounded([entry.name for entry in entries if entry.name not in used]))


def choose(entries: list[Entry], mappings: MediaMappings, watermarks: list[str]) -> Chosen:
    """The files that play a part by their names; of those that `watermarks` names, no other.

    Raises:
        AcquisitionError: there is none, one cannot be used, or others may not be ignored.
    """
    wanted, films, ignored, names = [], list[Entry](), [], Names(mappings)
    marks = _watermarks(entries, watermarks)
    for entry in entries:
        if entry in marks:
            continue
        if not (claims := names.claims(entry.name)):
            ignored.append(entry.name)
        elif entry.unusable:
            raise AcquisitionError(f"the file {entry.name!r} {entry.unusable}")
        else:
            wanted.append(entry)
            films += [entry for claim in claims if claim.part == "video"]
    if not wanted:
        raise AcquisitionError(f"no file in the folder is usable. It holds {_some(ignored)}; {_rules(mappings)}")
    if len(wanted) > MOST_FILES:
        raise AcquisitionError(f"{len(wanted)} files would be used, at most {MOST_FILES} can; {_rules(mappings)}")
    if sum(len(entry.name.encode()) for entry in wanted) > MOST_NAMES:
        raise AcquisitionError(
            f"the names of the {len(wanted)} files that would be used have more than {MOST_NAMES} bytes together; "
            "shorten them, or name a folder that is nearer to the files"
        )
    if ignored and mappings.fail_on_ignored_files:
        raise AcquisitionError(
            f"MediaMappings.FailOnIgnoredFiles is set, and the mappings find no part for {_some(ignored)}; "
            "remove the files, or set it to false"
        )
    picture = [*films, *marks] if films else []
    return Chosen([*wanted, *marks], frozenset(entry.name for entry in picture))


def _watermarks(entries: list[Entry], names: list[str]) -> list[Entry]:
    """Names are looked up in the list and nowhere else: one with `..` in it is simply not there."""
    found = {entry.name: entry for entry in entries if entry.name in names}
    for name in names:
        if name not in found or found[name].unusable:
            why = found[name].unusable if name in found else "is not in the source folder"
            raise AcquisitionError(
                f"ContentProcessing.VisibleVideoWatermarks: the file {name!r} {why}; upload it, or correct the name"
            )
    return [*found.values()]


async def _copy(storage: Source, chosen: Chosen, work: Work, progress: Progress) -> list[SourceFile]:
    known = await looked_at(storage, chosen.entries)
    entries = {_file(number, entry): entry for number, entry in enumerate(known, 1)}
    await on_disk(_forget_others, work.root / SOURCES, [*entries])
    linked = await asyncio.to_thread(_linked, storage, entries, work) if work.is_common else set()
    files = [replace(file, linked=file in linked) for file in entries]
    picture = [file for file in files if file.name in chosen.picture]
    first = await work.missing(picture)
    rest = await work.missing([file for file in files if file.name not in chosen.picture])
    progress.total = sum(file.size for file in files)
    progress.done = progress.total - sum(file.size for group in (*first, *rest) for file in group)
    wanted = {file: (entry, work.root / file.path) for file, entry in zip(files, known, strict=True)}
    if work.is_common:  # else each file makes room for the next
        await on_disk(check_room, [*wanted.values()])
    fetch = partial(_fetch, storage, wanted, work, progress)
    await fetch(first)
    async with _telling(picture):
        await fetch(rest)
    return files


async def _fetch(
    storage: Source,
    wanted: dict[SourceFile, tuple[Entry, Path]],
    work: Work,
    progress: Progress,
    groups: list[list[SourceFile]],
) -> None:
    for group in groups:
        await fetched(storage, [wanted[file] for file in group], counting(progress))
        await work.keep_sources(group)


@asynccontextmanager
async def _telling(picture: list[SourceFile]) -> AsyncIterator[None]:
    """Tell the run that the picture is there, unless the block is left in a moment."""
    telling = asyncio.create_task(_tell(picture))
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.wait([telling])


async def _tell(picture: list[SourceFile]) -> None:
    await asyncio.sleep(MOMENT)
    if picture:
        await tell_run(PICTURE_SIGNAL, Arrived(picture))


def _linked(storage: Source, entries: dict[SourceFile, Entry], work: Work) -> set[SourceFile]:
    """Those that need no copy: local files on the workspace's own disk."""
    if not isinstance(storage, FilesStorage):
        return set()
    return {file for file, entry in entries.items() if storage.share(entry, work.root / file.path)}


def _forget_others(folder: Path, files: list[SourceFile]) -> None:
    """Remove what an earlier attempt has copied, unless it is of a file that is listed as it was, by the same number.

    The picture may be encoded from it already.
    """
    listing = folder / LISTING
    folder.mkdir(parents=True, exist_ok=True)
    earlier, now = _listed(listing), {*files}
    kept = {LISTING, *(f"{Path(file.path).name}{part}" for file in earlier & now for part in ("", *PARTS))}
    for path in folder.iterdir():
        if path.name not in kept:
            remove_parts(path)
    if earlier != now:
        with replacing(listing) as written:
            written.write(json.dumps([asdict(file) for file in files]).encode())


def _listed(listing: Path) -> set[SourceFile]:
    """What the earlier attempt has copied from; nothing where there was none, or the disk has lost it."""
    with suppress(FileNotFoundError, ValueError, TypeError):
        return {SourceFile(**file) for file in json.loads(listing.read_text())}
    return set()


def _file(number: int, entry: Entry) -> SourceFile:
    ending = suffix(entry.name)
    plain = ending if re.fullmatch(r"\.[a-z0-9]{1,8}", ending) else ""
    return SourceFile(entry.name, f"{SOURCES}/{number:04}{plain}", entry.size, entry.version)


def _bounded(names: list[str]) -> list[str]:
    room = MOST_IGNORED
    for place, name in enumerate(names):
        room -= len(json.dumps(name, ensure_ascii=False).encode(errors="replace")) + 1
        if room < 0:
            return [*names[:place], f"… and {len(names) - place} more"]
    return names


def _some(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:SHOWN])) or "no files at all"
    return f"{shown} and {len(names) - SHOWN} more" if len(names) > SHOWN else shown


def _rules(mappings: MediaMappings) -> str:
    if mappings.media_detection == "Convention":
        return "looked for endings of video, audio and text, as .mp4, .m4a and .vtt"
    rules = [mappings.video_rule(), *mappings.rules()][:SHOWN]
    return "looked for " + ", ".join(f"{rule.field} {rule.expression!r}" for rule in rules)
