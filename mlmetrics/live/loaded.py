"""The rules of mlmetrics that a Prometheus has loaded, with the alerts as it evaluates them itself."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from mlmetrics.live.alerts import Alert
from mlmetrics.live.rules import Rules
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.durations import format_seconds
from mlmetrics.monitoring.rules.model import AlertingRule, RecordingRule

_OURS = "mlmetrics-"
"""What the names of all groups of rules begin with."""
_WAITS = "it has not been evaluated yet"
Document = Mapping[str, Any]


def loaded_rules(groups: Sequence[Document], config: Config) -> Rules | None:
    """Return the rules of mlmetrics in the groups of a server, None if it has none of them.

    Their texts, thresholds and states are the server's, whatever the configuration here says.

    Args:
        groups: what the server answers at `/api/v1/rules`.
        config: gives the units of thresholds.
    """
    documents = [each for group in groups if group["name"].startswith(_OURS) for each in group["rules"]]
    if not any(each["type"] == "alerting" for each in documents):
        return None
    found = Rules(config, float("inf"), [_rule(each) for each in documents])
    by_key = {_key(each): each for each in documents if each["type"] == "alerting"}
    for rule in found.alerting:
        document = by_key[rule.rule.name, rule.rule.expression, tuple(sorted(rule.rule.labels.items()))]
        rule.alerts = dict(_alerts(document))
        is_evaluated = document.get("health", "ok") == "ok"
        rule.why = "" if is_evaluated else document.get("lastError") or _WAITS
    return found


def _key(document: Document) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    return document["name"], document["query"], tuple(sorted(document.get("labels", {}).items()))


def _rule(document: Document) -> AlertingRule | RecordingRule:
    name, query, labels = document["name"], document["query"], document.get("labels", {})
    if document["type"] == "recording":
        return RecordingRule(name, query, labels)
    return AlertingRule(
        name, query, format_seconds(document.get("duration", 0)), labels, document.get("annotations", {})
    )


def _alerts(document: Document) -> Iterator[tuple[tuple[tuple[str, str], ...], Alert]]:
    """Yield the alerts of a rule by their labels, without those that all alerts of the rule have."""
    of_rule = {"alertname", *document.get("labels", {})}
    for each in document.get("alerts", ()):
        labels = tuple(sorted(pair for pair in each["labels"].items() if pair[0] not in of_rule))
        since = round(datetime.fromisoformat(each["activeAt"]).timestamp() * 1000)
        yield labels, Alert(each["state"], since, float(each["value"]), each.get("annotations", {}))
