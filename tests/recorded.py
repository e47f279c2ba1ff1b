"""Functions that read from a registry what was recorded."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.samples import Sample


def samples(registry: CollectorRegistry, name: str, **labels: str) -> Iterator[Sample]:
    """Yield the samples of this name that have at least these labels."""
    for family in registry.collect():
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                yield sample


def value(registry: CollectorRegistry, name: str, **labels: str) -> float:
    """Return the sum of the samples of this name that have at least these labels; there must be one."""
    found = [sample.value for sample in samples(registry, name, **labels)]
    assert found, f"no sample {name} has the labels {labels}"
    return sum(found)


def absent(registry: CollectorRegistry, name: str, **labels: str) -> bool:
    """Return whether no sample of this name has these labels."""
    return not any(samples(registry, name, **labels))


def label_values(registry: CollectorRegistry, name: str, label: str) -> list[str]:
    """Return the different values of a label in the samples of this name, in their order."""
    return list(dict.fromkeys(sample.labels[label] for sample in samples(registry, name)))


def outcomes(registry: CollectorRegistry, operation: str = "inference", **labels: str) -> dict[str, float]:
    """Return how often each outcome was recorded, without outcomes that are 0."""
    counts: dict[str, float] = {}
    for sample in samples(registry, f"ml_{operation}_total", **labels):
        counts[sample.labels["outcome"]] = counts.get(sample.labels["outcome"], 0.0) + sample.value
    return {outcome: count for outcome, count in counts.items() if count}


def in_progress(registry: CollectorRegistry, operation: str = "inference") -> float:
    """Return how many calls have begun and not ended; one must have been declared."""
    return value(registry, f"ml_{operation}_in_progress")


def errors(registry: CollectorRegistry) -> dict[str, float]:
    """Return the recording errors by place, without the places that have none."""
    found = samples(registry, "mlmetrics_recording_errors_total")
    return {sample.labels["where"]: sample.value for sample in found if sample.value}
