"""Looks at a live page as a browser does: opens its address, keeps its cookie, and follows its events."""

import json
import re
import time
import urllib.parse
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx

from tests.programs import NO_AUTHORITIES

PATIENCE_SECONDS = 60.0
ADDRESS = re.compile(r"http://\S+")
Data = dict[str, Any]


@contextmanager
def viewer(address: str) -> Iterator[httpx.Client]:
    """Yield a client that has opened an address, and has its cookie where there was a token in it."""
    base = urllib.parse.urljoin(address, "/")
    with httpx.Client(base_url=base, trust_env=False, timeout=PATIENCE_SECONDS, verify=NO_AUTHORITIES) as client:
        opened = client.get(address.removeprefix(base.rstrip("/")))
        assert httpx.codes.OK == opened.status_code, opened.text
        yield client


def events(client: httpx.Client) -> Generator[Data]:
    """Yield the data of the history and of the ticks, as long as there are any."""
    with client.stream("GET", "/events") as answer:
        kind = ""
        for line in answer.iter_lines():
            name, _, text = line.partition(": ")
            if name == "event":
                kind = text
            elif name == "data" and kind != "layout":
                yield json.loads(text)


def see(address: str, is_there: Callable[[Data], object]) -> Data:
    """Return the first data that have what is waited for."""
    until = time.monotonic() + PATIENCE_SECONDS
    last: Data = {}
    with viewer(address) as client, closing(events(client)) as following:
        for last in following:
            if is_there(last):
                return last
            if time.monotonic() > until:
                break
    raise AssertionError(f"not within {PATIENCE_SECONDS:g} s; the last data was {last}")


def states(data: Data) -> dict[str, tuple[bool, str]]:
    """Return of each target whether it is up, and why not."""
    return {target["url"]: (target["up"], target["why"]) for target in data["targets"]}


def all_are_read(data: Data) -> bool:
    """Whether every target was read, or not, at least once."""
    return all("not read yet" != target["why"] for target in data["targets"]) and bool(data["targets"])
