"""Packaged renditions: their layout, their manifests, and that both play from the first frame to the last."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import pytest_asyncio

from activities.cuts import Chunk
from activities.encode import AudioRequest, ChunkRequest, encode_audio, encode_chunk
from activities.errors import LostError
from activities.media.packager import Output, Shown, audio
from activities.naming import Naming
from activities.package import Packaged, PackageRequest, package
from activities.plan import AudioRendition, Plan, VideoRendition
from activities.prepare import PrepareRequest, prepare_text
from activities.tracks import Mapped, TextTrack
from activities.workspace import workspace
from tests.activities.media.children import children
from tests.activities.reading import decoded, frames, streams
from tests.activities.running import JOB_ID, Running
from tests.activities.tracks import audio_tracks, in_workspace, video_track
from tests.clips import Clips, _run, srt_file
from tests.integration.players import decoded_tracks

DASH = {"d": "urn:mpeg:dash:schema:mpd:2011"}
VIDEO = [VideoRendition("video-H264-90-100k", 160, 90, 100), VideoRendition("video-H264-180-300k", 320, 180, 300)]
AUDIO = [
    AudioRendition("audio-en", 0, "en", 128, "Stereo"),
    AudioRendition("audio-de", 1, "de", 64, "Mono"),
    AudioRendition("audio-en-2", 2, "en", 64, "Mono", descriptive=True),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def encoded(clip: Clips, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PackageRequest]:
    """Ten seconds: three segments in two renditions, three sounds, a subtitle and a caption; in a work folder."""
    folder = tmp_path_factory.mktemp("encoded")
    source = folder / "movie.mkv"
    sound = clip(seconds=10, audio="mono", size="64x64")
    inputs = ["-i", str(clip(seconds=10)), "-i", str(sound), "-map", "0", "-map", "1:a", "-map", "1:a"]
    _run(*inputs, "-c", "copy", str(source))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENCODING_WORK_ROOT", str(folder / "work"))
        request = await _request(source, srt_file(folder / "text.srt"))
    return folder / "work", request


async def _request(source: Path, subtitle: Path) -> PackageRequest:
    file, text = in_workspace(source), in_workspace(subtitle, 2)
    tracks = await audio_tracks(source, file)
    plan = Plan(VIDEO, AUDIO, [Chunk(0)], preset="veryfast", duration=10)
    chunk = await Running()(encode_chunk, ChunkRequest(JOB_ID, await video_track(source, file), plan, Chunk(0)))
    heard = await Running()(encode_audio, AudioRequest(JOB_ID, tracks, plan))
    texts = [TextTrack(text, "en", "SRT"), TextTrack(text, "de", "SRT", caption=True)]
    prepared = await Running()(prepare_text, PrepareRequest(JOB_ID, Mapped(None, [], texts)))
    return PackageRequest(JOB_ID, plan, ["Dash", "Hls"], chunk.paths, heard.paths, prepared.text)


@pytest.fixture
def request_(root: Path, encoded: tuple[Path, PackageRequest], tmp_path: Path) -> PackageRequest:
    """Each test has a copy of what was encoded."""
    assert root.is_dir()
    work, request = encoded
    shutil.copytree(work, tmp_path / "work")
    return request


async def packaged(request: PackageRequest, **fields: Any) -> Packaged:
    return await Running()(package, replace(request, **fields))


def output(name: str = "") -> Path:
    return workspace(JOB_ID) / "output-1-0" / name


def assert_plays(address: str, request: PackageRequest, *, video: int, audio: int) -> None:
    tracks = decoded_tracks(address)
    assert [track.kind for track in tracks].count("video") == video
    assert [track.kind for track in tracks].count("audio") == audio
    for height in (90, 180)[:video]:
        encoded = workspace(JOB_ID) / next(path for name, path in request.video.items() if f"-{height}-" in name)
        assert [t.frames for t in tracks if t.height == height] == [len(frames(encoded).times)]
    assert all(abs(track.seconds - 10) < 0.1 for track in tracks if track.kind in ("video", "audio"))


async def test_two_formats_have_a_folder_each(request_: PackageRequest, serve_folder: Callable[[Path], str]) -> None:
    dash, hls = (await packaged(request_)).formats
    assert (dash.type, dash.links, dash.manifests) == ("Dash", {"dash": "dash/manifest.mpd"}, ["dash/manifest.mpd"])
    assert (hls.type, hls.links, hls.manifests[-1]) == ("Hls", {"hls": "hls/manifest.m3u8"}, "hls/manifest.m3u8")
    assert set(hls.manifests[:-1]) == {
        f"hls/{name}.m3u8"
        for name in [*request_.video, *(f"{v}-iframes" for v in request_.video), *request_.audio, "text-en", "text-de"]
    }
    listed = [*dash.files, *dash.manifests, *hls.files, *hls.manifests]
    assert sorted(listed) == sorted(str(p.relative_to(output())) for p in output().rglob("*") if p.is_file())
    for name in request_.video:
        segments = {path.name for path in output(f"dash/{name}").iterdir()}
        assert segments == {"init.mp4", "1.m4s", "2.m4s", "3.m4s"}
    address = serve_folder(output())
    assert_plays(f"{address}/dash/manifest.mpd", request_, video=2, audio=3)
    assert_plays(f"{address}/hls/manifest.m3u8", request_, video=2, audio=3)


async def test_a_format_by_itself_is_what_it_is_beside_others(request_: PackageRequest) -> None:
    both = await packaged(request_)
    for name, beside in zip(request_.formats, both.formats, strict=True):
        made = await packaged(request_, only=name)
        [alone] = made.formats
        assert alone == replace(beside, root=f"output-{name.lower()}-1-0")
        assert made.renditions == both.renditions
        for file in alone.manifests:
            assert (workspace(JOB_ID) / alone.root / file).stat().st_size == output(file).stat().st_size


async def test_cmaf_is_one_set_of_media_with_both_manifests_named_as_asked(
    request_: PackageRequest, serve_folder: Callable[[Path], str]
) -> None:
    naming = Naming(dash_manifest_name="title", hls_manifest_name="main")
    (cmaf,) = (await packaged(request_, formats=["Cmaf"], naming=naming)).formats
    assert cmaf.links == {"dash": "title.mpd", "hls": "main.m3u8"}
    assert set(cmaf.manifests[-2:]) == {"title.mpd", "main.m3u8"}
    assert len([name for name in cmaf.files if name.startswith(f"{VIDEO[0].name}/")]) == 4
    address = serve_folder(output())
    assert_plays(f"{address}/title.mpd", request_, video=2, audio=3)
    assert_plays(f"{address}/main.m3u8", request_, video=2, audio=3)


async def test_on_demand_is_one_file_for_each_track_and_names_are_as_asked(
    request_: PackageRequest, serve_folder: Callable[[Path], str]
) -> None:
    made = await packaged(request_, formats=["DashOnDemand"], naming=Naming(dash_manifest_name="index"))
    [single] = made.formats
    names = [*request_.video, f"{VIDEO[0].name}-trickplay", *request_.audio, "text-en", "text-de"]
    assert sorted(single.files) == sorted(f"{name}.mp4" for name in names)
    assert (single.manifests, single.links) == (["index.mpd"], {"dash": "index.mpd"})
    rates = {each.name: each.bitrate for each in made.renditions}
    assert rates == {n: round(output(f"{n}.mp4").stat().st_size * 8 / 10_000) for n in rates}
    assert all(rates.values())
    assert_plays(f"{serve_folder(output())}/index.mpd", request_, video=2, audio=3)


async def test_scrubbing_is_told_in_both_manifests(request_: PackageRequest) -> None:
    await packaged(request_, formats=["Cmaf"])
    lines = output("manifest.m3u8").read_text().splitlines()
    assert len([line for line in lines if line.startswith("#EXT-X-I-FRAME-STREAM-INF")]) == 2
    listed = output(f"{VIDEO[0].name}-iframes.m3u8").read_text()
    assert "#EXT-X-I-FRAMES-ONLY" in listed
    assert listed.count("#EXT-X-BYTERANGE") == 3
    document = ET.parse(output("manifest.mpd")).getroot()  # noqa: S314 - made by ourselves
    sets = [s for s in document.findall(".//d:AdaptationSet", DASH) if s.get("contentType") == "video"]
    [main] = [s.get("id") for s in sets if s.find("d:EssentialProperty", DASH) is None]
    [trick] = [found.attrib for s in sets for found in s.findall("d:EssentialProperty", DASH)]
    assert trick == {"schemeIdUri": "http://dashif.org/guidelines/trickmode", "value": main}


async def test_every_segment_starts_with_a_key_frame_at_the_same_time(request_: PackageRequest) -> None:
    await packaged(request_, formats=["Dash"])
    for name in request_.video:
        starts = []
        for number in (1, 2, 3):
            alone = output(f"{name}-{number}.mp4")
            alone.write_bytes((output(name) / "init.mp4").read_bytes() + (output(name) / f"{number}.m4s").read_bytes())
            found = frames(alone)
            assert found.keys[0] == found.times[0]
            starts.append(found.times[0])
            decoded(alone, "-xerror", "-f", "null")
        assert starts == [0, 4, 8]


async def test_dash_tells_languages_and_roles(request_: PackageRequest) -> None:
    await packaged(request_, formats=["Dash"])
    document = ET.parse(output("manifest.mpd")).getroot()  # noqa: S314 - made by ourselves
    assert document.get("type") == "static"
    sets = [
        (s.get("contentType"), s.get("lang"), [r.get("value") for r in s.findall("d:Role", DASH)])
        for s in document.findall(".//d:AdaptationSet", DASH)
    ]
    assert sorted(sets, key=str) == sorted(
        [
            ("video", None, []),
            ("video", None, []),  # trick play
            ("audio", "en", ["main"]),
            ("audio", "en", ["description"]),
            ("audio", "de", []),
            ("text", "en", ["subtitle"]),
            ("text", "de", ["caption"]),
        ],
        key=str,
    )
    purposes = {
        s.findtext("d:Label", "", DASH): found.get("value")
        for s in document.findall(".//d:AdaptationSet", DASH)
        for found in s.findall("d:Accessibility", DASH)
    }
    assert purposes == {"English (AD)": "1", "German (CC)": "2"}
    text = [r for r in document.findall(".//d:Representation", DASH) if r.get("codecs") == "wvtt"]
    assert [r.get("mimeType") for r in text] == ["application/mp4"] * 2


def hls_media(kind: str) -> list[dict[str, str]]:
    lines = [line for line in output("manifest.m3u8").read_text().splitlines() if line.startswith("#EXT-X-MEDIA")]
    media = [dict(re.findall(r'([A-Z-]+)="?([^",]+)', line)) for line in lines]
    return [found for found in media if found["TYPE"] == kind]


async def test_hls_tells_languages_and_the_first_sound_alone_is_default(request_: PackageRequest) -> None:
    await packaged(request_, formats=["Hls"])
    sound = [(m["NAME"], m["LANGUAGE"], m["DEFAULT"]) for m in hls_media("AUDIO")]
    assert sorted(sound) == [("English", "en", "YES"), ("English (AD)", "en", "NO"), ("German", "de", "NO")]
    assert sorted((m["NAME"], m["LANGUAGE"], m["DEFAULT"], m["AUTOSELECT"]) for m in hls_media("SUBTITLES")) == [
        ("English", "en", "NO", "YES"),
        ("German (CC)", "de", "NO", "YES"),
    ]
    sounds = "public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound"
    assert output("manifest.m3u8").read_text().count(f'CHARACTERISTICS="{sounds}"') == 1
    playlist = output("text-en.m3u8").read_text()
    assert "#EXT-X-ENDLIST" in playlist
    assert output("text-en/1.vtt").read_text().startswith("WEBVTT")


async def test_native_names_are_unique_in_hls_and_tell_choices_apart_in_dash(request_: PackageRequest) -> None:
    # The third is another rendition of the first one's track.
    made = [
        replace(r, language="pt-BR", track=track, descriptive=False, sound="Mono", bitrate=bitrate)
        for r, track, bitrate in zip(AUDIO, (0, 1, 0), (128, 64, 64), strict=True)
    ]
    plan, text = replace(request_.plan, audio=made), [replace(request_.text[0], language="pt-BR")] * 2
    await packaged(request_, formats=["Cmaf"], plan=plan, text=text, native_names=True)
    name = "português (Brasil)"
    assert sorted((m["GROUP-ID"], m["NAME"], m["URI"]) for m in hls_media("AUDIO")) == [
        ("audio", name, "audio-en-2.m3u8"),
        ("audio", f"{name} 2", "audio-de.m3u8"),
        ("audio-2", name, "audio-en.m3u8"),
        ("audio-2", f"{name} 2", "audio-de.m3u8"),
    ]
    assert sorted(m["NAME"] for m in hls_media("SUBTITLES")) == [name, f"{name} 2"]
    document = ET.parse(output("manifest.mpd")).getroot()  # noqa: S314 - made by ourselves
    sets = [s for s in document.findall(".//d:AdaptationSet", DASH) if s.get("contentType") == "audio"]
    choices = {s.findtext("d:Label", "", DASH): len(s.findall("d:Representation", DASH)) for s in sets}
    assert choices == {name: 2, f"{name} 2": 1}
    roles = {s.findtext("d:Label", "", DASH): [r.get("value") for r in s.findall("d:Role", DASH)] for s in sets}
    assert roles == {name: ["main"], f"{name} 2": ["alternate"]}


async def test_formats_and_layouts_of_sound_are_choices_that_no_player_has_to_take(
    request_: PackageRequest, clip: Clips, tmp_path: Path, serve_folder: Callable[[Path], str]
) -> None:
    source = tmp_path / "surround.mkv"
    inputs = ["-i", str(clip(seconds=10, audio="5.1")), "-i", str(clip(seconds=10, audio="mono", size="64x64"))]
    _run(*inputs, "-map", "0:a", "-map", "1:a", "-c", "copy", str(source))
    made = [
        AudioRendition("audio-en", 0, "en", 128, "Stereo"),
        AudioRendition("audio-en-2", 0, "en", 192, "5.1"),
        AudioRendition("audio-en-3", 0, "en", 384, "5.1", format="AC3"),
        AudioRendition("audio-de", 1, "de", 64, "Mono"),
    ]
    plan = replace(request_.plan, audio=made)
    tracks = await audio_tracks(source, in_workspace(source))
    heard = await Running()(encode_audio, AudioRequest(JOB_ID, tracks, plan))
    packed = await packaged(request_, formats=["Cmaf"], plan=plan, audio=heard.paths)
    members: dict[str, list[tuple[str, str, str]]] = {}
    for m in hls_media("AUDIO"):
        members.setdefault(m["GROUP-ID"], []).append((m["NAME"], m["URI"], m["DEFAULT"]))
    assert members == {
        "audio": [("English", "audio-en.m3u8", "YES"), ("German", "audio-de.m3u8", "NO")],
        "audio-2": [("English", "audio-en-2.m3u8", "YES"), ("German", "audio-de.m3u8", "NO")],
        "audio-AC3": [("English", "audio-en-3.m3u8", "YES"), ("German", "audio-de.m3u8", "NO")],
    }
    variants = re.findall(r'CODECS="avc1\.\w+,([^"]*)".*AUDIO="([^"]*)"', output("manifest.m3u8").read_text())
    assert set(variants) == {("mp4a.40.2", "audio"), ("mp4a.40.2", "audio-2"), ("ac-3,mp4a.40.2", "audio-AC3")}
    assert len(variants) == 3 * len(VIDEO)
    document = ET.parse(output("manifest.mpd")).getroot()  # noqa: S314 - made by ourselves
    sets = [s for s in document.findall(".//d:AdaptationSet", DASH) if s.get("contentType") == "audio"]
    found = {(s.findtext("d:Label", "", DASH), s.findall("d:Representation", DASH)[0].get("codecs")) for s in sets}
    assert found == {
        ("English", "mp4a.40.2"),
        ("English (5.1)", "mp4a.40.2"),
        ("English", "ac-3"),
        ("German", "mp4a.40.2"),
    }
    assert {m.name: m.codec for m in packed.renditions if m.name.startswith("audio")}["audio-en-3"] == "AC3"
    address = serve_folder(output())
    assert_plays(f"{address}/manifest.mpd", replace(request_, plan=plan, audio=heard.paths), video=2, audio=4)


def test_a_comma_in_a_name_ends_no_field() -> None:
    shown = Shown("Chinese (Simplified, China)", "Chinese (Simplified, China) 2")
    fields = audio("a.mp4", "audio-zh", "zh", shown, Output("", dash=True, hls=True)).split(",")
    assert "hls_name=Chinese (Simplified China)" in fields
    assert "dash_label=Chinese (Simplified China) 2" in fields


async def test_bitrates_are_measured(request_: PackageRequest) -> None:
    measured = {each.name: each for each in (await packaged(request_)).renditions}
    assert set(measured) == {*request_.video, *request_.audio}
    for name, rendition in measured.items():
        size = sum(path.stat().st_size for path in output(f"dash/{name}").glob("*.m4s"))
        assert rendition.bitrate == round(size * 8 / 10_000)
        assert rendition.codec == ("H264" if name.startswith("video") else "AAC")


async def test_picture_alone_and_sound_alone(request_: PackageRequest, serve_folder: Callable[[Path], str]) -> None:
    address = serve_folder(output())
    silent = replace(request_, plan=replace(request_.plan, audio=[]), audio={}, text=[])
    for formats in (["Cmaf"], ["Dash"]):
        await packaged(silent, formats=formats)
        assert_plays(f"{address}/manifest.mpd", silent, video=2, audio=0)
    blind = replace(request_, plan=replace(request_.plan, video=[]), video={}, text=[])
    await packaged(blind, formats=["Cmaf"])
    assert_plays(f"{address}/manifest.mpd", blind, video=0, audio=3)
    assert "DEFAULT=YES" in output("manifest.m3u8").read_text()


async def test_another_attempt_starts_afresh(request_: PackageRequest) -> None:
    await packaged(request_, formats=["Dash"])
    (output() / "left over.m4s").touch()
    (made,) = (await packaged(request_, formats=["Dash"])).formats
    assert not any("left over" in name for name in made.files)


async def test_cancelled_it_leaves_no_process(request_: PackageRequest) -> None:
    before = children()
    await Running().cancelled(package, request_, lambda: bool(children() - before))
    assert children() == before


async def test_a_lost_file_is_worth_another_attempt_and_names_no_path(request_: PackageRequest) -> None:
    lost = next(iter(request_.video.values()))
    (workspace(JOB_ID) / lost).unlink()
    with pytest.raises(LostError) as caught:
        await packaged(request_)
    assert caught.value.lost == [lost]
    assert caught.value.retryable
    assert str(workspace(JOB_ID)) not in str(caught.value)


async def test_the_encoded_sound_is_untouched(request_: PackageRequest) -> None:
    await packaged(request_, formats=["Dash"])
    whole = output("whole.mp4")
    parts = ["init.mp4", "1.m4s", "2.m4s", "3.m4s"]
    whole.write_bytes(b"".join((output("audio-en") / part).read_bytes() for part in parts))
    (stream,) = streams(whole)
    assert (stream["codec_name"], stream["channels"]) == ("aac", 2)
    sound = ["-map", "0:a", "-f", "s16le"]
    assert decoded(whole, *sound) == decoded(workspace(JOB_ID) / request_.audio["audio-en"], *sound)
