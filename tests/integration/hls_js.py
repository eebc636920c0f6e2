"""Plays published HLS with hls.js in Chromium, on a page without anything else.

hls.js 1.7 has ClearKey only where a playlist names it, as none for the vendors' systems does. So it takes Widevine's
place here: for the id in the playlist it is asked for the key, and a route of the test answers as a licence server.
"""

import base64
import json
import uuid

from playwright.async_api import Page

from tests.integration.browser import MODULES

HLS_JS = MODULES / "hls.js/dist/hls.min.js"
LICENSE = "/license"
OPEN = """async ([address, license, request]) => {
  const drmSystems = { "com.widevine.alpha": { licenseUrl: license, generateRequest: () => (
    { initDataType: "keyids", initData: new TextEncoder().encode(request).buffer }) } };
  const requestMediaKeySystemAccessFunc = (_, told) => navigator.requestMediaKeySystemAccess("org.w3.clearkey",
    told.map(each => ({ ...each, initDataTypes: ["keyids"] })));
  window.hls = new Hls(request ? { emeEnabled: true, drmSystems, requestMediaKeySystemAccessFunc } : {});
  hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal) window.fatal = `${data.details} ${data.error}`; });
  hls.loadSource(address);
  const video = document.querySelector("video");
  hls.attachMedia(video);
  await new Promise(done => hls.once(Hls.Events.MANIFEST_PARSED, done));
  // What is chosen is seen while it plays, however long choosing takes.
  video.loop = true;
  video.play().catch(error => { window.fatal = String(error); });
}"""
CHOOSE_SOUND = """place => new Promise(done => {
  hls.on(Hls.Events.FRAG_BUFFERED, (_, { frag }) => { if (frag.type === "audio") done(); });
  if (hls.audioTrack === place) done();
  hls.audioTrack = place;
})"""
SHOWS = """text => text === [...hls.media.textTracks].filter(track => track.mode === "showing")
  .flatMap(track => [...track.activeCues].map(cue => cue.text)).join()"""


async def open_with_hls_js(page: Page, manifest: str, key: tuple[str, str] | None = None) -> None:
    """On a page of the server that has the manifest; with the id and the key of what is encrypted, both in hex."""
    request = ""
    if key:
        kid, value = _base64(uuid.UUID(key[0]).bytes), _base64(bytes.fromhex(key[1]))
        request = json.dumps({"kids": [kid]})
        answer = json.dumps({"keys": [{"kty": "oct", "kid": kid, "k": value}]})
        await page.route(f"**{LICENSE}", lambda route: route.fulfill(body=answer))
    await page.set_content("<video muted></video>")
    await page.add_script_tag(path=HLS_JS)
    await page.evaluate(OPEN, [f"{page.url}media/{manifest}", LICENSE, request])
    # Of a level that is chosen before it has buffers, hls.js appends nothing, and goes back to one of its own choice.
    await page.wait_for_function("hls.media.videoHeight > 0")


async def choose_level(page: Page, place: int, height: int) -> None:
    """One of `hls.levels`; returns when it is seen."""
    await page.evaluate(f"hls.currentLevel = {place}")
    await page.wait_for_function(f"hls.media.videoHeight === {height}")


async def choose_sound(page: Page, place: int) -> None:
    """One of `hls.audioTracks`; returns when some of it is loaded."""
    await page.evaluate(CHOOSE_SOUND, place)


async def choose_text(page: Page, place: int, shows: str) -> None:
    """One of `hls.subtitleTracks`; returns when the browser shows these words, and no others."""
    await page.evaluate(f"hls.subtitleDisplay = true; hls.subtitleTrack = {place}")
    await page.wait_for_function(SHOWS, arg=shows)


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
