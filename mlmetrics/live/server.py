"""The Starlette application of the live page: the page, its layout, its events and its files."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from socket import socket

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from mlmetrics.live.assets import Assets, takes_gzip
from mlmetrics.live.feed import Feed, TooManyViews, View
from mlmetrics.live.guard import Guard, check_reach
from mlmetrics.live.page import render
from mlmetrics.live.stream import Compressor, EventStream

_LEVEL = 5
LEFT_SECONDS = 1.0
"""How long a viewer may take for the rest of an answer when the server ends."""
LONGEST_NAME = 1000
"""A service or model with a longer name is not one that a link of the page has."""


def create_app(feed: Feed, *, host: str = "127.0.0.1", token: str = "") -> Starlette:
    """Return the application that shows a feed, and reads its targets while it runs.

    Args:
        feed: Computes the numbers.
        host: The address that the server listens on. On loopback, only names of loopback are answered.
        token: What viewers have to know; needed where `host` is not of loopback.

    Raises:
        ConfigurationError: The host can be reached from other machines, and there is no token.
    """
    check_reach(host, token)
    site = _Site(feed)
    routes = [
        Route("/", site.page),
        Route("/layout", site.layout),
        Route("/events", site.events),
        Route("/static/{version}/{name}", site.assets.serve),
    ]

    @asynccontextmanager
    async def read(_: Starlette) -> AsyncIterator[None]:
        async with feed:
            yield

    guard = Middleware(Guard, host=host, token=token)
    return Starlette(routes=routes, middleware=[guard], exception_handlers={TooManyViews: _refuse}, lifespan=read)


class LiveServer(uvicorn.Server):
    """The server, which ends the feed before it stops: it would wait for its streams, which have no end."""

    def __init__(self, config: uvicorn.Config, feed: Feed) -> None:
        super().__init__(config)
        self._feed = feed

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Stop to listen, end all streams, and wait for what is still answered."""
        ending = asyncio.create_task(self._feed.stop())  # begins once nothing new can be asked for
        dropping = asyncio.get_running_loop().call_later(LEFT_SECONDS, self._drop_viewers)
        await super().shutdown(sockets)
        dropping.cancel()
        await ending

    def _drop_viewers(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()


class _Site:
    """The endpoints over one feed."""

    def __init__(self, feed: Feed) -> None:
        self.assets = Assets()
        self._feed = feed
        self._compressor = Compressor()

    async def page(self, request: Request) -> Response:
        """Answer with the page, whose tiles stand where they will be."""
        view = _view(request)
        html = render(json.loads(await self._feed.layout(view)), view, self.assets).encode()
        headers = {"cache-control": "no-store", "vary": "accept-encoding"}
        if not takes_gzip(request):
            return HTMLResponse(html, headers=headers)
        return HTMLResponse(gzip.compress(html, _LEVEL), headers=headers | {"content-encoding": "gzip"})

    async def layout(self, request: Request) -> Response:
        """Answer with the declarations of the tiles."""
        layout = await self._feed.layout(_view(request))
        return Response(layout, headers={"cache-control": "no-store"}, media_type="application/json")

    async def events(self, request: Request) -> EventStream:
        """Answer with the events of a view."""
        return EventStream(self._feed, _view(request), self._compressor if takes_gzip(request) else None)


def _refuse(_: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", 503, {"cache-control": "no-store"})


def _view(request: Request) -> View:
    service, model = (request.query_params.get(name, "") for name in ("service", "model"))
    return View(service[:LONGEST_NAME], model[:LONGEST_NAME])
