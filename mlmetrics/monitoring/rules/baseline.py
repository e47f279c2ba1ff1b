"""A distribution recorded at training time, as a rule file that drift rules compare with."""

from collections import Counter
from collections.abc import Iterable, Mapping
from math import isfinite
from pathlib import Path

from mlmetrics.catalog import BY_NAME, OPERATIONS
from mlmetrics.catalog.metric import SCORE_BUCKETS
from mlmetrics.catalog.own import OWN_SCORE
from mlmetrics.errors import ConfigurationError, MissingExtraError
from mlmetrics.monitoring.labels import is_label_name, is_label_value
from mlmetrics.monitoring.rules.class_drift import CLASS_LABEL, CLASS_SUBJECT
from mlmetrics.monitoring.rules.drift import BASELINE, CLASS_COUNTER, now, record_name
from mlmetrics.monitoring.rules.model import Group, RecordingRule
from mlmetrics.monitoring.rules.promql import bound, quote
from mlmetrics.version import install_command

_SCORES = tuple(operation.score for operation in OPERATIONS if operation.score is not None)


def export_baseline(
    scores: Iterable[float] | Iterable[str],
    path: str | Path,
    *,
    metric: str = "matching_score_distribution",
    labels: Mapping[str, str],
    buckets: Iterable[float] | None = None,
) -> Path:
    """Write the distribution of scores, or of predicted classes, as a rule file for `rules/baselines/` of Prometheus.

    Args:
        scores: The scores that the model gave at training time, 0 to 1; or the class of each of its predictions.
        path: The file to write, such as `prometheus/rules/baselines/matching.yml`.
        metric: The histogram of the scores, `ml_retrieval_score` of an operation of your own too; or
            `ml_prediction_total` for classes.
        labels: Whose they are: every label of the metric with its value, but `predicted_class`.
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
    >>> labels = {"service": "mail", "model": "spam"}
    >>> export_baseline(["ham", "ham", "spam"], f"{folder}/spam.yml", metric="ml_prediction_total", labels=labels).name
    'spam.yml'
    """
    try:
        from mlmetrics.monitoring.text import yaml_text  # noqa: PLC0415 - PyYAML comes with the extra `cli` only
    except ImportError as error:
        raise MissingExtraError(
            f"export_baseline needs PyYAML, which the extra `cli` brings: {install_command('cli')}"
        ) from error
    group = _group_of_classes(scores, labels) if metric == CLASS_COUNTER else _group(scores, metric, labels, buckets)
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


def _group(
    scores: Iterable[float] | Iterable[str], metric: str, labels: Mapping[str, str], buckets: Iterable[float] | None
) -> Group:
    found = _checked_scores(scores)
    known = BY_NAME.get(metric)
    if known not in _SCORES and not (known is None and OWN_SCORE.fullmatch(metric)):
        names = ", ".join(score.name for score in _SCORES)
        raise ConfigurationError(
            f"metric = {metric!r}: expected one of {names}, {CLASS_COUNTER}, or ml_NAME_score of an own operation"
        )
    _require_labels(labels, known.labels if known is not None else ("service", *sorted({*labels} - {"service"})))
    bounds = tuple(buckets or (known.buckets if known is not None else SCORE_BUCKETS))
    shares = (
        RecordingRule(
            record_name(metric, "baseline_cdf"),
            f"vector({sum(score <= upper for score in found) / len(found)!r})",
            {**_given(labels), "bin": bound(upper)},
        )
        for upper in bounds
    )
    return _baseline_group(metric, labels, len(found), shares)


def _checked_scores(scores: Iterable[float] | Iterable[str]) -> list[float]:
    found: list[float | str] = list(scores)
    if not found:
        raise ConfigurationError("scores are empty: expected the scores that the model gave at training time")
    wrong = next((score for score in found if not _is_score(score)), None)
    if wrong is not None:
        raise ConfigurationError(f"score = {wrong!r:.100}: expected numbers from 0 to 1")
    return [float(score) for score in found]


def _is_score(score: float | str) -> bool:
    try:
        number = float(score)
    except (TypeError, ValueError):
        return False
    return not isinstance(score, str) and isfinite(number) and 0 <= number <= 1


def _require_labels(labels: Mapping[str, str], wanted: tuple[str, ...]) -> None:
    known = set(labels) == set(wanted) and all(is_label_name(name) for name in labels)
    # Calls may leave a label empty, but they always have a service.
    if not known or not all(is_label_value(text) for name, text in labels.items() if text or name == "service"):
        raise ConfigurationError(
            f"labels = {dict(labels)!r}: expected a printable text for each of {', '.join(wanted)}"
        )


def _group_of_classes(classes: Iterable[float] | Iterable[str], labels: Mapping[str, str]) -> Group:
    counts = Counter(str(name) for name in classes)
    if not counts:
        raise ConfigurationError("no classes: expected the class of each prediction at training time")
    wrong = next((name for name in counts if not is_label_value(name)), None)
    if wrong is not None:
        raise ConfigurationError(f"class = {wrong!r:.200}: expected a printable text, as {CLASS_LABEL} has it")
    _require_labels(labels, CLASS_SUBJECT)
    total = counts.total()
    subject = [f"{name}={quote(text)}" for name, text in labels.items()]
    # The expression has the labels of the service that runs, also those by which a project groups its services;
    # so each class of the baseline is there for it, even if the service no longer predicts it.
    running = f"0 * {now(CLASS_COUNTER, 'samples', *subject)}"
    shares = (
        RecordingRule(
            record_name(CLASS_COUNTER, "baseline_share"),
            f"{running} + {count / total!r}",
            {"reference": BASELINE, CLASS_LABEL: name},
        )
        for name, count in sorted(counts.items())
    )
    return _baseline_group(CLASS_COUNTER, labels, total, shares)


def _baseline_group(metric: str, labels: Mapping[str, str], total: int, shares: Iterable[RecordingRule]) -> Group:
    samples = RecordingRule(record_name(metric, "baseline_samples"), f"vector({total})", _given(labels))
    return Group(f"mlmetrics-baseline: {metric} {' '.join(_given(labels).values())}", (samples, *shares))


def _given(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels that are not empty: for Prometheus, an empty one is none."""
    return {name: text for name, text in labels.items() if text}
