"""The id of a request: the caller's if it is well formed, else a new one; and how log events get it.

The id is set in the context variable that structlog's `merge_contextvars` reads, so that
every event of the user's own code has the id, also in threads of a pool.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar, Token
from functools import partial
from itertools import chain, count, repeat
from operator import concat
from random import SystemRandom
from typing import Any

from structlog.contextvars import bind_contextvars, reset_contextvars

from mlmetrics.interruption import interrupted

HEADER = b"x-request-id"
KEY = "request_id"
WELL_FORMED = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")

FIRST_THOUSAND = 10**8  # so that numbers have twelve digits from the first to the 900,000,000,000th request
LAST_DIGITS = tuple(f"{number:03}" for number in range(1000))

Headers = Iterable[tuple[bytes, bytes]]


class Made:
    """New ids: a random text for each process, and a number; faster than 128 random bits for each request."""

    def __init__(self) -> None:
        process = f"{SystemRandom().getrandbits(80):020x}"
        # An id runs no Python code, so two threads never get the same one. Most only put two texts together, because
        # a number becomes a text once in a thousand ids.
        thousands = map(process.__add__, map(str, count(FIRST_THOUSAND)))
        of_each: Iterator[Iterator[str]] = map(partial(map, concat), map(repeat, thousands), repeat(LAST_DIGITS))
        self.make: Callable[[], str] = chain.from_iterable(of_each).__next__


made = Made()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=made.__init__)  # type: ignore[misc]  # a child needs its own text


def _structlog_variable() -> ContextVar[str]:
    tokens = bind_contextvars(**{KEY: ""})
    reset_contextvars(**tokens)
    return tokens[KEY].var


_variable = _structlog_variable()


def choose(scope: Any) -> str:
    """Return the id that the caller sent, if it is well formed; else a new one."""
    headers: Headers = scope["headers"]
    if type(headers) is not list and hasattr(headers, "__next__"):
        # They can be read once only; the application reads them too.
        scope["headers"] = headers = list(headers)
    for name, value in headers:
        if name == HEADER and WELL_FORMED.fullmatch(value):
            return str(value, "ascii")
    make = made.make  # called through a variable, because it is no method and looked up faster so
    return make()


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


def restore(token: Token[str]) -> None:
    """Restore the previous value, except in another context: a request that is garbage ends there, without the id."""
    try:
        _variable.reset(token)
    except ValueError as problem:
        if interrupted(problem):
            raise
