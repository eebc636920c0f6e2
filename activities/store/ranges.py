"""Sources in the bucket, served to this worker's own tools part by part: no film is fetched as a whole.

The tools take addresses as arguments, which others on the machine can see. Such an address leads to one file, for the
time of one activity, on this machine alone, and says nothing of the bucket or its credentials.
"""

import asyncio
import re
import secrets
import socket
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager

from aiohttp import web

from activities.media.allowed import Served
from activities.storage.base import Entry, Source, Span, StorageError
from activities.storage.download import received
from activities.storage.threads import stoppable

BLOCK = 1 << 20
MOST_BLOCKS = 4
"""Of one request to the bucket; the first has one, each that follows upon it twice as many."""
REMEMBERED = 48
"""Blocks of all files of an activity: picture and sound may lie far from each other, and are read in turns."""
IN_FLIGHT = 1 << 16
"""Bytes on their way to a tool."""
RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{0,18})")
HOST = "127.0.0.1"


class Blocks:
    """One file of a source, read in blocks ahead of who reads it.

    Args:
        memory: the last blocks of this and other files.
    """

    def __init__(self, source: Source, entry: Entry, memory: "OrderedDict[tuple[str, int], bytes]") -> None:
        self.size = entry.size
        self.failure: StorageError | None = None
        self._source = source
        self._entry = entry
        self._memory = memory

    async def stream(self, span: Span) -> AsyncGenerator[bytes, None]:
        """The bytes of `span`, the next ones on their way meanwhile.

        Raises:
            StorageError: they cannot be had.
        """
        at, count, ahead = span.start // BLOCK, 1, None
        last = -(-span.end // BLOCK)
        try:
            while at < last:
                blocks = await (ahead or self._run(at, min(count, last - at)))
                after, count = at + len(blocks), min(2 * count, MOST_BLOCKS)
                # The first answer may be all that is wanted.
                reads_on = at * BLOCK > span.start and after < last
                ahead = asyncio.create_task(self._run(after, min(count, last - after))) if reads_on else None
                for number, block in enumerate(blocks, at):
                    yield block[max(0, span.start - number * BLOCK) : span.end - number * BLOCK]
                at = after
        finally:
            if ahead:
                ahead.cancel()
                await asyncio.wait([ahead])

    async def _run(self, first: int, count: int) -> list[bytes]:
        """`count` blocks at most, at least one: those that are remembered up to the first that is not, or new ones."""
        if known := self._remembered(first, count):
            return known
        span = Span(first * BLOCK, min((first + count) * BLOCK, self.size))
        try:
            data = await stoppable(lambda stop: b"".join(map(bytes, received(self._source, self._entry, span, stop))))
        except StorageError as error:
            self.failure = self.failure or error
            raise
        blocks = [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)]
        self._memory.update({(self._entry.name, number): block for number, block in enumerate(blocks, first)})
        while len(self._memory) > REMEMBERED:
            self._memory.popitem(last=False)
        return blocks

    def _remembered(self, first: int, count: int) -> list[bytes]:
        found = []
        for place in ((self._entry.name, number) for number in range(first, first + count)):
            if place not in self._memory:
                break
            self._memory.move_to_end(place)
            found.append(self._memory[place])
        return found


@asynccontextmanager
async def served(files: Mapping[str, Blocks]) -> AsyncIterator[dict[str, Served]]:
    """Serve files inside the block; gives the address of each under its key."""
    if not files:
        yield {}
        return
    paths = {key: f"/{secrets.token_urlsafe(24)}" for key in files}
    by_path = {paths[key]: blocks for key, blocks in files.items()}
    runner = web.ServerRunner(web.Server(_Answers(by_path), access_log=None), shutdown_timeout=0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        port = runner.addresses[0][1]
        yield {key: Served(f"http://{HOST}:{port}{path}") for key, path in paths.items()}
    finally:
        await runner.cleanup()


class _Answers:
    """GET and HEAD, with a range or without."""

    def __init__(self, files: Mapping[str, Blocks]) -> None:
        self._files = files

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        blocks = self._files.get(request.path)
        if not blocks or request.method not in ("GET", "HEAD"):
            return web.Response(status=404)
        asked = RANGE.fullmatch(request.headers.get("Range", ""))
        span = _span(asked, blocks.size)
        if not span.size and blocks.size:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{blocks.size}"})
        headers = {"Accept-Ranges": "bytes", "Content-Length": str(span.size)}
        if asked:
            headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{blocks.size}"
        response = web.StreamResponse(status=206 if asked else 200, headers=headers)
        if request.transport:  # what waits in the system's buffers was fetched for nothing, if the reader turns away
            request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, IN_FLIGHT)
        await response.prepare(request)
        if request.method == "GET":
            await _send(request, response, blocks, span)
        return response


def _span(asked: "re.Match[str] | None", size: int) -> Span:
    if not asked:
        return Span(0, size)
    end = min(int(asked[2]) + 1, size) if asked[2] else size
    return Span(min(int(asked[1]), end), end)


async def _send(request: web.BaseRequest, response: web.StreamResponse, blocks: Blocks, span: Span) -> None:
    try:
        async with aclosing(blocks.stream(span)) as stream:
            async for data in stream:
                await response.write(data)
    except StorageError:
        # A tool must see that bytes are missing; what happened is told by `Blocks.failure`.
        if request.transport:
            request.transport.abort()
    except ConnectionError:
        pass  # it has read enough, and gone
