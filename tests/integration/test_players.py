"""Whole jobs, played in Chromium by two players and held against the standards."""

import asyncio
import base64
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from activities.processing import OutputFormat
from tests.clips import Clips, tone, vtt_file
from tests.integration.browser import GAP, PATIENCE, Shaka, chromium, loads, watched, watching
from tests.integration.conformance import problems
from tests.integration.hls_js import choose_level, choose_sound, choose_text, open_with_hls_js
from tests.integration.service import Service
from tests.servers.temporal import TemporalServer
from workflows.preview import manifests, published_folder

played = pytest.mark.asyncio(loop_scope="module")
"""In the loop of the browser."""

KID, KEY = "6f651ae1-dbe4-4434-bcb4-690d1564c41c", bytes(range(1, 17))
CLEAR_KEY = (KID, KEY.hex())
DRM = {
    "DrmProtection": "Base64Key",
    "KeyId": KID,
    "ContentKey": base64.b64encode(KEY).decode(),
    "KeysProtection": "Unencrypted",
}
JOBS: dict[str, dict[str, Any]] = {
    "clear": {"OutputFormat": ["Dash", "Hls"]},
    "cmaf": {"OutputFormat": ["Cmaf"]},
    "drm": {"OutputFormat": ["Dash", "Hls"], **DRM},
    "demand": {"OutputFormat": ["DashOnDemand"], **DRM},
}
MAPPINGS = {
    "VideoStreamExpression": r"movie\.mp4$",
    "AudioFileLanguageExpression": r"-audio-(?<lang>\w+)\.m4a$",
    "DescriptiveAudioFileLanguageExpression": r"-ad-(?<lang>\w+)\.m4a$",
    "SubtitleFileLanguageExpression": r"-sub-(?<lang>\w+)\.vtt$",
    "CaptionFileLanguageExpression": r"-cc-(?<lang>\w+)\.vtt$",
}
SECONDS = 8
"""Two segments, so that players go from one to the next."""
HEIGHTS = [90, 180]
SOUNDS = {("English", "en"), ("French", "fr"), ("English (AD)", "en")}
TEXTS = {"German": "sub in de", "English": "sub in en", "English (CC)": "cc in en"}
"""Label → what it shows."""
THUMBNAILS = {"Generate": True, "DurationInSeconds": 1}
CHOOSE_TWICE = """async () => {
  const [, second, third] = document.querySelectorAll("#tracks > div:nth-child(2) button");
  second.click();
  third.click();
  for (let n = 0; n < 10; n++) await null;  // time for promises, not for the network
  return player.getAudioTracks().map(track => track.active);
}"""
Published = dict[str, Path]
Key = tuple[str, str]
"""Id and key, in hex."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def source(service: Service, clip: Clips, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two languages of sound, one with a description; subtitles and captions that say what they are."""
    folder = tmp_path_factory.mktemp("texts")
    texts = [
        vtt_file(folder / f"movie-{kind}-{language}.vtt", [(0, SECONDS, f"{kind} in {language}")])
        for kind, language in (("sub", "en"), ("sub", "de"), ("cc", "en"))
    ]
    sounds = [
        tone(pitch, folder / f"movie-{kind}.m4a", seconds=SECONDS)
        for kind, pitch in (("audio-fr", 300), ("ad-en", 500))
    ]
    return service.source(clip(seconds=SECONDS), *sounds, *texts, name="players")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def published(service: Service, source: Path) -> Published:
    """Name of the job → its folder; they run side by side."""
    folders = await asyncio.gather(*(run(service, source, processing) for processing in JOBS.values()))
    return dict(zip(JOBS, folders, strict=True))


async def run(service: Service, source: Path, processing: dict[str, Any]) -> Path:
    """The folder that a whole job has published to."""
    job = service.job(source, MediaMappings=MAPPINGS, Thumbnails=THUMBNAILS)
    job["ContentProcessing"] |= processing
    ended = await service.run(job)
    assert ended.status == "COMPLETED", ended.events[-1]
    return Path(job["ContentPublishing"]["UriPath"])


@pytest.mark.parametrize("job", JOBS)
def test_manifests_keep_to_the_standards_and_agree_with_the_files(job: str, published: Published) -> None:
    assert problems(published[job]) == []


@pytest.mark.parametrize(
    ("file", "change", "problem"),
    [
        ("drm/dash/manifest.mpd", ('bandwidth="', 'bitrate="'), "Representation lacks bandwidth"),
        ("drm/dash/manifest.mpd", ("PT8S", "PT9S"), "the title 9.0 s"),
        ("drm/dash/manifest.mpd", ("avc1.64000c", "avc1.64001f"), "does not describe"),
        ("drm/dash/manifest.mpd", (KID, KID[::-1]), "protection is told as"),
        ("drm/dash/manifest.mpd", (r"\$Number\$.m4s", "$Number$.mp4"), "segments are missing"),
        ("drm/hls/manifest.m3u8", ('AUDIO="audio"', 'AUDIO="sound"'), "streams use the groups"),
        ("drm/hls/manifest.m3u8", ('NAME="French"', 'NAME="English"'), "names that repeat"),
        ("drm/hls/manifest.m3u8", ("AUTOSELECT=YES,CHAR", "CHAR"), "devices may not choose: ['English (CC)']"),
        ("drm/hls/audio-en.m3u8", ("SAMPLE-AES", "NONE"), "its media is encrypted: True"),
        ("drm/hls/audio-en.m3u8", ("TARGETDURATION:", "TARGETDURATION:-"), "target duration"),
        ("demand/manifest.mpd", ("PT8S", "PT9S"), "lasts 8.0 s, the title 9.0 s"),
        ("demand/manifest.mpd", (r'range="0-(\d+)', r'range="0-1\1'), "is initialized by"),
        ("demand/manifest.mpd", (r'indexRange="(\d+)-(\d+)', r'indexRange="\1-\g<2>0'), "has the indices"),
        ("demand/manifest.mpd", ('timescale="12800"', 'timescale="25"'), "has a timescale of 12800"),
        ("demand/manifest.mpd", (r'bandwidth="\d', 'bandwidth="'), "on average, more than its bandwidth"),
        ("demand/manifest.mpd", (r"(?s)<SegmentBase.*?</SegmentBase>", ""), "has no SegmentBase"),
    ],
)
def test_what_does_not_is_noticed(
    file: str, change: tuple[str, str], problem: str, published: Published, tmp_path: Path
) -> None:
    job, _, name = file.partition("/")
    manifest = Path(shutil.copytree(published[job], tmp_path / "copy")) / name
    text, changes = re.subn(*change, manifest.read_text())
    assert changes
    manifest.write_text(text)
    assert any(problem in found for found in problems(tmp_path / "copy")), problems(tmp_path / "copy")


def test_an_index_that_does_not_fit_its_file_is_noticed(published: Published, tmp_path: Path) -> None:
    shutil.copytree(published["demand"], tmp_path / "copy")
    sound = tmp_path / "copy/audio-fr.mp4"
    content = bytearray(sound.read_bytes())
    content[content.index(b"sidx") + 28 + 3] ^= 1  # in the size of the first segment
    sound.write_bytes(content)
    found = problems(tmp_path / "copy")
    assert any("audio-fr.mp4 has no segment at" in text for text in found), found


@pytest.mark.parametrize(
    ("job", "manifest"), [("clear", "dash/manifest.mpd"), ("cmaf", "manifest.m3u8"), ("drm", "dash/manifest.mpd")]
)
@played
async def test_shaka_player_plays_every_track(job: str, manifest: str, published: Published, browser: Browser) -> None:
    await shaka_player_plays(browser, published[job], manifest, CLEAR_KEY if job == "drm" else None)


@played
async def test_hls_js_plays_every_track(published: Published, browser: Browser) -> None:
    await hls_js_plays(browser, published["clear"], "hls/manifest.m3u8")


@played
async def test_a_choice_waits_until_the_one_before_it_is_loaded(published: Published, browser: Browser) -> None:
    async with watching(browser, published["cmaf"]) as page:
        shaka = Shaka(page)
        await shaka.open("manifest.m3u8")
        assert await page.evaluate(CHOOSE_TWICE) == [False, True, False]
        await expect(shaka.buttons("Sound").nth(2)).to_have_attribute("aria-pressed", "true", timeout=PATIENCE)


@played
async def test_without_its_key_nothing_is_seen(published: Published, browser: Browser) -> None:
    async with watching(browser, published["drm"]) as page:
        await page.get_by_role("button", name="dash/manifest.mpd").click()
        await expect(page.get_by_role("alert")).to_contain_text("This cannot be played")
        assert await page.evaluate("video.videoHeight") == 0


@pytest.mark.parametrize("key", [None, CLEAR_KEY], ids=["clear", "encrypted"])
@pytest.mark.parametrize("output_format", get_args(OutputFormat))
@pytest.mark.slow
@played
async def test_every_format_plays(
    output_format: str, key: Key | None, service: Service, source: Path, browser: Browser
) -> None:
    folder = await run(service, source, {"OutputFormat": [output_format]} | (DRM if key else {}))
    assert problems(folder) == []
    for manifest in manifests(folder):
        await shaka_player_plays(browser, folder, manifest, key)
        if manifest.endswith(".m3u8"):
            await hls_js_plays(browser, folder, manifest, key)


async def shaka_player_plays(browser: Browser, folder: Path, manifest: str, key: Key | None = None) -> None:
    async with watching(browser, folder) as page:
        loaded = loads(page)
        shaka = Shaka(page)
        await shaka.open(manifest, key)
        await page.evaluate("video.pause()")
        videos, sounds, texts = [await shaka.tracks(kind) for kind in ("Video", "Audio", "Text")]
        assert [track["height"] for track in videos] == HEIGHTS
        assert {(track["label"], track["language"]) for track in sounds} == SOUNDS
        assert {track["label"] for track in texts} == TEXTS.keys()
        assert not [track for track in texts if track["active"]]  # text is for those who choose it
        for place, track in enumerate(videos):
            await shaka.choose("Video", place)
            await page.wait_for_function(f"video.videoHeight === {track['height']}")
        for place in range(len(sounds)):
            await shaka.choose("Sound", place)
        for place, track in enumerate(texts, 1):
            await shaka.choose("Text", place)
            await expect(page.locator(".shaka-text-container")).to_have_text(TEXTS[track["label"]], timeout=PATIENCE)
        assert len(await shaka.thumbnails()) == SECONDS
        assert abs(await watched(page) - SECONDS) < GAP
        assert not media(folder / manifest) - loaded


async def hls_js_plays(browser: Browser, folder: Path, manifest: str, key: Key | None = None) -> None:
    async with watching(browser, folder) as page:
        loaded = loads(page)
        await open_with_hls_js(page, manifest, key)
        assert await page.evaluate("hls.levels.map(level => level.height)") == HEIGHTS
        sounds = await page.evaluate("hls.audioTracks.map(track => [track.name, track.lang])")
        assert sorted(map(tuple, sounds)) == sorted(SOUNDS)
        texts = await page.evaluate("hls.subtitleTracks.map(track => track.name)")
        assert sorted(texts) == sorted(TEXTS)
        for place, height in enumerate(HEIGHTS):
            await choose_level(page, place, height)
        for place in range(len(sounds)):
            await choose_sound(page, place)
        for place, name in enumerate(texts):
            await choose_text(page, place, TEXTS[name])
        assert abs(await watched(page) - SECONDS) < GAP
        assert not media(folder / manifest) - loaded


def media(manifest: Path) -> set[str]:
    """Folders or files of every rendition beside a manifest, but those for scrubbing."""
    made = [path for path in manifest.parent.iterdir() if path.is_dir() or path.suffix == ".mp4"]
    return {path.name for path in made if path.name != "thumbnails"}


@played
async def test_a_job_is_found_by_its_id(
    published: Published, service: Service, temporal_server: TemporalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_server.address)
    ids = [folder.name for folder in service.events_folder.iterdir()]
    assert {await published_folder(id_) for id_ in ids} >= set(published.values())
