"""Samples of a week ago for a new Prometheus: blocks that promtool makes from OpenMetrics text."""

import subprocess
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import httpx

from mlmetrics.catalog import BY_NAME
from mlmetrics.monitoring.rules.drift import CLASS_COUNTER, WEEK_SECONDS, record_name
from mlmetrics.monitoring.rules.promql import bound
from tests.programs import find_program

STEP_SECONDS = 5
BEFORE_SECONDS, AFTER_SECONDS = 120, 240
SUBJECTS = {
    "matching_score_distribution": {"service": "scripted-service", "matcher": "scripted"},
    "parsing_accuracy_score": {"service": "scripted-service", "parser": "scripted", "doc_type": "pdf"},
    "ml_inference_score": {"service": "scripted-service", "model": "scripted-sorter"},
}
SORTER = SUBJECTS["ml_inference_score"]
CLASSES = {"rare": 0.5, "common": 0.4, "forgotten": 0.1}


def write_history(directory: Path, now: float, instance: str) -> None:
    """Write blocks into the data folder of a Prometheus: scores of the same minutes, a week earlier."""
    start = int(now - WEEK_SECONDS) - BEFORE_SECONDS
    text = directory / "history.om"
    text.write_text("".join([*_lines(start, BEFORE_SECONDS + AFTER_SECONDS, instance), "# EOF\n"]))
    promtool = find_program("promtool", package="prometheus")
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(text), str(directory / "data")]
    subprocess.run(command, check=True, capture_output=True)


def import_history(directory: Path, url: str) -> None:
    """Give a VictoriaMetrics the same past; its import takes milliseconds where OpenMetrics has seconds."""
    lines = (directory / "history.om").read_text().splitlines()
    samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    body = "\n".join(f"{sample} {int(time) * 1000}" for sample, _, time in samples)
    httpx.post(f"{url}/api/v1/import/prometheus", content=body, trust_env=False).raise_for_status()


def _lines(start: int, seconds: int, instance: str) -> Iterator[str]:
    times = [start + passed for passed in range(0, seconds, STEP_SECONDS)]
    for histogram, subject in SUBJECTS.items():
        bounds = BY_NAME[histogram].buckets
        counts = list(accumulate(range(1, len(bounds) + 1)))
        target = {"job": "scripted-service", "instance": instance}
        yield from _histogram(histogram, {**subject, **target}, bounds, counts, times)
        yield from _recorded(histogram, subject, bounds, counts, times)
    yield from _recorded_classes(times)


def _histogram(
    name: str, labels: dict[str, str], bounds: tuple[float, ...], counts: list[int], times: list[int]
) -> Iterator[str]:
    yield f"# TYPE {name} histogram\n"
    levels = [*zip((bound(each) for each in bounds), counts, strict=True), ("+Inf", counts[-1])]
    for le, count in levels:
        text = _labels({**labels, "le": le})
        yield from (f"{name}_bucket{text} {count * turn} {time}\n" for turn, time in enumerate(times))


def _recorded(
    histogram: str, subject: dict[str, str], bounds: tuple[float, ...], counts: list[int], times: list[int]
) -> Iterator[str]:
    samples, cdf = record_name(histogram, "samples"), record_name(histogram, "cdf")
    now = {**subject, "reference": "now"}
    yield f"# TYPE {samples} gauge\n"
    yield from (f"{samples}{_labels(now)} {counts[-1]} {time}\n" for time in times)
    yield f"# TYPE {cdf} gauge\n"
    for each, count in zip(bounds, counts, strict=True):
        labels = _labels({**now, "bin": bound(each)})
        yield from (f"{cdf}{labels} {count / counts[-1]} {time}\n" for time in times)


def _recorded_classes(times: list[int]) -> Iterator[str]:
    samples, share = record_name(CLASS_COUNTER, "samples"), record_name(CLASS_COUNTER, "share")
    now = {**SORTER, "reference": "now"}
    yield f"# TYPE {samples} gauge\n"
    yield from (f"{samples}{_labels(now)} 200 {time}\n" for time in times)
    yield f"# TYPE {share} gauge\n"
    for name, part in CLASSES.items():
        labels = _labels({**now, "predicted_class": name})
        yield from (f"{share}{labels} {part} {time}\n" for time in times)


def _labels(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{text}"' for name, text in labels.items()) + "}"
