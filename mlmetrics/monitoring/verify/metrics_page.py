"""A live `/metrics` page, parsed: the series that alerts may read, and what is malformed."""

import re
from collections import defaultdict
from dataclasses import dataclass, field

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

_TYPED = re.compile(r"^# TYPE (\S+) (\w+)", re.MULTILINE)
# The samples of a family by its type, and whether each only grows; a counter of the text format is named in full.
_GROWING: dict[str, dict[str, bool | None]] = {
    "counter": {"": True},
    "histogram": {"_bucket": True, "_count": True, "_sum": None, "_created": False},
    "summary": {"": False, "_count": True, "_sum": None, "_created": False},
    "gauge": {"": False},
    "info": {"_info": False},
}


@dataclass(slots=True)
class MetricsPage:
    """What a page exposes: the series of each metric, the bounds of each histogram, and what is malformed.

    `growing` says of each sample name whether it is a counter; names of an unknown type are missing there. It has the
    names of families that are declared and have no sample yet, too.
    """

    names: set[str] = field(default_factory=set)
    series: dict[str, list[dict[str, str]]] = field(default_factory=lambda: defaultdict(list))
    bounds: dict[str, set[float]] = field(default_factory=lambda: defaultdict(set))
    values: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    growing: dict[str, bool | None] = field(default_factory=dict)
    totals: dict[tuple[str, tuple[tuple[str, str], ...]], float] = field(default_factory=dict)
    malformed: list[str] = field(default_factory=list)
    untyped: list[str] = field(default_factory=list)

    def add(self, name: str, labels: dict[str, str], value: float) -> None:
        """Add a sample."""
        self.names.add(name)
        self.series[name].append(labels)
        if name.endswith("_sum") and value != value:  # noqa: PLR0124 - only NaN differs from itself
            self.malformed.append(f"{name}{labels} is NaN, and will stay NaN")
        identity = name, tuple(sorted(labels.items()))
        if identity in self.totals:
            self.malformed.append(f"{name}{labels} appears twice")
        self.totals[identity] = value
        for label, text in labels.items():
            if label == "le":
                self.bounds[name].add(float(text))
            else:
                self.values[name, label].add(text)

    def declare(self, family: str, kind: str) -> None:
        """Add what the type of a family says about its samples, whether it has some or none."""
        self.growing |= {f"{family}{ending}": grows for ending, grows in _GROWING.get(kind, {}).items()}

    def labels(self, name: str) -> list[str]:
        """Return the labels that the series of a metric have, in the order of the page."""
        return list(dict.fromkeys(label for each in self.series.get(name, ()) for label in each))

    def above_zero(self, name: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Return the series of a metric that are above 0, by their labels."""
        return {labels: value for (each, labels), value in self.totals.items() if each == name and value > 0}


def read_page(text: str, content_type: str) -> MetricsPage:
    """Return what a page exposes; if it cannot be parsed, what it exposes before the error."""
    page = MetricsPage()
    parse = parse_openmetrics if "openmetrics" in content_type else parse_text
    typed = dict(_TYPED.findall(text))
    for name, kind in typed.items():
        page.declare(f"{name}_total" if parse is parse_openmetrics and kind == "counter" else name, kind)
    try:
        for family in parse(text):
            if family.type in ("unknown", "untyped") and family.samples and family.name not in typed:
                page.untyped.append(f"{family.name} has no TYPE")
            for sample in family.samples:
                page.add(sample.name, sample.labels, sample.value)
    except (ValueError, KeyError, IndexError) as error:
        page.malformed.append(f"the page cannot be parsed: {error}")
    return page
