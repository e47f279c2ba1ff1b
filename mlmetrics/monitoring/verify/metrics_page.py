"""A live `/metrics` page, parsed: the samples that alerts may read, and what is malformed."""

from collections import defaultdict
from dataclasses import dataclass, field

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text


@dataclass(slots=True)
class MetricsPage:
    """What a page exposes: the bounds of each histogram, the values of each label, and what is malformed."""

    names: set[str] = field(default_factory=set)
    bounds: dict[str, set[float]] = field(default_factory=lambda: defaultdict(set))
    values: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    malformed: list[str] = field(default_factory=list)

    def add(self, name: str, labels: dict[str, str], value: float) -> None:
        """Add a sample."""
        self.names.add(name)
        if name.endswith("_sum") and value != value:  # noqa: PLR0124 - only NaN differs from itself
            self.malformed.append(f"{name}{labels} is NaN, and will stay NaN")
        for label, text in labels.items():
            if label == "le":
                self.bounds[name].add(float(text))
            else:
                self.values[name, label].add(text)


def read_page(text: str, content_type: str) -> MetricsPage:
    """Return what a page exposes; if it cannot be parsed, what it exposes before the error."""
    page = MetricsPage()
    parse = parse_openmetrics if "openmetrics" in content_type else parse_text
    seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    try:
        for family in parse(text):
            if family.type in ("unknown", "untyped") and family.samples:
                page.malformed.append(f"{family.name} has no TYPE")
            for sample in family.samples:
                page.add(sample.name, sample.labels, sample.value)
                series = (sample.name, tuple(sorted(sample.labels.items())))
                if series in seen:
                    page.malformed.append(f"{sample.name}{sample.labels} appears twice")
                seen.add(series)
    except (ValueError, KeyError, IndexError) as error:
        page.malformed.append(f"the page cannot be parsed: {error}")
    return page
