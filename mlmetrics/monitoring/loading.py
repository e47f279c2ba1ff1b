"""From `mlmetrics.toml` to a `Config`: each section, its defaults, and what it refuses."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from mlmetrics.catalog import BY_NAME
from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.config import MEASURED_BY, Config, Notices, Objective, Operation, Service
from mlmetrics.monitoring.reading import Table, is_label
from mlmetrics.monitoring.rules.significance import least_samples
from mlmetrics.monitoring.settings import DEFAULTS, DRIFT_HISTOGRAMS, SEVERITIES, Settings, Severity

_LARGE = 1e15
_RESERVED_LABELS = ("alertname", "severity", "service", "job", "instance", "le")
_RESERVED_JOBS = ("node", "prometheus", "alertmanager")


def load(path: Path) -> Config:
    """Read a configuration file.

    Raises:
        ConfigurationError: The file cannot be read, is no TOML, or holds what cannot work.
    """
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: cannot be read ({error}); expected a configuration such as `mlmetrics init` writes"
        raise ConfigurationError(message) from error
    except ConfigurationError as error:
        message = f"{path}: {error}"
        raise ConfigurationError(message) from error


def parse(text: str) -> Config:
    """Return the configuration that a TOML text holds.

    Raises:
        ConfigurationError: The text is no TOML, or holds what cannot work.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = f"not TOML: {error}"
        raise ConfigurationError(message) from error
    return _config(Table(document, ""))


def _config(root: Table) -> Config:
    project = Table(root.raw("project", {}), "project")
    kubernetes = Table(root.raw("kubernetes", {}), "kubernetes")
    notices = Table(root.raw("notify", {}), "notify")
    services = _services(root)
    buckets = _buckets(Table(root.raw("buckets", {}), "buckets"))
    config = Config(
        name=project.text("name", "mlmetrics"),
        title=project.text("title", "ML/AI Performance"),
        services=services,
        alerts=_alerts(Table(root.raw("alert", {}), "alert"), buckets),
        objectives=_objectives(root, services, buckets),
        host_targets=Table(root.raw("host", {}), "host").texts("targets"),
        alertmanagers=Table(root.raw("alertmanager", {}), "alertmanager").texts("targets"),
        grouping=_grouping(project),
        external_labels=project.labels("external_labels"),
        rule_labels=_rule_labels(project),
        kubernetes_labels=_texts(kubernetes, "labels"),
        kubernetes_namespace=kubernetes.text("namespace") if "namespace" in kubernetes else "",
        runbooks=project.address("runbooks", "docs/runbooks"),
        grafana=project.address("grafana", "http://localhost:3001"),
        notices=Notices(notices.address("page", ""), notices.address("ticket", ""), notices.address("watchdog", "")),
        bucket_overrides=buckets,
    )
    _close_targets(root)
    for table in (project, kubernetes, notices, root):
        table.close()
    return config


def _close_targets(root: Table) -> None:
    for name in ("host", "alertmanager"):
        table = Table(root.raw(name, {}), name)
        table.texts("targets")
        table.close()


def _services(root: Table) -> tuple[Service, ...]:
    rows = root.raw("service", [])
    if not isinstance(rows, list) or not rows:
        root.refuse("service", 'at least one [[service]] with name = "…" and targets = ["host:port"]')
    services = [_service(Table(row, f"service[{index}]")) for index, row in enumerate(rows)]
    _refuse_twins([service.name for service in services], "service")
    return tuple(services)


def _service(table: Table) -> Service:
    module = table.text("module") if "module" in table else ""
    service = Service(table.text("name"), table.texts("targets", least=1), table.labels("labels"), module)
    if service.name in _RESERVED_JOBS:
        table.refuse("name", f"another name: {', '.join(_RESERVED_JOBS)} are jobs of the monitoring itself")
    for target in service.targets:
        if "/" in target or ":" not in target:
            table.refuse("targets", "addresses of the form host:port, without http:// and path")
    clash = set(service.labels) & set(_RESERVED_LABELS)
    if clash:
        table.refuse("labels", f"other label names than {', '.join(sorted(clash))}, which Prometheus or the rules set")
    table.close()
    return service


def _refuse_twins(names: list[str], what: str) -> None:
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        message = f"{what}.name = {twins[0]!r} stands {names.count(twins[0])} times: expected a different name for each"
        raise ConfigurationError(message)


def _grouping(project: Table) -> tuple[str, ...]:
    names = project.texts("grouping")
    if not all(is_label(name) and name not in _RESERVED_LABELS for name in names):
        project.refuse("grouping", 'label names that targets carry, such as ["cluster", "namespace"]')
    return names


def _rule_labels(project: Table) -> dict[str, str]:
    labels = project.labels("rule_labels")
    clash = set(labels) & {*_RESERVED_LABELS, "objective", "scope", "long", "short", "window"}
    if clash:
        project.refuse("rule_labels", f"other label names than {', '.join(sorted(clash))}, which the rules set")
    return labels


def _texts(table: Table, key: str) -> dict[str, str]:
    values = table.raw(key, {})
    if not isinstance(values, Mapping) or not all(isinstance(text, str) for text in values.values()):
        table.refuse(key, 'a table of texts such as { release = "prometheus" }')
    return dict(values)


def _buckets(table: Table) -> dict[str, tuple[float, ...]]:
    found: dict[str, tuple[float, ...]] = {}
    for name in table:
        metric = BY_NAME.get(name)
        bounds = table.raw(name, [])
        if metric is None or metric.kind != "histogram":
            table.refuse(name, f"the name of a histogram: {', '.join(m for m in BY_NAME if BY_NAME[m].buckets)}")
        if not isinstance(bounds, list) or len(bounds) < 2 or not all(isinstance(b, int | float) for b in bounds):  # noqa: PLR2004 - one bound has no neighbour
            table.refuse(name, "at least two bounds, as numbers")
        if sorted(set(bounds)) != bounds:
            table.refuse(name, "ascending bounds, each once")
        if name in DRIFT_HISTOGRAMS.values() and bounds[-1] != 1:
            table.refuse(name, "bounds up to 1, where scores end")
        found[name] = tuple(float(b) for b in bounds)
    return found


def _alerts(table: Table, buckets: Mapping[str, tuple[float, ...]]) -> dict[str, Settings]:
    for name in DEFAULTS:
        table.raw(name, None)
    table.close()
    return {
        name: _settings(Table(table.raw(name, {}), f"alert.{name}"), name, default, buckets)
        for name, default in DEFAULTS.items()
    }


def _settings(table: Table, name: str, default: Settings, buckets: Mapping[str, tuple[float, ...]]) -> Settings:
    numbers: dict[str, Any] = {
        key: table.number(key, getattr(default, key), least=least, most=most, expected=expected)
        for key, least, most, expected in (
            ("threshold", 0.0, _LARGE, "a number of 0 or more"),
            ("share", 0.0001, 0.9999, "a part between 0 and 1, such as 0.05 for 5 %"),
            ("minimum", 1.0, _LARGE, "a number of calls of 1 or more"),
        )
        if getattr(default, key) is not None
    }
    if default.window_seconds is not None:
        numbers["window_seconds"] = table.seconds("window", default.window_seconds)
    settings = replace(
        default,
        severity=cast("Severity", table.one_of("severity", SEVERITIES, default.severity)),
        for_seconds=table.seconds("for", default.for_seconds, positive=False),
        enabled=table.flag("enabled", default=default.enabled),
        **numbers,
    )
    _require_bound(table, "threshold", settings.threshold, settings.bucketed, buckets)
    _require_samples(table, name, settings, buckets)
    if name == "LowParsingAccuracy" and settings.threshold == 1:
        table.refuse("threshold", "a bound below 1: every score is at most 1, so it would always fire")
    table.close()
    return settings


def _require_bound(
    table: Table, key: str, value: float | None, metric: str, buckets: Mapping[str, tuple[float, ...]]
) -> None:
    if not metric or value is None:
        return
    bounds = buckets.get(metric, BY_NAME[metric].buckets)
    if value in bounds:
        return
    if value > bounds[-1]:
        why = f"it lies beyond the last bucket ({bounds[-1]:g}) of {metric}, so it could never be exceeded"
    else:
        why = f"it is no bucket bound of {metric}, so it could not be exact"
    table.refuse(key, f"one of {', '.join(f'{b:g}' for b in bounds)}; {why} (own bounds go into [buckets])")


def _require_samples(table: Table, name: str, settings: Settings, buckets: Mapping[str, tuple[float, ...]]) -> None:
    metric = DRIFT_HISTOGRAMS.get(name)
    if metric is None or settings.threshold is None or settings.minimum is None:
        return
    if settings.threshold <= 0:
        table.refuse("threshold", "a PSI above 0; 0.1 is a slight shift, 0.2 a large one")
    least = least_samples(settings.threshold, len(buckets.get(metric, BY_NAME[metric].buckets)))
    if settings.minimum < least:
        table.refuse(
            "minimum",
            f"at least {least}: with fewer scores chance alone brings the PSI above {settings.threshold:g}",
        )


def _objectives(
    root: Table, services: tuple[Service, ...], buckets: Mapping[str, tuple[float, ...]]
) -> tuple[Objective, ...]:
    rows = root.raw("objective", [])
    if not isinstance(rows, list):
        root.refuse("objective", "[[objective]] sections")
    names = tuple(service.name for service in services)
    objectives = [_objective(Table(row, f"objective[{index}]"), names, buckets) for index, row in enumerate(rows)]
    _refuse_twins([objective.name for objective in objectives], "objective")
    return tuple(objectives)


def _objective(table: Table, services: tuple[str, ...], buckets: Mapping[str, tuple[float, ...]]) -> Objective:
    operation = table.one_of("operation", MEASURED_BY)
    metric = MEASURED_BY[operation]
    threshold = None
    if "threshold" in table:
        threshold = table.number(
            "threshold", None, least=0.0, most=_LARGE, expected="seconds, as a number; leave it out to promise success"
        )
    _require_bound(table, "threshold", threshold, metric, buckets)
    objective = Objective(
        name=table.text("name"),
        service=table.one_of("service", services),
        operation=cast("Operation", operation),
        target=table.number(
            "target",
            None,
            least=0.0001,
            most=0.99999,
            expected="a part above 0 and below 1, such as 0.995: 0 promises nothing and 1 leaves no budget to burn",
        ),
        threshold_seconds=threshold,
        only=_only(table, metric),
        minimum=table.number("minimum", 10, least=1, most=_LARGE, expected="a number of calls of 1 or more"),
    )
    table.close()
    return objective


def _only(table: Table, metric: str) -> dict[str, str]:
    labels = tuple(label for label in BY_NAME[metric].labels if label != "service")
    only = table.labels("only")
    strangers = sorted(set(only) - set(labels))
    if strangers:
        table.refuse("only", f"labels of {metric} ({', '.join(labels)}) with the value to keep; not {strangers[0]!r}")
    return only
