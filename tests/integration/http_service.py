"""A service that the tests of `mlmetrics.http` run under uvicorn.

With `TRACED=outside` or `TRACED=inside` every request has an OpenTelemetry span, begun by
middleware on that side of ours.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from typing import Any

from fastapi import BackgroundTasks, FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from mlmetrics import instrument, metrics_endpoint

TRACED = os.environ.get("TRACED")
PAUSE_SECONDS = 0.02

logging.basicConfig()  # events are logged only if the program configures logging
app = FastAPI()


class Tracing:
    """Begin a span for every request."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._tracer = trace.get_tracer("tests")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request within its span."""
        with self._tracer.start_as_current_span("request"):
            await self._app(scope, receive, send)


if TRACED:
    trace.set_tracer_provider(TracerProvider())
if TRACED == "inside":
    app.add_middleware(Tracing)
instrument(app, service_name="served")


@app.get("/text")
async def text() -> Any:
    """Answer every scraper with the text format."""
    return await metrics_endpoint()


@app.get("/items/{item}")
async def item(item: str) -> str:
    """Succeed."""
    return item


@app.get("/waits")
async def waits(request: Request) -> str:
    """Work until the client has left."""
    while not await request.is_disconnected():  # noqa: ASYNC110 (there is nothing to wait for)
        await asyncio.sleep(PAUSE_SECONDS)
    return "for nobody"


@app.get("/endless")
async def endless() -> StreamingResponse:
    """Stream until the client has left."""

    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield b"token "
            await asyncio.sleep(PAUSE_SECONDS)

    return StreamingResponse(chunks())


@app.get("/breaks")
async def breaks() -> StreamingResponse:
    """Raise in the middle of a response."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"half"
        raise ZeroDivisionError

    return StreamingResponse(chunks())


@app.get("/raises")
async def raises() -> None:
    """Raise before any response."""
    raise ZeroDivisionError


@app.get("/background")
async def background(tasks: BackgroundTasks) -> None:
    """Go on for a second after the response."""
    tasks.add_task(asyncio.sleep, 1)


@app.websocket("/live")
async def live(websocket: WebSocket) -> None:
    """Say one word."""
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()


if TRACED == "outside":
    app = Tracing(app)  # type: ignore[assignment]  # `instrument` is around all that is added to the application
