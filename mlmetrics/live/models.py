"""The table by model: one row for each model and operation of a service, from queries of the dashboards' kind."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlmetrics.live.data import Moment, results_of
from mlmetrics.live.history import History
from mlmetrics.live.numbers import rounded
from mlmetrics.live.reading import metrics_of
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.grafana.queries import Queries
from mlmetrics.monitoring.rules.cost import SPENT, TOKENS
from mlmetrics.monitoring.verify.interpolation import Choice, interpolate

BY = ["service", "model", "operation"]
FINISHED, SECONDS, ERRORS = "ml_inference_total", "ml_inference_duration_seconds", "ml_inference_errors_total"
COLUMNS = (
    ("model", "Model", ""),
    ("service", "Service", ""),
    ("operation", "Operation", ""),
    ("calls", "Calls", "reqps"),
    ("success", "Success", "percentunit"),
    ("p50", "p50", "s"),
    ("p95", "p95", "s"),
    ("tokens", "Tokens", "reqps"),
    ("cost", "Cost an hour", "currencyUSD"),
    ("error", "Last error", ""),
)
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelQueries:
    """The queries of the columns that are recorded."""

    texts: Mapping[str, str]

    def rows(self, moment: Moment, errors: Mapping[Key, str]) -> Iterator[dict[str, Any]]:
        """Yield the rows, those with most calls first."""
        found: dict[Key, dict[str, float]] = {}
        for column, text in self.texts.items():
            for labels, value in results_of(moment, text):
                texts = dict(labels)
                found.setdefault(tuple(texts.get(name, "") for name in BY), {})[column] = value
        numbers = [name for name, _, unit in COLUMNS if unit]
        for key, values in sorted(found.items(), key=lambda each: (-each[1].get("calls", 0.0), each[0])):
            service, model, operation = key
            shown = {name: rounded(values.get(name)) for name in numbers}
            yield {"model": model, "service": service, "operation": operation, **shown, "error": errors.get(key, "")}

    def keys(self) -> list[str]:
        """Return the queries."""
        return list(self.texts.values())


def model_queries(config: Config, choices: Mapping[str, Choice], has: Callable[[str], bool]) -> ModelQueries:
    """Return the queries of the columns whose metrics are recorded."""
    queries = Queries(config)
    texts = {
        "calls": queries.per_second(BY, FINISHED),
        "success": queries.success(BY, FINISHED),
        "p50": queries.quantile(0.5, BY, SECONDS),
        "p95": queries.quantile(0.95, BY, SECONDS),
        "tokens": queries.per_second(BY, TOKENS),
        "cost": queries.per_hour(BY, SPENT),
    }
    filled = {name: interpolate(text, choices) for name, text in texts.items()}
    return ModelQueries({name: text for name, text in filled.items() if all(has(each) for each in metrics_of(text))})


def last_errors(history: History) -> dict[Key, str]:
    """Return the type of the newest failure of each model: that of the counter that grew last."""
    newest: dict[Key, tuple[int, float, str]] = {}
    family = history.families.get(ERRORS)
    for series in family.series if family is not None else ():
        if series.last <= 0:
            continue
        # A series that was there from the first page on may count failures of long ago.
        is_dated = series.changed >= series.source.base and (series.changed, series.born) != (0, 0)
        time = series.source.time(series.changed) if is_dated else 0
        labels = dict(series.labels)
        key = tuple(labels.get(name, "") for name in BY)
        newest[key] = max(newest.get(key, (-1, 0.0, "")), (time, series.last, labels.get("error_type", "")))
    return {key: kind for key, (_, _, kind) in newest.items()}
