"""The pages that a check is given by their addresses: fetched, `/metrics` tried, and refused in one line each."""

import json
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, field

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.verify.finding import Finding
from mlmetrics.monitoring.verify.metrics_page import MetricsPage, read_page

TIMEOUT_SECONDS = 10.0
_NOT_FOUND = 404
_EXPECTED = "expected a running service that answers with metrics there"


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages by the address where each was found, what could not be reached, and what are no metrics."""

    read: dict[str, MetricsPage] = field(default_factory=dict)
    unreachable: list[Finding] = field(default_factory=list)
    other: list[Finding] = field(default_factory=list)


def fetch(url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> tuple[str, str]:
    """Return the body and the content type of a page.

    Raises:
        ConfigurationError: The address is invalid, or no page can be read there.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"URL = {url!r}: expected an address such as http://localhost:5051/metrics")
    try:
        with urllib.request.urlopen(url, timeout=timeout_seconds) as response:  # noqa: S310 - the scheme was checked
            return response.read().decode("utf-8"), response.headers.get("Content-Type", "")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{url}: cannot be read ({_reason(error, timeout_seconds)}); {_EXPECTED}") from error


def _reason(error: Exception, timeout_seconds: float) -> str:
    """Return why a page cannot be read, in a few words."""
    cause = getattr(error, "reason", error)
    if isinstance(cause, ConnectionRefusedError):
        return "the connection was refused: no server listens there"
    if isinstance(cause, TimeoutError):
        return f"no answer within {timeout_seconds:g} s"
    if isinstance(cause, socket.gaierror):
        return "the host is not known"
    if isinstance(error, UnicodeDecodeError):
        return "the answer is not text in UTF-8"
    if isinstance(error, urllib.error.HTTPError):
        return f"{error.code} {error.reason}{_told(error)}"
    return str(error)


def _told(error: urllib.error.HTTPError) -> str:
    """Return what Prometheus says about a request that it refuses, empty if another server answered."""
    try:
        return f": {json.loads(error.read())['error']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def read_pages(urls: Iterable[str], timeout_seconds: float = TIMEOUT_SECONDS) -> Pages:
    """Return the pages at some addresses; where one answers 404 or with HTML, its `/metrics`.

    Raises:
        ConfigurationError: An address is invalid.
    """
    pages = Pages()
    for url in dict.fromkeys(urls):
        try:
            found, text, content_type = _fetch_metrics(url, timeout_seconds)
        except ConfigurationError as error:
            if not url.startswith(("http://", "https://")):
                raise
            pages.unreachable.append(Finding("error", "page", url, str(error).removeprefix(f"{url}: "), url))
            continue
        page = read_page(text, content_type)
        what = _other_than_metrics(page, text, content_type)
        if what:
            pages.other.append(Finding("error", "page", found, f"{what}; {_EXPECTED}", found))
        else:
            pages.read[found] = page
    return pages


def _fetch_metrics(url: str, timeout_seconds: float) -> tuple[str, str, str]:
    """Return the address that answered, its body and its content type."""
    inner = metrics_address(url)
    try:
        text, content_type = fetch(url, timeout_seconds)
    except ConfigurationError as error:
        missing = isinstance(error.__cause__, urllib.error.HTTPError) and error.__cause__.code == _NOT_FOUND
        if not missing or inner is None:
            raise
        return inner, *fetch(inner, timeout_seconds)
    if inner is not None and is_html(text, content_type):
        try:
            return inner, *fetch(inner, timeout_seconds)
        except ConfigurationError:
            return url, text, content_type
    return url, text, content_type


def metrics_address(url: str) -> str | None:
    """Return the address of `/metrics` beneath an address; None if that is the address itself.

    >>> metrics_address("http://localhost:8000/"), metrics_address("http://localhost:8000/metrics")
    ('http://localhost:8000/metrics', None)
    """
    parts = urllib.parse.urlsplit(url)
    path = parts.path.rstrip("/")
    return None if path.endswith("/metrics") else urllib.parse.urlunsplit((*parts[:2], f"{path}/metrics", "", ""))


def _other_than_metrics(page: MetricsPage, text: str, content_type: str) -> str:
    """Return what a page is if it has no metrics, empty if it has some."""
    if is_html(text, content_type):
        return "is an HTML page, not metrics"
    if page.names or page.growing:
        return ""
    if not text.strip():
        return "is an empty page"
    media = content_type.partition(";")[0].strip()
    return f"has no metrics but {media or 'an unknown content type'}: {text.strip().splitlines()[0][:60]!r}"


def is_html(text: str, content_type: str) -> bool:
    """Return whether a page is one of HTML, by its type or its first characters."""
    return "html" in content_type or text.lstrip()[:15].lower().startswith(("<!doctype html", "<html"))
