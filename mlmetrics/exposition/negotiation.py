"""The format and the compression of an answer, chosen from a scraper's headers as RFC 9110 says."""

from collections.abc import Iterator
from dataclasses import dataclass

from mlmetrics.interruption import interrupted

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
FORMATS = (
    (TEXT, "text/plain", "0.0.4"),
    (OPENMETRICS, "application/openmetrics-text", "1.0.0"),
)


@dataclass(frozen=True, slots=True)
class Range:
    """One element of an Accept or Accept-Encoding header: a name and its weight."""

    name: str
    version: str | None
    quality: float
    place: int

    def specificity(self, media_type: str, version: str) -> int | None:
        """How exactly it names a format; None if it does not match."""
        if self.name == "*/*":
            return 0
        if self.name == f"{media_type.partition('/')[0]}/*":
            return 1
        if self.name != media_type or self.version not in (None, version):
            return None
        return 2 if self.version is None else 3


def ranges(header: str) -> Iterator[Range]:
    """The elements of a header; those with an invalid weight are left out."""
    for place, element in enumerate(header.split(",")):
        name, *parameters = (part.strip() for part in element.split(";"))
        values = {key.strip().lower(): value.strip(' "') for key, _, value in (p.partition("=") for p in parameters)}
        quality = weight(values.get("q", "1"))
        if quality is not None:
            yield Range(name.lower(), values.get("version"), quality, place)


def weight(text: str) -> float | None:
    """A `q` value from 0 to 1; None if it is invalid."""
    try:
        quality = float(text)
    except ValueError as error:
        if interrupted(error):
            raise
        return None
    return quality if 0.0 <= quality <= 1.0 else None


def choose_format(accept: str) -> str:
    """The content type to answer with: text 0.0.4, or OpenMetrics 1.0.0 where it is preferred.

    Without a header, and if no format matches, it is the text format: every scraper reads it,
    and that is more useful than an error.
    """
    wanted = tuple(ranges(accept))
    best, chosen = (0.0, 0, 0), TEXT
    for content_type, media_type, version in FORMATS:
        rank = rank_of(wanted, media_type, version)
        if rank[0] > 0.0 and rank > best:
            best, chosen = rank, content_type
    return chosen


def rank_of(wanted: tuple[Range, ...], media_type: str, version: str) -> tuple[float, int, int]:
    """The rank of a format: weight, specificity and place of the element that names it most exactly."""
    matches = [
        (specificity, -range_.place, range_.quality)
        for range_ in wanted
        if (specificity := range_.specificity(media_type, version)) is not None
    ]
    if not matches:
        return (0.0, 0, 0)
    specificity, place, quality = max(matches)
    return (quality, specificity, place)


def wants_gzip(accept_encoding: str) -> bool:
    """Whether gzip is accepted, with at least the weight of no compression."""
    weights = {range_.name: range_.quality for range_ in ranges(accept_encoding)}
    gzip = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    return gzip > 0.0 and gzip >= weights.get("identity", 0.0)
