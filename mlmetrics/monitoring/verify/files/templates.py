"""The labels that templates show: of annotations as Prometheus fills them, and of legends as Grafana does."""

import re
from collections.abc import Iterator

_LABEL = re.compile(r'\$labels\.(\w+)|index\s+\$labels\s+"(\w+)"')
# Within `range query "..."` the labels are those of the query's series.
_OF_DATA = re.compile(r"(?<!\w)\.Labels\.(\w+)")
_CONDITION = re.compile(r"\{\{-?\s*(?:else\s+)?(?:if|with)\b(.*?)\}\}", re.DOTALL)
_LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def labels_of_annotation(text: str) -> Iterator[str]:
    """Yield the labels of the alert's series that an annotation shows, without those that it asks for first."""
    asked = {label for condition in _CONDITION.findall(text) for label in _labels_in(condition)}
    yield from (label for label in dict.fromkeys(_labels_in(text)) if label not in asked)


def _labels_in(text: str) -> list[str]:
    found = [name or indexed for name, indexed in _LABEL.findall(text)]
    return found if "query" in text else [*found, *_OF_DATA.findall(text)]


def labels_of_legend(text: str) -> list[str]:
    """Return the labels that a legend shows.

    >>> labels_of_legend("{{ model }} in {{service}}")
    ['model', 'service']
    """
    return [label for label in _LEGEND.findall(text) if label != "__name__"]
