"""Serves the page until it is ended: the port, the address that is told, and the browser that opens it."""

import errno
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
    asked = PORT if port is None else port
    try:
        try:
            return _bound(host, asked)
        except OSError as error:
            if port is not None or error.errno != errno.EADDRINUSE:
                raise
            return _bound(host, 0)
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(_problem(error, host, asked)) from error


def _bound(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, *_, address = found[0]
    both = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
    return socket.create_server(address, family=family, dualstack_ipv6=both)


def _problem(error: Exception, host: str, port: int) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number is None or number == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return f"host {host!r} is no address of this machine; expected one, such as 127.0.0.1 or ::1"
    return (
        f"cannot listen on port {port} of {host} ({os.strerror(number)}); "
        "choose another by --port, or --port 0 for any that is free"
    )


def address_of(listening: socket.socket, host: str, token: str) -> str:
    """Return the address that opens the page; it has the token, if there is one."""
    name = socket.gethostname() if host in _EVERY_ADDRESS else host
    name = f"[{name}]" if ":" in name else name
    query = f"?{urlencode({'token': token})}" if token else ""
    return f"http://{name}:{_port_of(listening)}/{query}"


def note_on_port(listening: socket.socket, port: int | None) -> str:
    """Return what to tell where the usual port was expected and is another one's, else an empty text."""
    is_other = port is None and _port_of(listening) != PORT
    return f"port {PORT} is taken; " if is_other else ""


def _port_of(listening: socket.socket) -> int:
    port: int = listening.getsockname()[1]
    return port


def serve(feed: Feed, listening: socket.socket, *, host: str, token: str, told: Callable[[str], None]) -> None:
    """Serve a feed until a signal ends it.

    Args:
        feed: what is shown.
        listening: what `listen` has returned.
        host: the address it listens on.
        token: what viewers have to know.
        told: is given the address of the page.
    """
    config = uvicorn.Config(create_app(feed, host=host, token=token), log_level="warning", access_log=False)
    with suppress(KeyboardInterrupt):  # uvicorn raises it again once all is ended
        told(address_of(listening, host, token))
        LiveServer(config, feed).run(sockets=[listening])


def has_desktop() -> bool:
    """Return whether a person at a desktop reads what is printed here."""
    return sys.stdout.isatty() and (sys.platform == "darwin" or any(os.environ.get(name) for name in _DISPLAYS))


def open_page(url: str) -> None:
    """Open an address in the browser of the desktop, without waiting for it."""
    Thread(target=webbrowser.open, args=(url,), daemon=True).start()
