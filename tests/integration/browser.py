"""Plays published folders in Chromium, with Shaka Player on the page of `encoding preview`.

Codecs that Chromium lacks (HEVC, AC-3) and the DRM systems of vendors cannot be played here.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from aiohttp import web
from playwright.async_api import Browser, Locator, Page, async_playwright, expect
from yarl import URL

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
GAP = 0.1
"""Seconds between two buffered ranges that a player may jump over unseen."""
PATIENCE = 60_000
"""Milliseconds; a machine may be busy."""
# Played at its start, over its middle and up to its end; play() is not awaited, as it never returns on errors.
# Stopped first: a title that ends by itself between two of the lines would stay where it was sought to.
WATCH = """async () => {
  const video = document.querySelector("video");
  const until = test => new Promise((done, fail) => {
    const ask = setInterval(() => {
      const error = video.error || window.fatal;
      if (error || test()) { clearInterval(ask); error ? fail(error.message || error) : done(); }
    }, 20);
  });
  video.muted = true;
  video.loop = false;
  video.pause();
  video.currentTime = 0;
  await until(() => !video.seeking);
  video.play().catch(error => { window.fatal = String(error); });
  await until(() => video.currentTime > 0.2);
  video.currentTime = video.duration / 2 - 0.2;
  await until(() => video.currentTime > video.duration / 2 + 0.2);
  video.currentTime = video.duration - 0.5;
  await until(() => video.ended);
  const ranges = [...Array(video.buffered.length).keys()].map(n => [video.buffered.start(n), video.buffered.end(n)]);
  return { duration: video.duration, time: video.currentTime, ranges, sound: video.webkitAudioDecodedByteCount };
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

    def buttons(self, title: str) -> Locator:
        """Those below `Video`, `Sound` or `Text`, which comes first with the one for none."""
        return self.page.locator("#tracks > div", has_text=re.compile(rf"^{title} \(")).get_by_role("button")

    async def choose(self, title: str, place: int) -> None:
        """Returns when it is chosen, before it is loaded."""
        button = self.buttons(title).nth(place)
        await button.click()
        await expect(button).to_have_attribute("aria-pressed", "true", timeout=PATIENCE)

    async def thumbnails(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.page.evaluate("player.getAllThumbnails(player.getImageTracks()[0].id)")
        return found


def loads(page: Page) -> set[str]:
    """Every part of the path of what the page has loaded from now on; it grows."""
    loaded: set[str] = set()
    page.on("requestfinished", lambda request: loaded.update(URL(request.url).parts))
    return loaded


async def watched(page: Page) -> float:
    """Start, seek twice, play to the end, with sound and without a gap. Returns the duration in seconds."""
    seen = await asyncio.wait_for(page.evaluate(WATCH), PATIENCE / 1000)
    assert abs(seen["time"] - seen["duration"]) < GAP
    gaps = [after[0] - before[1] for before, after in pairwise(seen["ranges"])]
    assert [gap for gap in gaps if gap > GAP] == []
    assert seen["sound"] > 0
    return float(seen["duration"])
