"""Plays published folders in Chromium: Shaka Player on the page of `encoding preview`, and hls.js on a page of ours.

Codecs that Chromium lacks (HEVC, AC-3) and the DRM systems of vendors cannot be played here.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from aiohttp import web
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.servers.environment import SERVERS
from workflows.preview import application

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]
MODULES = SERVERS.parent / "node/node_modules"
SHAKA = MODULES / "shaka-player/dist/shaka-player.compiled.js"
HLS_JS = MODULES / "hls.js/dist/hls.min.js"
GAP = 0.1
"""Seconds between two buffered ranges that a player may jump over unseen."""
PATIENCE = 60_000
"""Milliseconds; a machine may be busy."""
# Played from its start, then near its end up to the end; video.play() is not awaited, as it never returns on errors.
WATCH = """async () => {
  const video = document.querySelector("video");
  const until = test => new Promise((done, fail) => {
    const ask = setInterval(() => {
      const error = video.error || window.fatal;
      if (error || test()) { clearInterval(ask); error ? fail(error.message || error) : done(); }
    }, 20);
  });
  video.muted = true;
  video.play().catch(error => { window.fatal = String(error); });
  await until(() => video.currentTime > 0.3);
  const size = [video.videoWidth, video.videoHeight];
  video.currentTime = video.duration * 0.8;
  await until(() => video.ended);
  const ranges = [...Array(video.buffered.length).keys()].map(n => [video.buffered.start(n), video.buffered.end(n)]);
  return { duration: video.duration, time: video.currentTime, size, ranges };
}"""
HLS_PAGE = """async ([address, level]) => {
  const hls = window.hls = new Hls();
  hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal) window.fatal = `${data.details} ${data.error}`; });
  hls.loadSource(address);
  hls.attachMedia(document.querySelector("video"));
  await new Promise(done => hls.once(Hls.Events.MANIFEST_PARSED, done));
  hls.loadLevel = level;
}"""


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser inside the block."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@asynccontextmanager
async def previewed(folder: Path, player: Path | None = SHAKA) -> AsyncIterator[str]:
    """The preview of a folder inside the block; yields its address."""
    runner = web.AppRunner(application(folder, player))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def watching(browser: Browser, folder: Path, player: Path | None = SHAKA) -> AsyncIterator[Page]:
    """The page of the preview; at the end of the block it must have had no error, in script or network."""
    problems: list[str] = []
    async with previewed(folder, player) as address:
        page = await browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("requestfailed", lambda request: problems.append(f"{request.url}: {request.failure}"))
        page.on("response", lambda answer: problems.extend([] if answer.ok else [f"{answer.url}: {answer.status}"]))
        await page.goto(address)
        yield page
        await page.close()
    # A player aborts what a switch has made useless.
    assert not [problem for problem in problems if "ERR_ABORTED" not in problem]


class Shaka:
    """The preview with a manifest open."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def open(self, manifest: str, key: tuple[str, str] | None = None) -> None:
        """With the id and the key of what is encrypted, both in hex."""
        if key:
            await self.page.get_by_text("Encrypted?").click()
            await self.page.fill("#key-id", key[0])
            await self.page.fill("#key", key[1])
        await self.page.get_by_role("button", name=manifest, exact=True).click()
        await expect(self.page.get_by_text("Sound (")).to_be_visible(timeout=PATIENCE)
        await expect(self.page.locator("#message")).to_be_empty()

    async def tracks(self, kind: str) -> list[dict[str, Any]]:
        """`Video`, `Audio`, `Text`, `Image` or `Variant`."""
        tracks: list[dict[str, Any]] = await self.page.evaluate(f"player.get{kind}Tracks()")
        return tracks

    async def select(self, kind: str, place: int) -> None:
        """One of `tracks(kind)`; returns when it is active."""
        chosen = f"player.get{kind}Tracks()[{place}]"
        await self.page.evaluate(
            "player.configure('abr.enabled', false);"
            f"player.select{kind}Track({chosen}{', true' if kind == 'Video' else ''})"
        )
        await self.page.wait_for_function(f"{chosen}.active")

    async def thumbnails(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.page.evaluate("player.getAllThumbnails(player.getImageTracks()[0].id)")
        return found

    async def watch(self) -> dict[str, Any]:
        return await watched(self.page)


async def watched(page: Page) -> dict[str, Any]:
    """Start, seek to 80 %, play to the end. Returns duration, time, size of the first picture, buffered ranges."""
    seen: dict[str, Any] = await asyncio.wait_for(page.evaluate(WATCH), PATIENCE / 1000)
    assert abs(seen["time"] - seen["duration"]) < GAP
    return seen


def gaps(ranges: list[list[float]]) -> list[float]:
    """Seconds that are missing between what is buffered."""
    return [after[0] - before[1] for before, after in pairwise(ranges)]


async def open_with_hls_js(page: Page, manifest: str, level: int) -> None:
    """On a page of the same server without anything but the player; `level` is the only one that it is to take."""
    await page.set_content("<video></video>")
    await page.add_script_tag(path=HLS_JS)
    await page.evaluate(HLS_PAGE, [f"{page.url}media/{manifest}", level])
