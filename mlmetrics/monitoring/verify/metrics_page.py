"""A live `/metrics` page: fetched, parsed, and as the set of samples that alerts may read."""

import urllib.error
import urllib.request
from collections import defaultdict
from dataclasses import dataclass, field

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from mlmetrics.errors import ConfigurationError

_TIMEOUT_SECONDS = 10


@dataclass(slots=True)
class Page:
    """What a page exposes: the bounds of each histogram, the values of each label, and what is malformed."""

    names: set[str] = field(default_factory=set)
    bounds: dict[str, set[float]] = field(default_factory=lambda: defaultdict(set))
    values: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    malformed: list[str] = field(default_factory=list)


def fetch(url: str) -> tuple[str, str]:
    """Return the body and the content type of a page.

    Raises:
        ConfigurationError: Nothing answers there, or not with a page.
    """
    if not url.startswith(("http://", "https://")):
        message = f"URL = {url!r}: expected an address such as http://localhost:5051/metrics"
        raise ConfigurationError(message)
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - the scheme was looked at
            return answer.read().decode("utf-8"), answer.headers.get("Content-Type", "")
    except (OSError, ValueError) as error:
        message = f"{url}: cannot be read ({error}); expected a running service that answers there"
        raise ConfigurationError(message) from error


def read_page(text: str, content_type: str) -> Page:
    """Return what a page exposes; a page that cannot be parsed is malformed from there on."""
    page = Page()
    parse = parse_openmetrics if "openmetrics" in content_type else parse_text
    seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    try:
        for family in parse(text):
            if family.type in ("unknown", "untyped") and family.samples:
                page.malformed.append(f"{family.name} has no TYPE")
            for sample in family.samples:
                _note(page, sample.name, sample.labels, sample.value)
                series = (sample.name, tuple(sorted(sample.labels.items())))
                if series in seen:
                    page.malformed.append(f"{sample.name}{sample.labels} is there twice")
                seen.add(series)
    except (ValueError, KeyError, IndexError) as error:
        page.malformed.append(f"the page cannot be parsed: {error}")
    return page


def _note(page: Page, name: str, labels: dict[str, str], value: float) -> None:
    page.names.add(name)
    if name.endswith("_sum") and value != value:  # noqa: PLR0124 - NaN alone differs from itself
        page.malformed.append(f"{name}{labels} is NaN, and stays so")
    for label, text in labels.items():
        if label == "le":
            page.bounds[name].add(float(text))
        else:
            page.values[name, label].add(text)
