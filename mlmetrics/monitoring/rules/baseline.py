"""A distribution recorded at training time, as a rule file that drift rules compare with."""

from collections.abc import Iterable, Mapping
from math import isfinite
from pathlib import Path

from mlmetrics.catalog import BY_NAME
from mlmetrics.errors import ConfigurationError, MissingExtraError
from mlmetrics.monitoring.labels import is_label_value
from mlmetrics.monitoring.rules.drift import DRIFT_HISTOGRAMS, record_name
from mlmetrics.monitoring.rules.model import Group, RecordingRule
from mlmetrics.monitoring.rules.promql import bound
from mlmetrics.version import install_command


def export_baseline(
    scores: Iterable[float],
    path: str | Path,
    *,
    metric: str = "matching_score_distribution",
    labels: Mapping[str, str],
    buckets: Iterable[float] | None = None,
) -> Path:
    """Write the distribution of scores as a rule file for `rules/baselines/` of Prometheus.

    Args:
        scores: The scores that the model gave at training time, 0 to 1.
        path: The file to write, such as `prometheus/rules/baselines/matching.yml`.
        metric: `matching_score_distribution` or `parsing_accuracy_score`.
        labels: Whose scores they are: every label of the metric with its value.
        buckets: The bounds that the service uses, if they differ from the catalogue's.

    Returns:
        The path that was written.

    Raises:
        ConfigurationError: A score, the metric, a label or the path cannot work; nothing is written.
        MissingExtraError: PyYAML is missing, which comes with the extra `cli`.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> labels = {"service": "matching-service", "matcher": "tfidf"}
    >>> export_baseline([0.2, 0.4, 0.9], f"{folder}/tfidf.yml", labels=labels).name
    'tfidf.yml'
    """
    try:
        from mlmetrics.monitoring.text import yaml_text  # noqa: PLC0415 - PyYAML comes with the extra `cli` only
    except ImportError as error:
        raise MissingExtraError(
            f"export_baseline needs PyYAML, which the extra `cli` brings: {install_command('cli')}"
        ) from error
    found = _scores(scores)
    _require_labels(metric, labels)
    group = _group(found, metric, labels, tuple(buckets or BY_NAME[metric].buckets))
    target = Path(path)
    text = yaml_text({"groups": [group.document()]}, header="# Written by mlmetrics.export_baseline.\n")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(f".{target.name}.new")
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(target)
    except OSError as error:
        raise ConfigurationError(
            f"path = {str(path)!r}: cannot be written ({error}); expected a file in a folder that you may write to"
        ) from error
    return target


def _scores(scores: Iterable[float]) -> list[float]:
    found = [float(score) for score in scores]
    if not found:
        raise ConfigurationError("scores are empty: expected the scores that the model gave at training time")
    wrong = next((score for score in found if not isfinite(score) or not 0 <= score <= 1), None)
    if wrong is not None:
        raise ConfigurationError(f"score = {wrong!r}: expected numbers from 0 to 1")
    return found


def _require_labels(metric: str, labels: Mapping[str, str]) -> None:
    histograms = tuple(DRIFT_HISTOGRAMS.values())
    if metric not in histograms:
        raise ConfigurationError(f"metric = {metric!r}: expected {' or '.join(histograms)}")
    wanted = BY_NAME[metric].labels
    if set(labels) != set(wanted) or not all(is_label_value(text) for text in labels.values()):
        raise ConfigurationError(
            f"labels = {dict(labels)!r}: expected a printable text for each of {', '.join(wanted)}"
        )


def _group(scores: list[float], metric: str, labels: Mapping[str, str], bounds: tuple[float, ...]) -> Group:
    samples = RecordingRule(record_name(metric, "baseline_samples"), f"vector({len(scores)})", dict(labels))
    shares = (
        RecordingRule(
            record_name(metric, "baseline_cdf"),
            f"vector({sum(score <= upper for score in scores) / len(scores)!r})",
            {**labels, "bin": bound(upper)},
        )
        for upper in bounds
    )
    return Group(f"mlmetrics-baseline: {metric} {' '.join(labels.values())}", (samples, *shares))
