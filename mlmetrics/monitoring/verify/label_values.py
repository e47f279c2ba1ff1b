"""The values that a dashboard variable offers, from its `label_values(selector, label)`."""

import re

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.verify.prometheus_api import PrometheusAPI

PATTERN = re.compile(r"\s*label_values\(\s*(?:(?P<selector>.+?)\s*,\s*)?(?P<label>\w+)\s*\)\s*", re.DOTALL)


def read_label_values(prometheus: PrometheusAPI, query: str, start: float) -> list[str]:
    """Return the values that a variable has had since a time, in seconds since 1970.

    Raises:
        ConfigurationError: The query is of another kind, or Prometheus refuses it.
    """
    match = PATTERN.fullmatch(query)
    if match is None:
        raise ConfigurationError(f"{query}: expected label_values(selector, label)")
    return prometheus.label_values(match["label"], match["selector"] or "", start)
