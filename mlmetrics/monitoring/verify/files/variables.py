"""The variables of a dashboard: their values where they are known, and what stands for them in a query where not."""

import re
from collections.abc import Mapping
from typing import Any

from mlmetrics.monitoring.verify.files.documents import mapping, objects
from mlmetrics.monitoring.verify.files.promql import VARIABLE
from mlmetrics.monitoring.verify.interpolation import VARIABLE_PATTERN, Choice, interpolate, name_in

RATE_INTERVAL, INTERVAL, RANGE_SECONDS = "1m", "15s", 3600
BUILT_IN: dict[str, Choice] = {
    "__rate_interval": RATE_INTERVAL,
    "__interval": INTERVAL,
    "__interval_ms": "15000",
    "__range": f"{RANGE_SECONDS}s",
    "__range_s": str(RANGE_SECONDS),
    "__range_ms": str(RANGE_SECONDS * 1000),
    "__from": "0",
    "__to": f"{RANGE_SECONDS * 1000}",
    "__auto": INTERVAL,
    "__auto_interval": INTERVAL,
}
_WINDOW = re.compile(r"\[([^\[\]]*)\]|\b(offset)\s+(\S+)")
_SOURCES = {"datasource", "adhoc"}


def is_datasource_of_prometheus(variable: Mapping[str, Any]) -> bool:
    """Tell whether a variable chooses among data sources of Prometheus."""
    return variable.get("type") == "datasource" and "prometheus" in str(variable.get("query", ""))


def placeholder(name: str) -> str:
    """Return what stands for a variable in a query: a name, so that it may stand for a metric or a label too."""
    return f"{VARIABLE}{name}"


def choices_of(dashboard: Mapping[str, Any]) -> dict[str, Choice]:
    """Return what to write for each variable of a dashboard before its values are known."""
    choices = dict(BUILT_IN)
    for variable in variables_of(dashboard):
        name, kind = str(variable.get("name", "")), str(variable.get("type"))
        if kind not in _SOURCES and name:
            choices[name] = _fixed(variable) or placeholder(name)
    return choices


def variables_of(dashboard: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the variables of a dashboard."""
    return [*objects(mapping(dashboard.get("templating")).get("list"))]


def _fixed(variable: Mapping[str, Any]) -> str:
    """Return the value of a variable that needs no query: the current one, else the first; empty if there is none."""
    if str(variable.get("type")) not in {"constant", "custom", "interval", "textbox"}:
        return ""
    value = mapping(variable.get("current")).get("value", "")
    value = value[0] if isinstance(value, list) and value else value
    if not isinstance(value, str) or not value or value.startswith("$"):
        first = str(variable.get("query") or "").split(",")
        value = next((each.rpartition(" : ")[2].strip() for each in first if each.strip() not in {"auto", ""}), "")
    return str(value)


def filled(query: str, choices: Mapping[str, Choice]) -> str:
    """Return a query with its variables replaced; those without a known value are 5 minutes where a window stands."""
    query = _WINDOW.sub(lambda match: _window(match, choices), query)
    return interpolate(query, choices)


def _window(match: re.Match[str], choices: Mapping[str, Choice]) -> str:
    text = match[0]
    for variable in VARIABLE_PATTERN.finditer(text):
        if VARIABLE in str(choices.get(name_in(variable), "")):
            text = text.replace(variable[0], "5m")
    return text


def undeclared(query: str, choices: Mapping[str, Choice], declared: set[str]) -> set[str]:
    """Return the variables in a query that the dashboard does not declare and Grafana does not set."""
    names = {name_in(match) for match in VARIABLE_PATTERN.finditer(query)}
    return {name for name in names if not name.startswith("__") and not name[0].isdigit()} - set(choices) - declared
