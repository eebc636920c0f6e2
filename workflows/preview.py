"""Plays a published folder in the browser of the person who asks: files and a player page, on this machine alone."""

import asyncio
import html
import json
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from activities.storage.content import content_type
from publishers.events import JobCreated
from publishers.roots import local_path
from workflows import client as jobs

PAGE = Path(__file__).with_suffix(".html")
MASTER = "#EXT-X-STREAM-INF"
"""A playlist with this tag is one to start with; others belong to it."""
LOCAL = ("127.0.0.1", "localhost")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class NothingToPlay(LookupError):
    """There is nothing to play, or not with this player. The text is for people."""


async def published_folder(id_: str) -> Path:
    """Where the job with this workflow id or JobId publishes to.

    Raises:
        UnknownJob: there is none.
        NothingToPlay: it has not started to, or that is no folder.
    """
    events = await jobs.events(await jobs.find(await jobs.connect(), id_))
    created = next((event.body for event in events if event.event_type == JobCreated.__name__), None)
    if not created:
        raise NothingToPlay(f"the job {id_} has not passed its checks; `encoding events {id_}` tells more")
    place = created["ContentPublishingUriPath"]
    if created["ContentPublishingProvider"] != "Files":
        raise NothingToPlay(f"the job {id_} published to {place}; copy that to a folder, and name the folder")
    return local_path(place)


def manifests(folder: Path) -> list[str]:
    """DASH manifests and HLS master playlists below a folder, by name.

    Raises:
        NothingToPlay: there are none.
    """
    if not folder.is_dir():
        raise NothingToPlay(f"{folder} is not a folder of this machine")
    try:
        found = sorted(str(path.relative_to(folder)) for path in _manifests(folder))
    except OSError as error:
        raise NothingToPlay(f"{error.filename} cannot be read: {error.strerror}") from None
    if found:
        return found
    raise NothingToPlay(f"{folder} holds no .mpd and no .m3u8 with {MASTER}; name the folder that a job published to")


def application(folder: Path, player: Path | None = None) -> web.Application:
    """The page at `/`, Shaka Player at `/player.js` if there is one, the folder's files below `/media/`."""

    @web.middleware
    async def local(request: web.Request, handler: Handler) -> web.StreamResponse:
        # Else a page from elsewhere, whose name suddenly means 127.0.0.1, could read the files.
        if request.url.host not in LOCAL:
            raise web.HTTPForbidden(text=f"ask for {' or '.join(LOCAL)}")
        response = await handler(request)
        response.headers["Cache-Control"] = "no-store"
        return response

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=_page(folder, player), content_type="text/html")

    async def script(_: web.Request) -> web.StreamResponse:
        if not player:
            raise web.HTTPNotFound
        return web.FileResponse(player, headers={"Content-Type": "text/javascript"})

    async def media(request: web.Request) -> web.StreamResponse:
        path = _inside(folder, request.match_info["name"])
        return web.FileResponse(path, headers={"Content-Type": content_type(path.name)})

    app = web.Application(middlewares=[local])
    app.add_routes([web.get("/", page), web.get("/player.js", script), web.get("/media/{name:.+}", media)])
    return app


def serve(folder: Path, player: Path | None, port: int, tell: Callable[[str], None]) -> None:
    """Answer on 127.0.0.1 until Ctrl-C. Port 0 is any free one; `tell` gets the address.

    Raises:
        NothingToPlay: there is none.
        OSError: the port cannot be used.
    """
    found = manifests(folder)
    if player and not player.is_file():
        raise NothingToPlay(f"{player} is not a file; name Shaka Player's dist/shaka-player.compiled.js")
    listening = socket.create_server((LOCAL[0], port))
    address = f"http://{LOCAL[0]}:{listening.getsockname()[1]} plays them; Ctrl-C ends"
    asyncio.run(_answered(application(folder, player), listening, lambda: tell("\n".join([*found, address]))))


async def _answered(app: web.Application, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Until somebody interrupts it, which counts from before `ready` is called."""
    stop, runner = asyncio.Event(), web.AppRunner(app, access_log=None, shutdown_timeout=1)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        ready()
        await stop.wait()
    finally:
        await runner.cleanup()


def _manifests(folder: Path) -> Iterator[Path]:
    yield from filter(Path.is_file, folder.rglob("*.mpd"))
    for path in filter(Path.is_file, folder.rglob("*.m3u8")):
        with path.open(encoding="utf-8", errors="replace") as file:
            if any(line.startswith(MASTER) for line in file):
                yield path


def _page(folder: Path, player: Path | None) -> str:
    names = {name: quote(f"media/{name}") for name in manifests(folder)}
    values = {
        "TITLE": html.escape(str(folder)),
        "PLAYER": '<script src="player.js"></script>' if player else "",
        # A name must not end the script that it stands in.
        "MANIFESTS": json.dumps(names).replace("<", "\\u003c"),
    }
    text = PAGE.read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"%{name}%", value)
    return text


def _inside(folder: Path, name: str) -> Path:
    """The file of that name, wherever links and `..` lead: not out of the folder."""
    with suppress(ValueError, OSError):  # a zero byte, a name that no disk takes
        path = Path(os.path.realpath(folder / name))
        if path.is_relative_to(os.path.realpath(folder)) and path.is_file():
            return path
    raise web.HTTPNotFound
