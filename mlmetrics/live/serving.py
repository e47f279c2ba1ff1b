"""Serves the page until it is ended: the port, the address that is told, and the browser that opens it."""

import os
import socket
import sys
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from urllib.parse import urlencode

import uvicorn

from mlmetrics.errors import ConfigurationError
from mlmetrics.live.feed import Feed
from mlmetrics.live.guard import check_reach
from mlmetrics.live.server import LiveServer, create_app

HOST, PORT = "127.0.0.1", 5080  # not 5060, which browsers refuse to open
_EVERY_ADDRESS = {"0.0.0.0", "::", ""}  # noqa: S104 - compared, not listened on
_LEFT_SECONDS = 2
_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


def listen(host: str, port: int | None, token: str) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: the address to listen on.
        port: the port; 0 is any free one. None is the usual one or, where that is taken, any free one.
        token: what viewers have to know.

    Raises:
        ConfigurationError: The port is taken, the host is none of this machine, or it needs a token.
    """
    check_reach(host, token)
    try:
        return _bound(host, PORT if port is None else port)
    except ConfigurationError:
        if port is not None:
            raise
        return _bound(host, 0)


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on port {port} of {host} ({error.strerror}); "
            "choose another by --port, or --port 0 for any that is free"
        ) from error


def address_of(listening: socket.socket, host: str, token: str) -> str:
    """Return the address that opens the page; it has the token, if there is one."""
    name = socket.gethostname() if host in _EVERY_ADDRESS else host
    name = f"[{name}]" if ":" in name else name
    port = listening.getsockname()[1]
    query = f"?{urlencode({'token': token})}" if token else ""
    return f"http://{name}:{port}/{query}"


def serve(feed: Feed, listening: socket.socket, *, host: str, token: str, told: Callable[[str], None]) -> None:
    """Serve a feed until a signal ends it.

    Args:
        feed: what is shown.
        listening: what `listen` has returned.
        host: the address it listens on.
        token: what viewers have to know.
        told: is given the address of the page.
    """
    config = uvicorn.Config(
        create_app(feed, host=host, token=token),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_LEFT_SECONDS,
    )
    told(address_of(listening, host, token))
    with suppress(KeyboardInterrupt):  # uvicorn raises it again once all is ended
        LiveServer(config, feed).run(sockets=[listening])


def has_desktop() -> bool:
    """Return whether a person at a desktop reads what is printed here."""
    return sys.stdout.isatty() and (sys.platform == "darwin" or any(os.environ.get(name) for name in _DISPLAYS))


def open_page(url: str) -> None:
    """Open an address in the browser of the desktop, without waiting for it."""
    Thread(target=webbrowser.open, args=(url,), daemon=True).start()
