"""Who may read the page: the headers of every answer, the names it answers to, and the token where others can reach it.

On loopback a page of another origin could reach the server through a name of its own that it points at 127.0.0.1. So
the name in the request has to be one of loopback. Elsewhere the token protects: no other origin has its cookie.
"""

import hmac
from html import escape
from ipaddress import ip_address
from urllib.parse import urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlmetrics.errors import ConfigurationError

POLICY = "; ".join(
    (
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "connect", "img")),
        *(f"{kind} 'none'" for kind in ("base-uri", "form-action", "frame-ancestors")),
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
TOKEN_VARIABLE = "MLMETRICS_LIVE_TOKEN"  # noqa: S105 - its name
_MONTH_SECONDS = 30 * 24 * 3600
# A redirect would belong to the navigation of the page that had the link, and a strict cookie is not sent with that.
_OPENING = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={}"><title>Opening</title>'


def is_loopback(host: str) -> bool:
    """Return whether a name or an address is one of this machine only."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_token(text: str) -> bool:
    """Return whether a text can be sent as a token: visible characters of ASCII, without spaces."""
    return text.isascii() and text.isprintable() and " " not in text and bool(text)


def check_reach(host: str, token: str) -> None:
    """Raise ConfigurationError if other machines can reach a server that asks for no token, or for an invalid one."""
    if token and not is_token(token):
        raise ConfigurationError(
            "the token for viewers: expected letters, digits and punctuation of ASCII, without spaces"
        )
    if not is_loopback(host) and not token:
        raise ConfigurationError(
            f"host {host!r} can be reached from other machines, and no token was given: "
            f"give one (--token, or {TOKEN_VARIABLE}), or listen on 127.0.0.1"
        )


class Guard:
    """Middleware that refuses what may not be answered, and adds the headers to every answer."""

    def __init__(self, app: ASGIApp, host: str, token: str) -> None:
        self._app = app
        self._loopback = is_loopback(host)
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as an ASGI application does."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        request = Request(scope)
        answer = self._refuse(request) or (self._ask_for_token(request) if self._token else None)
        await (answer or self._app)(scope, receive, send_with_headers)

    def _refuse(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if self._loopback and not is_loopback(_without_port(host)):
            return _text(421, f"The name {host!r} is not one of this machine; use http://localhost and the port.")
        # Another page of the same browser may link to the page; it can neither read answers nor have views made.
        is_of_other = request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}
        if is_of_other and (request.scope["path"], request.headers.get("sec-fetch-dest")) != ("/", "document"):
            return _text(403, "Only the live page itself may ask for this.")
        return None

    def _ask_for_token(self, request: Request) -> Response | None:
        given = request.query_params.get("token")
        if given is not None:
            return self._keep(request) if self._is_token(given) else _text(401, "This is not the token.")
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        cookie = request.cookies.get(_cookie_name(request), "")
        if self._is_token(cookie) or (scheme.lower() == "bearer" and self._is_token(bearer.strip())):
            return None
        return _text(401, "A token is needed: open the address that `mlmetrics live` has printed.")

    def _keep(self, request: Request) -> Response:
        """Put the token into a cookie, and open the same address without it."""
        others = [(name, value) for name, value in request.query_params.multi_items() if name != "token"]
        answer = HTMLResponse(_OPENING.format(escape(f"?{urlencode(others)}")))
        answer.headers["cache-control"] = "no-store"
        answer.set_cookie(
            _cookie_name(request),
            self._token,
            max_age=_MONTH_SECONDS,
            httponly=True,
            samesite="strict",
            secure=request.scope["scheme"] == "https",
        )
        return answer

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())


def _cookie_name(request: Request) -> str:
    # All ports of a host share their cookies. The port in the request's header may be another one, or none at all.
    return f"mlmetrics_live_{request.scope['server'][1]}"


def _without_port(host: str) -> str:
    name, _, port = host.rpartition(":")
    return name if name and port.isdigit() and not name.endswith(":") else host


def _text(status: int, text: str) -> Response:
    return PlainTextResponse(f"{text}\n", status, {"cache-control": "no-store"})
