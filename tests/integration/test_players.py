"""Whole jobs, played in Chromium by two players and held against the standards."""

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from activities.processing import OutputFormat
from tests.clips import Clips, tone, vtt_file
from tests.integration.browser import GAP, Shaka, chromium, gaps, open_with_hls_js, watched, watching
from tests.integration.conformance import problems
from tests.integration.service import Service
from tests.servers.temporal import TemporalServer
from workflows.preview import manifests, published_folder

played = pytest.mark.asyncio(loop_scope="module")
"""In the loop of the browser. What plays is slow: on two busy cores Chromium takes its time, and can stall."""

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
}
MAPPINGS = {
    "VideoStreamExpression": r"movie\.mp4$",
    "AudioFileLanguageExpression": r"-audio-(?<lang>\w+)\.m4a$",
    "DescriptiveAudioFileLanguageExpression": r"-ad-(?<lang>\w+)\.m4a$",
    "SubtitleFileLanguageExpression": r"-sub-(?<lang>\w+)\.vtt$",
    "CaptionFileLanguageExpression": r"-cc-(?<lang>\w+)\.vtt$",
}
SECONDS = 4
THUMBNAILS = {"Generate": True, "DurationInSeconds": 1}
Published = dict[str, Path]


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
        ("dash/manifest.mpd", ('bandwidth="', 'bitrate="'), "Representation lacks bandwidth"),
        ("dash/manifest.mpd", ("PT4S", "PT5S"), "the title 5.0 s"),
        ("dash/manifest.mpd", ("avc1.64000c", "avc1.64001f"), "does not describe"),
        ("dash/manifest.mpd", (f"{KID}", f"{KID[::-1]}"), "protection is told as"),
        ("dash/manifest.mpd", ("$Number$.m4s", "$Number$.mp4"), "segments are missing"),
        ("hls/manifest.m3u8", ('AUDIO="audio"', 'AUDIO="sound"'), "streams use the groups"),
        ("hls/manifest.m3u8", ('NAME="French"', 'NAME="English"'), "names repeat"),
        ("hls/audio-en.m3u8", ("SAMPLE-AES", "NONE"), "its media is encrypted: True"),
        ("hls/audio-en.m3u8", ("TARGETDURATION:", "TARGETDURATION:-"), "target duration"),
    ],
)
def test_what_does_not_is_noticed(
    file: str, change: tuple[str, str], problem: str, published: Published, tmp_path: Path
) -> None:
    shutil.copytree(published["drm"], tmp_path / "copy")
    manifest = tmp_path / "copy" / file
    text = manifest.read_text()
    assert change[0] in text
    manifest.write_text(text.replace(*change))
    assert any(problem in found for found in problems(tmp_path / "copy")), problems(tmp_path / "copy")


@pytest.mark.parametrize(
    ("job", "manifest"),
    [
        ("clear", "dash/manifest.mpd"),
        ("clear", "hls/manifest.m3u8"),
        ("cmaf", "manifest.mpd"),
        ("drm", "dash/manifest.mpd"),
        ("drm", "hls/manifest.m3u8"),
    ],
)
@pytest.mark.slow
@played
async def test_shaka_player_plays_every_track(job: str, manifest: str, published: Published, browser: Browser) -> None:
    await plays_every_track(browser, published[job], manifest, CLEAR_KEY if job == "drm" else None)


async def plays_every_track(browser: Browser, folder: Path, manifest: str, key: tuple[str, str] | None) -> None:
    async with watching(browser, folder) as page:
        shaka = Shaka(page)
        await shaka.open(manifest, key)
        videos, sounds, texts = [await shaka.tracks(kind) for kind in ("Video", "Audio", "Text")]
        assert [track["height"] for track in videos] == [90, 180]
        assert {track["label"] for track in sounds} == {"English", "French", "English (AD)"}
        assert {track["language"] for track in sounds} == {"en", "fr"}
        assert {track["label"] for track in texts} == {"English", "German", "English (CC)"}
        assert not [track for track in texts if track["active"]]  # text is for those who choose it
        for place, track in enumerate(videos):
            await shaka.select("Video", place)
            await page.wait_for_function(f"document.querySelector('video').videoHeight === {track['height']}")
        for place in range(len(sounds)):
            await shaka.select("Audio", place)
        assert len(await shaka.thumbnails()) == SECONDS
        seen = await watched(page)
        assert abs(seen["duration"] - SECONDS) < GAP
        assert [gap for gap in gaps(seen["ranges"]) if gap > GAP] == []


@pytest.mark.slow
@played
async def test_the_text_that_is_chosen_is_shown(published: Published, browser: Browser) -> None:
    async with watching(browser, published["cmaf"]) as page:
        await Shaka(page).open("manifest.mpd")
        for label, text in (("German · de", "sub in de"), ("English (CC) · en", "cc in en")):
            await page.get_by_role("button", name=label).click()
            await expect(page.locator(".shaka-text-container")).to_have_text(text)


@pytest.mark.slow
@played
async def test_without_its_key_nothing_is_seen(published: Published, browser: Browser) -> None:
    async with watching(browser, published["drm"]) as page:
        await page.get_by_role("button", name="dash/manifest.mpd").click()
        await expect(page.get_by_role("alert")).to_contain_text("This cannot be played")
        assert await page.evaluate("document.querySelector('video').videoHeight") == 0


@pytest.mark.parametrize(("level", "height"), [(0, 90), (1, 180)])
@pytest.mark.slow
@played
async def test_hls_js_plays_every_level(level: int, height: int, published: Published, browser: Browser) -> None:
    async with watching(browser, published["cmaf"]) as page:
        await open_with_hls_js(page, "manifest.m3u8", level)
        assert await page.evaluate("hls.levels.map(level => level.height)") == [90, 180]
        assert await page.evaluate("hls.audioTracks.map(track => track.name)") == ["English", "French", "English (AD)"]
        assert await page.evaluate("hls.subtitleTracks.map(t => t.name)") == ["German", "English", "English (CC)"]
        await page.evaluate("hls.audioTrack = 1")
        seen = await watched(page)
        assert seen["size"][1] == height
        assert await page.evaluate("hls.audioTracks[hls.audioTrack].name") == "French"
        assert [gap for gap in gaps(seen["ranges"]) if gap > GAP] == []


@played
async def test_a_job_is_found_by_its_id(
    published: Published, service: Service, temporal_server: TemporalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_server.address)
    ids = [folder.name for folder in service.events_folder.iterdir()]
    assert {await published_folder(id_) for id_ in ids} >= set(published.values())


@pytest.mark.parametrize("key", [None, CLEAR_KEY], ids=["clear", "encrypted"])
@pytest.mark.parametrize("output_format", get_args(OutputFormat))
@pytest.mark.slow
@played
async def test_every_format_plays(
    output_format: str, key: tuple[str, str] | None, service: Service, source: Path, browser: Browser
) -> None:
    folder = await run(service, source, {"OutputFormat": [output_format]} | (DRM if key else {}))
    assert problems(folder) == []
    for manifest in manifests(folder):
        await plays_every_track(browser, folder, manifest, key)
        if manifest.endswith(".m3u8") and not key:  # hls.js has no keys but those of a licence server
            async with watching(browser, folder) as page:
                await open_with_hls_js(page, manifest, 0)
                await watched(page)
