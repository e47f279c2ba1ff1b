"""Reads a `Config` from `mlmetrics.toml`, or from the table `[tool.mlmetrics]` of a `pyproject.toml`.

`document` has the sections, whose models check each key by itself; this module checks keys against each other.
"""

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mlmetrics.catalog import OPERATIONS, Operation
from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.config import AlertSettings, Config, Objective
from mlmetrics.monitoring.document import Operations, document_of
from mlmetrics.monitoring.operations import REQUEST, metrics_in_use, operation_problems, operations_in_use
from mlmetrics.monitoring.reading import KeyPath, read, refusal
from mlmetrics.monitoring.rules.alerts import DEFAULTS, configured_alerts
from mlmetrics.monitoring.rules.conditions import Drifted
from mlmetrics.monitoring.rules.drift import FEWEST_CLASSES, least_samples
from mlmetrics.monitoring.rules.indicators import Sample
from mlmetrics.monitoring.rules.rows.own import own_alerts
from mlmetrics.monitoring.rules.slo import indicator_of, measured_by

CONFIGURATION, PYPROJECT = "mlmetrics.toml", "pyproject.toml"
_EXPECTED_FILE = "expected a configuration such as `mlmetrics init` writes"
_BOUNDS_HINT = "(set the bounds in [buckets])"
Refusal = tuple[KeyPath, str]


def find_configuration(folder: Path = Path()) -> Path:
    """Return the file that configures a project: `mlmetrics.toml`, else a `pyproject.toml` with `[tool.mlmetrics]`."""
    own, shared = folder / CONFIGURATION, folder / PYPROJECT
    if own.exists() or not shared.is_file():
        return own
    try:
        return own if _table_of(_parsed(shared.read_text(encoding="utf-8"))) is None else shared
    except (OSError, ValueError):
        return own  # loading it raises an error that says what is missing


def load(path: Path) -> Config:
    """Read a configuration file; of a `pyproject.toml`, the table `[tool.mlmetrics]`.

    Raises:
        ConfigurationError: The file cannot be read, is not TOML, or has a value that cannot work.
    """
    try:
        document = _parsed(path.read_text(encoding="utf-8"))
        return _of_pyproject(document) if path.name == PYPROJECT else _config(document)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read ({error}); {_EXPECTED_FILE}") from error
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def parse(text: str) -> Config:
    """Return the configuration that a TOML text holds.

    Raises:
        ConfigurationError: The text is not TOML, or has a value that cannot work.
    """
    return _config(_parsed(text))


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"not TOML: {error}") from error


def _table_of(document: dict[str, Any]) -> dict[str, Any] | None:
    """Return the table `[tool.mlmetrics]` of a document, None if there is none."""
    tool = document.get("tool")
    table = tool.get("mlmetrics") if isinstance(tool, dict) else None
    return table if isinstance(table, dict) else None


def _of_pyproject(document: dict[str, Any]) -> Config:
    table = _table_of(document)
    if table is None:
        raise refusal(document, ("tool", "mlmetrics"), "the keys of mlmetrics.toml in a table [tool.mlmetrics]")
    try:
        return _config(table)
    except ConfigurationError as error:
        raise ConfigurationError(f"tool.mlmetrics.{error}") from error


def _operations(document: dict[str, Any]) -> tuple[Operation, ...]:
    """Return the operations in use, which decide what else may stand in the document."""
    sections = read(Operations, {key: document[key] for key in ("operation",) if key in document}).operation
    for path, expected in operation_problems(sections):
        raise refusal(document, path, expected)
    operations = operations_in_use(sections) if "operation" in document else OPERATIONS
    for path, expected in _alerts_of_one_name(operations):
        raise refusal(document, path, expected)
    return operations


def _alerts_of_one_name(operations: Sequence[Operation]) -> Iterator[Refusal]:
    """Yield an operation one of whose alerts would have the name of another alert."""
    taken = {*DEFAULTS}
    for index, operation in enumerate(operations):
        names = set() if operation.ships else {row.name for row in own_alerts(operation)}
        for name in sorted(names & taken):
            yield ("operation", index, "name"), f"another name: its alert {name} would have the name of another alert"
        taken |= names


def _config(document: dict[str, Any]) -> Config:
    operations = _operations(document)
    own = tuple(operation for operation in operations if not operation.ships)
    sections = dict(read(document_of(own), document))
    alerts = {name: AlertSettings(**dict(keys)) for name, keys in sections["alert"]}
    project, kubernetes = sections["project"], sections["kubernetes"]
    config = Config(
        **dict(project),
        services=sections["service"],
        operations=operations,
        requests=sections["requests"],
        metrics=metrics_in_use(operations, sections["requests"]),
        alerts=alerts,
        objectives=sections["objective"],
        host_targets=sections["host"].targets,
        pushgateways=sections["pushgateway"].targets,
        alertmanagers=sections["alertmanager"].targets,
        remote_write=sections["remote_write"].url,
        kubernetes_labels=kubernetes.labels,
        kubernetes_namespace=kubernetes.namespace,
        receivers=sections["notify"],
        bounds=dict(sections["buckets"]),
    )
    for path, expected in _contradictions(config):
        raise refusal(document, path, expected)
    return config


def _contradictions(config: Config) -> Iterator[Refusal]:
    """Yield the path of each key that contradicts another, with what was expected."""
    yield from _duplicates("service", config.jobs)
    yield from _duplicates("objective", [objective.name for objective in config.objectives])
    for scores in (operation.score for operation in config.operations if operation.score is not None):
        if config.buckets(scores.name)[-1] != 1:
            yield ("buckets", scores.name), "bounds up to 1, the highest score"
    for alert in configured_alerts(config):
        path = ("alert", alert.name)
        yield from _threshold_problems(config, (*path, "threshold"), alert.condition.samples)
        if isinstance(alert.condition, Drifted):
            yield from _drift_problems(path, alert.condition)
    for index, objective in enumerate(config.objectives):
        yield from _objective_problems(config, objective, ("objective", index))


def _duplicates(section: str, names: Sequence[str]) -> Iterator[Refusal]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield (
                (section, index, "name"),
                f"a different name for each {section}; {section}[{names.index(name)}] has it too",
            )


def _threshold_problems(config: Config, path: KeyPath, samples: Iterable[Sample]) -> Iterator[Refusal]:
    """Yield a threshold that is not a bound of the histogram whose bucket is read, or that no value exceeds."""
    for histogram, bound, part in ((each.name.removesuffix("_bucket"), each.bound, each.part) for each in samples):
        if bound is None:
            continue
        bounds = config.buckets(histogram)
        expected = f"one of {', '.join(f'{each:g}' for each in bounds)}"
        if bound > bounds[-1]:
            why = f"it lies beyond the last bucket ({bounds[-1]:g}) of {histogram}, so it could never be exceeded"
            yield path, f"{expected}; {why} {_BOUNDS_HINT}"
        elif bound not in bounds:
            yield (
                path,
                f"{expected}; it is not a bucket bound of {histogram}, so the alert could not be exact {_BOUNDS_HINT}",
            )
        elif part == "bad" and bound == bounds[-1]:
            yield path, f"a bound below {bound:g}: every score is at most {bound:g}, so it would always fire"


def _drift_problems(path: KeyPath, condition: Drifted) -> Iterator[Refusal]:
    if condition.threshold <= 0:
        yield (*path, "threshold"), "a PSI above 0; 0.1 is a slight shift, 0.2 a large one"
        return
    least = least_samples(condition.threshold, len(condition.bounds) or FEWEST_CLASSES)
    if condition.minimum < least:
        chance = f"with fewer the PSI can exceed {condition.threshold:g} by chance"
        yield (*path, "minimum"), f"at least {least}: {chance}"


def _objective_problems(config: Config, objective: Objective, path: KeyPath) -> Iterator[Refusal]:
    if objective.service not in config.jobs:
        yield (*path, "service"), f"one of {', '.join(config.jobs)}"
    known_operations = (REQUEST, *(operation.name for operation in config.operations if operation.calls))
    if objective.operation not in known_operations:
        yield (*path, "operation"), f"one of {', '.join(known_operations)}"
        return
    metric = measured_by(objective.operation)
    labels = tuple(label for label in config.metrics[metric].labels if label != "service")
    unknown = sorted(set(objective.only) - set(labels))
    if unknown:
        known = f"labels of {metric} ({', '.join(labels)})"
        yield (*path, "only"), f"{known} with the value to count; not {unknown[0]!r}"
    yield from _threshold_problems(config, (*path, "threshold"), indicator_of(objective).samples)
