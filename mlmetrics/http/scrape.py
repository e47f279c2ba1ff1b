"""What a scraper asks for: format, compression and names, read from the headers and the query of its request."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

from mlmetrics.exposition.negotiation import OPENMETRICS, choose_format, wants_gzip


@dataclass(frozen=True, slots=True)
class Scrape:
    """What a scraper requests; equal ones get the same page."""

    openmetrics: bool = False
    gzip: bool = False
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, headers: Iterable[tuple[str, str]], query: str) -> "Scrape":
        """Return the scrape that these headers and this query string request."""
        accept, encoding = [], []
        for name, value in headers:
            if name.lower() == "accept":
                accept.append(value)
            elif name.lower() == "accept-encoding":
                encoding.append(value)
        return cls(
            openmetrics=choose_format(",".join(accept)) == OPENMETRICS,
            gzip=wants_gzip(",".join(encoding)),
            names=frozenset(parse_qs(query).get("name[]", ())),
        )

    @classmethod
    def of_scope(cls, scope: Any) -> "Scrape":
        """Return the scrape that an ASGI request asks for."""
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        return cls.of(headers, scope.get("query_string", b"").decode("latin-1"))

    @property
    def uncompressed(self) -> "Scrape":
        """The same without compression."""
        return replace(self, gzip=False)
