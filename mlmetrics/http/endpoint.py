"""The metrics as the response of a route, and as an ASGI application to mount."""

from typing import TYPE_CHECKING, Any

from prometheus_client import REGISTRY, CollectorRegistry

from mlmetrics.http.answer import Answer, Published, answer_in_thread, answer_scope, scraping
from mlmetrics.http.scrape import Scrape
from mlmetrics.http.token import File
from mlmetrics.recording.collector import store_for

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def metrics_endpoint(
    request: "Request | None" = None, *, registry: CollectorRegistry = REGISTRY, gzip: bool = True
) -> "Response":
    """Answer a scrape in your own route, outside the event loop.

    Args:
        request: the request, whose headers decide format and compression. If it is left out, the one that
            `PrometheusMiddleware` has seen is used; without the middleware, the answer is text 0.0.4.
        registry: the registry to write.
        gzip: whether the answer may be compressed.
    """
    scope = scraping.get() if request is None else request.scope
    scrape = Published(registry, gzip).scrape(Scrape() if scope is None else Scrape.of_scope(scope))
    return response_of(await answer_in_thread(scrape, registry))


def response_of(answer: Answer) -> "Response":
    """Return an answer as Starlette's response."""
    from starlette.responses import Response  # noqa: PLC0415 (who has a route has Starlette; others do not need it)

    return Response(answer.body, answer.status, dict(answer.headers))


def metrics_app(
    registry: CollectorRegistry = REGISTRY,
    *,
    token: str | None = None,
    token_file: File | None = None,
    gzip: bool = True,
) -> Any:
    """Return an ASGI application that answers with the metrics, to mount or to serve by itself.

    It needs no framework. If it is mounted at `/metrics`, Starlette redirects `/metrics` to `/metrics/`
    with a 307; `instrument` adds an exact route instead.

    Args:
        registry: the registry to write.
        token: the bearer token that a scraper must show; everybody gets the metrics if there is none.
        token_file: a file with the token alone, read at each scrape. If it cannot be read later, the last token stays.
        gzip: whether answers may be compressed.

    Raises:
        ConfigurationError: the token file cannot be read, or what was given is no token.
        RegistrationError: the registry already has other metrics with names of the catalogue.
    """
    published = Published.of(registry, gzip=gzip, token=token, token_file=token_file)
    store_for(registry)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await live(receive, send)
        elif scope["type"] == "http":
            await give(await answer_scope(scope, published), send, head=scope["method"] == "HEAD")
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    return app


async def live(receive: Any, send: Any) -> None:
    """Answer a server's start-up and shut-down messages; nothing else is done."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def give(answer: Answer, send: Any, *, head: bool) -> None:
    """Send an answer as ASGI messages."""
    headers = {**answer.headers, "Content-Length": str(len(answer.body))}
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": b"" if head else answer.body})
