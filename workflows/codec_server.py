"""Lets the Temporal UI show encrypted payloads: the person's browser asks this server to decode them."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from google.protobuf.json_format import MessageToDict, Parse, ParseError
from temporalio.api.common.v1 import Payload, Payloads

from workflows.codec import Encryption, MissingKey

MAX_BYTES = 8_000_000
"""Of a request: the UI asks for a page of payloads at once."""
ALLOWED = {"Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": "content-type,x-namespace"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(codec: Encryption, origin: str) -> web.Application:
    """Temporal's codec protocol: `POST /decode` and `POST /encode`, for pages from `origin` alone."""
    origin = origin.rstrip("/")  # as an address bar has it

    @web.middleware
    async def for_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
        # A browser sends Origin; whoever can send without one can read the key files as well.
        if request.headers.get("Origin", origin) != origin:
            raise web.HTTPForbidden(text=f"only pages from {origin} may ask")
        return web.Response() if request.method == "OPTIONS" else await handler(request)

    async def allow(_: web.Request, response: web.StreamResponse) -> None:
        # On refusals, too: a browser hides the text of an answer without these.
        response.headers.update(ALLOWED | {"Access-Control-Allow-Origin": origin, "Vary": "Origin"})

    async def decode(request: web.Request) -> web.Response:
        try:
            return _answer(await codec.decode((await _payloads(request)).payloads))
        except MissingKey as error:
            raise web.HTTPUnprocessableEntity(text=str(error)) from None

    async def encode(request: web.Request) -> web.Response:
        return _answer(await codec.encode((await _payloads(request)).payloads))

    app = web.Application(middlewares=[for_origin], client_max_size=MAX_BYTES)
    app.on_response_prepare.append(allow)
    app.add_routes([web.post("/decode", decode), web.post("/encode", encode)])
    app.add_routes([web.options(path, decode) for path in ("/decode", "/encode")])
    return app


async def _payloads(request: web.Request) -> Payloads:
    try:
        return Parse(await request.read(), Payloads())
    except (ParseError, UnicodeDecodeError):
        raise web.HTTPBadRequest(text="the body must be JSON: {payloads: [{metadata, data}]}") from None


def _answer(payloads: list[Payload]) -> web.Response:
    return web.json_response(MessageToDict(Payloads(payloads=payloads)))


def serve(codec: Encryption, port: int, origin: str) -> None:
    """Answer on 127.0.0.1 until Ctrl-C."""
    web.run_app(application(codec, origin), host="127.0.0.1", port=port, print=None)
