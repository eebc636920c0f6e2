"""The last step of Encoding: segments and manifests, with Shaka Packager."""

import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from temporalio import activity

from activities.drm.config import Drm
from activities.drm.key import ContentKey, DrmError, Encryption, Scheme, scheme_of
from activities.drm.keys import obtained
from activities.errors import EncodingError
from activities.heartbeat import Progress, beating
from activities.languages import title
from activities.machine import on_disk
from activities.media import packager
from activities.media.groups import groups, home
from activities.media.manifests import in_schema_order, with_accessible_choices, with_version
from activities.media.packager import Output, Shown
from activities.naming import TEXT, Naming
from activities.plan import AudioRendition, Plan, unique_names
from activities.prepare import PreparedText
from activities.processing import Archiving, OutputFormat, channels_of
from activities.series import shortened, written_out
from activities.store.work import at_work
from activities.workspace import attempt_folder, fresh

FOLDER = "output"
TITLES = "{} {}"
"""`English 2` is the second of its name."""
TRICK_PLAY = "{}-trickplay"
TRICK_PLAY_FROM = 10.0
"""Seconds of film. ffmpeg, and players made of it, read all of a short title to know a track's rate: it plays twice."""


@dataclass(frozen=True)
class PackageRequest:
    """Everything that was encoded. Paths are relative to the workspace."""

    job_id: str
    plan: Plan
    formats: list[OutputFormat]
    video: dict[str, str] = field(default_factory=dict)
    """Rendition name → file."""
    audio: dict[str, str] = field(default_factory=dict)
    text: list[PreparedText] = field(default_factory=list)
    native_names: bool = False
    """Languages are called `Deutsch` instead of `German`."""
    drm: Drm | None = None
    """None = in clear."""
    naming: Naming | None = None
    """None = the usual names."""
    archiving: Archiving = "None"
    only: OutputFormat | None = None
    """The one of `formats` that is made now; None = all."""


@dataclass(frozen=True)
class PackagedFormat:
    """One format's files as they are to be published; names are relative to `root`."""

    type: OutputFormat
    root: str
    """Folder in the workspace that stands for the output location."""
    media: list[str] = field(default_factory=list)
    """In few words; `files` has the names."""
    manifests: list[str] = field(default_factory=list)
    """In order of publication: playlists first, the main manifests last."""
    links: dict[str, str] = field(default_factory=dict)
    """`dash` and/or `hls` → name of the main manifest."""
    archiving: Archiving = "None"
    """In what the files are published; the names above are theirs all the same."""

    @property
    def files(self) -> list[str]:
        """All media, by name."""
        return [*written_out(self.media)]


@dataclass(frozen=True)
class Measured:
    """One rendition as packaged."""

    name: str
    bitrate: int
    """kbit/s, average over its duration"""
    codec: str
    scheme: Scheme | None = None
    """None = in clear."""
    key_id: str | None = None


@dataclass(frozen=True)
class Packaged:
    """The formats that were asked for: all of the job, or one."""

    formats: list[PackagedFormat] = field(default_factory=list)
    renditions: list[Measured] = field(default_factory=list)


@activity.defn
async def package(request: PackageRequest) -> Packaged:
    """Run the packager, once per format.

    Raises:
        EncodingError: the packager failed, or the keys cannot be had.
    """
    root = attempt_folder(f"{FOLDER}-{request.only.lower()}" if request.only else FOLDER)
    wanted = [request.only] if request.only else request.formats
    outputs = {name: _output(request, name, root) for name in wanted}
    encoded = [*request.video.values(), *request.audio.values()]
    needs = [*encoded, *(track.path for track in request.text)]
    async with beating(Progress()) as progress, at_work(request.job_id, needs=needs) as work:
        folder = await on_disk(fresh, work.root / root)
        progress.total = len(outputs) * await on_disk(_size, [work.root / path for path in encoded])
        encryptions = await _encryptions(request)
        for name, out in outputs.items():
            await _run(request, work.root, out, encryptions.get(scheme_of(name)), _written(folder, progress))
        formats = [await on_disk(_collected, name, folder, out, request.archiving) for name, out in outputs.items()]
        first, out = next(iter(outputs.items()))
        encryption = encryptions.get(scheme_of(first))
        measured = await on_disk(_measured, request.plan, work.root / out.folder, encryption)
        await work.keep(root)
    return Packaged(formats, measured)


async def _encryptions(request: PackageRequest) -> dict[Scheme, Encryption]:
    if not request.drm:
        return {}
    try:
        return await obtained(request.drm, request.job_id, request.formats)
    except DrmError as error:
        raise EncodingError(f"ContentProcessing: {error}", retryable=error.temporary) from None


async def _run(
    request: PackageRequest, root: Path, out: Output, encryption: Encryption | None, written: Callable[[], float]
) -> None:
    command = packager.arguments(_descriptors(request, out, encryption), out, _first_language(request.plan))
    flags = packager.encryption_flags(encryption) if encryption else None
    await packager.run_packager(command, root, written, flags, _sources(request))
    await on_disk(_complete, request, root, out, encryption)


def _complete(request: PackageRequest, root: Path, out: Output, encryption: Encryption | None) -> None:
    """What the packager cannot write."""
    if out.hls:
        packager.complete_audio_groups(root / out.folder / out.hls_manifest, groups(request.plan.audio))
    if encryption:
        packager.name_fairplay_keys(root / out.folder, encryption)
    _correct(root / out.folder, out)


def _sources(request: PackageRequest) -> dict[str, str]:
    """Of what was not encoded: file in the workspace → what messages call its source."""
    video = {request.video[r.name]: r.source for r in request.plan.video if r.source}
    return video | {request.audio[r.name]: r.source for r in request.plan.audio if r.source}


def _correct(folder: Path, out: Output) -> None:
    """What the packager writes otherwise than the standards want it."""
    corrections: dict[str, list[Callable[[str], str]]] = {}
    if out.dash:
        corrections[out.dash_manifest] = [in_schema_order]
    if out.hls:
        corrections[out.hls_manifest] = [with_version, with_accessible_choices]
    for name, corrected in corrections.items():
        text = (folder / name).read_text()
        for correct in corrected:
            text = correct(text)
        (folder / name).write_text(text)


def _output(request: PackageRequest, name: OutputFormat, root: str) -> Output:
    naming = request.naming or Naming()
    return Output(
        f"{root}/{name.lower()}/" if len(request.formats) > 1 else f"{root}/",
        dash=name != "Hls",
        hls=name in ("Hls", "Cmaf"),
        single=name == "DashOnDemand",
        dash_manifest=f"{naming.dash_manifest}.mpd",
        hls_manifest=f"{naming.hls_manifest}.m3u8",
    )


def _descriptors(request: PackageRequest, out: Output, encryption: Encryption | None) -> list[str]:
    keys = _keys(request.plan, encryption)
    return [
        *(packager.video(request.video[r.name], r.name, out, keys.get(r.name)) for r in request.plan.video),
        *_trick_play(request, out, keys),
        *_audio_descriptors(request, out, keys),
        *_text_descriptors(request, out),
    ]


def _trick_play(request: PackageRequest, out: Output, keys: dict[str, ContentKey]) -> Iterator[str]:
    """Of the smallest picture: it is looked at for moments, and many are loaded in a second."""
    made = out.dash and request.plan.duration >= TRICK_PLAY_FROM
    for rendition in request.plan.video[:1] if made else ():
        name = TRICK_PLAY.format(rendition.name)
        yield packager.trick_play(request.video[rendition.name], name, out, keys.get(rendition.name))


def _keys(plan: Plan, encryption: Encryption | None) -> dict[str, ContentKey]:
    """Rendition name → its key; empty without encryption. Text is never encrypted."""
    if not encryption:
        return {}
    video = {rendition.name: encryption.of_video(rendition.width, rendition.height) for rendition in plan.video}
    return video | {rendition.name: encryption.of_audio() for rendition in plan.audio}


def _audio_descriptors(request: PackageRequest, out: Output, keys: dict[str, ContentKey]) -> Iterator[str]:
    made, shown_names = request.plan.audio, _track_names(request)
    found = groups(made)
    for rendition in made:
        name, is_first = shown_names[rendition.track]
        role = "description" if rendition.descriptive else None if is_first else "alternate"
        yield packager.audio(
            request.audio[rendition.name],
            rendition.name,
            rendition.language,
            Shown(name, _label(name, rendition, made)),
            out,
            group=home(found, rendition),
            role=role,
            key=keys.get(rendition.name),
        )


def _track_names(request: PackageRequest) -> dict[int, tuple[str, bool]]:
    """Audio track → what players call it, and whether it is the first that would have this name."""
    tracks = {r.track: r for r in request.plan.audio}
    titles = [title(r.language, native=request.native_names) + " (AD)" * r.descriptive for r in tracks.values()]
    names = zip(unique_names(titles, TITLES), titles, strict=True)
    return {track: (name, name == plain) for track, (name, plain) in zip(tracks, names, strict=True)}


def _label(name: str, rendition: AudioRendition, made: list[AudioRendition]) -> str:
    """In DASH the label tells choices apart: players switch among the bitrates of one, and not between layouts."""
    plainest = min(
        (r for r in made if (r.track, r.format) == (rendition.track, rendition.format)),
        key=lambda r: channels_of(r.sound),
    )
    return name if rendition.sound == plainest.sound else f"{name} ({rendition.sound})"


def _text_descriptors(request: PackageRequest, out: Output) -> Iterator[str]:
    # An HLS player may choose the first text of its viewer's language unasked: not captions, if there are subtitles.
    tracks = sorted(request.text, key=lambda track: track.caption)
    heard = [rendition.name for rendition in request.plan.audio]  # which may be called text, too
    files = unique_names([*heard, *(f"{TEXT}-{track.language}" for track in tracks)])[len(heard) :]
    names = [title(t.language, native=request.native_names) + " (CC)" * t.caption for t in tracks]
    for track, file, name in zip(tracks, files, unique_names(names, TITLES), strict=True):
        yield from packager.text(track.path, file, track.language, Shown(name, name), out, caption=track.caption)


def _first_language(plan: Plan) -> str | None:
    return plan.audio[0].language if plan.audio else None


def _written(folder: Path, progress: Progress) -> Callable[[], float]:
    def measure() -> float:
        progress.done = _size(folder.rglob("*"))
        return progress.done

    return measure


def _size(paths: Iterable[Path]) -> int:
    """Bytes of those that are files, and still there."""
    size = 0
    for path in paths:
        with suppress(FileNotFoundError):
            status = path.stat()
            size += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return size


def _collected(name: OutputFormat, folder: Path, out: Output, archiving: Archiving) -> PackagedFormat:
    """What the packager wrote, main manifests apart from playlists apart from media."""
    inside = out.folder.removeprefix(f"{folder.name}/")
    files = sorted(str(path.relative_to(folder)) for path in (folder / inside).rglob("*") if path.is_file())
    links = {"dash": f"{inside}{out.dash_manifest}"} if out.dash else {}
    links |= {"hls": f"{inside}{out.hls_manifest}"} if out.hls else {}
    main = [file for file in files if file in links.values()]
    playlists = [file for file in files if file.endswith(".m3u8") and file not in main]
    media = shortened(file for file in files if file not in main and file not in playlists)
    return PackagedFormat(name, folder.name, media, playlists + main, links, archiving)


def _measured(plan: Plan, folder: Path, encryption: Encryption | None) -> list[Measured]:
    """The renditions as the first format has them."""
    codecs = {r.name: r.codec for r in plan.video} | {r.name: r.format for r in plan.audio}
    scheme = encryption.scheme if encryption else None
    keys = _keys(plan, encryption)
    ids = {name: str(key.key_id) for name, key in keys.items()}
    return [
        Measured(name, _bitrate(folder, name, plan.duration), codec, scheme, ids.get(name))
        for name, codec in codecs.items()
    ]


def _bitrate(folder: Path, name: str, seconds: float) -> int:
    media = [*(folder / name).glob("*.m4s"), *folder.glob(f"{name}.mp4")]
    return round(sum(file.stat().st_size for file in media) * 8 / 1000 / seconds) if seconds else 0
