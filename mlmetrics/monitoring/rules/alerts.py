"""All alerts, one row each: its default numbers, the condition that it watches, its texts and its dashboard.

The rows stand in `rows`, a file for each domain. Everything else about an alert follows from its row: the keys that
`[alert.NAME]` takes, the rule, the unit tests of the rule, and the threshold lines in panels.
"""

from collections.abc import Iterable, Iterator

from mlmetrics.catalog import Operation
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.operations import not_recorded
from mlmetrics.monitoring.rules.alert import Alert, AlertDefinition
from mlmetrics.monitoring.rules.conditions import Drifted
from mlmetrics.monitoring.rules.model import Group
from mlmetrics.monitoring.rules.rows.batch_jobs import BATCH_JOBS
from mlmetrics.monitoring.rules.rows.documents import DOCUMENTS
from mlmetrics.monitoring.rules.rows.fleet import FLEET
from mlmetrics.monitoring.rules.rows.models import COST, MODELS
from mlmetrics.monitoring.rules.rows.own import own_alerts
from mlmetrics.monitoring.rules.rows.predictions import PREDICTIONS
from mlmetrics.monitoring.rules.rows.prices import PRICES
from mlmetrics.monitoring.rules.rows.requests import REQUESTS

ALERTS = (*REQUESTS, *MODELS, *PREDICTIONS, *DOCUMENTS, *COST, *PRICES, *BATCH_JOBS, *FLEET)
DEFAULTS = {row.name: row.defaults for row in ALERTS}


def alert_rows(operations: Iterable[Operation]) -> tuple[AlertDefinition, ...]:
    """Return the rows that ship, and those of the operations that do not."""
    own = (operation for operation in operations if not operation.ships)
    return (*ALERTS, *(row for operation in own for row in own_alerts(operation)))


def configured_alerts(config: Config) -> tuple[Alert, ...]:
    """Return the alerts that apply, and whose samples are recorded, with their numbers; disabled ones too."""
    rows = (row for row in alert_rows(config.operations) if row.applies(config))
    alerts = (row.configured(config) for row in rows)
    missing = not_recorded(config.metrics.values())
    return tuple(alert for alert in alerts if missing.isdisjoint(sample.name for sample in alert.condition.samples))


def enabled_alerts(config: Config) -> tuple[Alert, ...]:
    """Return the alerts that the configuration enables."""
    return tuple(alert for alert in configured_alerts(config) if alert.settings.enabled)


def drift_alerts(config: Config) -> Iterator[tuple[Alert, Drifted]]:
    """Yield the enabled alerts on drift, with their conditions, for which there are recording rules."""
    for alert in enabled_alerts(config):
        if isinstance(alert.condition, Drifted):
            yield alert, alert.condition


def alert_group(config: Config) -> Group:
    """Return the group of alerting rules; objectives have groups of their own."""
    return Group("mlmetrics-alerts", tuple(alert.rule(config) for alert in enabled_alerts(config)))
