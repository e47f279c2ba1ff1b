"""The alert on prices that are no longer kept up to date."""

from mlmetrics.monitoring.config import AlertSettings, Config
from mlmetrics.monitoring.durations import DAY_SECONDS
from mlmetrics.monitoring.rules.alert import AlertDefinition
from mlmetrics.monitoring.rules.conditions import Aged
from mlmetrics.monitoring.rules.cost import SPENT
from mlmetrics.monitoring.rules.indicators import Sample

_DATE = Sample("mlmetrics_price_table_timestamp_seconds", "used")


def _has_cost(config: Config) -> bool:
    return SPENT in config.metrics


PRICES = (
    AlertDefinition(
        "PriceTableOld",
        AlertSettings("info", 0.0, window_seconds=90 * DAY_SECONDS),
        lambda config, settings: Aged(_DATE, (*config.grouping, "job", "table"), settings.window_seconds or 0.0),
        "{{ $labels.job }} computes costs by old prices",
        "The prices in its table '{{ $labels.table }}' are older than <window>.",
        "models",
        applies=_has_cost,
    ),
)
