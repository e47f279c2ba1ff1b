"""The id of a request: the caller's if it is well formed, else a new one; and how log events get it.

The id is set in the context variable that structlog's `merge_contextvars` reads, so that
every event of the user's own code has the id, also in threads of a pool.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from itertools import count
from random import SystemRandom
from typing import Any

from structlog.contextvars import bind_contextvars, reset_contextvars

HEADER = b"x-request-id"
KEY = "request_id"
WELL_FORMED = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")

FIRST_NUMBER = 10**11  # so that numbers have twelve digits from the first to the 900,000,000,000th request

Headers = Iterable[tuple[bytes, bytes]]


class Made:
    """New ids: a random text for each process, and a number; faster than 128 random bits for each request."""

    def __init__(self) -> None:
        process = f"{SystemRandom().getrandbits(80):020x}"
        # An id runs no Python code: adding and counting are done in C, by `map`.
        self.make: Callable[[], str] = map(process.__add__, map(str, count(FIRST_NUMBER))).__next__


made = Made()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=made.__init__)  # type: ignore[misc]  # a child needs its own text


def _structlog_variable() -> ContextVar[str]:
    tokens = bind_contextvars(**{KEY: ""})
    reset_contextvars(**tokens)
    return tokens[KEY].var


_variable = _structlog_variable()


def kept(scope: Any) -> Headers:
    """Return the headers of a request; an iterator becomes a list, so that the application can read it too."""
    headers: Headers = scope["headers"]
    if hasattr(headers, "__next__"):
        scope["headers"] = headers = list(headers)
    return headers


def choose(headers: Headers) -> str:
    """Return the id that the caller sent, if it is well formed; else a new one."""
    for name, value in headers:
        if name == HEADER and WELL_FORMED.fullmatch(value):
            return str(value, "ascii")
    return made.make()


def returned(message: dict[str, Any], chosen: str) -> dict[str, Any]:
    """Return the start of a response with the id in its headers; an id set by the application is kept.

    The message is copied, because an application may send the same object again.
    """
    headers = message.get("headers", ())
    if type(headers) is not list and hasattr(headers, "__next__"):
        return {**message, "headers": completed(headers, chosen)}
    for name, _ in headers:
        if name == HEADER:
            return message
    return {**message, "headers": [*headers, (HEADER, chosen.encode())]}


def completed(headers: Headers, chosen: str) -> Iterator[tuple[bytes, bytes]]:
    """Headers that can be read only once, by the server, followed by the id unless they contain one."""
    own = False
    for header in headers:
        own = own or (len(header) > 0 and header[0] == HEADER)
        yield header
    if not own:
        yield (HEADER, chosen.encode())


bind = _variable.set
"""Set the id in the context; returns the token for `restore`."""

restore = _variable.reset
"""Restore the previous value; raises ValueError in another context."""
