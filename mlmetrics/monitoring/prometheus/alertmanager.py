"""`alertmanager.yml`: the receivers of alerts, how alerts are grouped, and which are inhibited by others."""

from typing import Any

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.durations import HOUR_SECONDS, MINUTE_SECONDS
from mlmetrics.monitoring.notify import untold
from mlmetrics.monitoring.prometheus.receivers import receivers
from mlmetrics.monitoring.text import HEADER, yaml_text

TEST_ALERT = "MlmetricsTest"
"""The alert that `mlmetrics check --send-test` sends."""
_GROUP_WAIT_SECONDS = 30.0
_GROUP_INTERVAL_SECONDS = 5 * MINUTE_SECONDS
_REPEAT_SECONDS = 4 * HOUR_SECONDS
# Alertmanager refuses intervals of 0, and needs this time to send, also when intervals are scaled down.
_LEAST_SECONDS = 0.5


def alertmanager_document(config: Config) -> dict[str, Any]:
    """Return the configuration of Alertmanager."""
    return {"route": route(config), "inhibit_rules": inhibitions(config), "receivers": receivers(config)}


def alertmanager_text(config: Config) -> str:
    """Return the file; if nobody is told of some alerts, a comment at its top says so."""
    silence = untold(config.receivers)
    header = f"{HEADER}# {silence}.\n" if silence else HEADER
    return yaml_text(alertmanager_document(config), header)


def route(config: Config) -> dict[str, Any]:
    """Return which alerts go to which place, and when."""
    return {
        "receiver": "ticket",
        "group_by": ["alertname", *config.grouping, "service"],
        "group_wait": _wait(config, _GROUP_WAIT_SECONDS),
        "group_interval": _wait(config, _GROUP_INTERVAL_SECONDS),
        "repeat_interval": _wait(config, _REPEAT_SECONDS),
        "routes": [
            {
                "receiver": "watchdog",
                "matchers": ['alertname="Watchdog"'],
                "repeat_interval": _wait(config, 5 * MINUTE_SECONDS),
            },
            {"receiver": "page", "matchers": ['severity="critical"']},
        ],
    }


def inhibitions(config: Config) -> list[dict[str, Any]]:
    """Return which alerts are not sent while others fire."""
    place = [*config.grouping, "service"]
    return [
        {
            "source_matchers": ['severity="critical"'],
            "target_matchers": ['severity="warning"'],
            "equal": ["alertname", *place, "objective"],
        },
        {
            "source_matchers": ['alertname="ServiceDown"'],
            # Alerts on hosts have no label `service`; two alerts without it would be equal, and one inhibit the other.
            "target_matchers": ['alertname!="ServiceDown"', 'service!=""'],
            "equal": place,
        },
    ]


def _wait(config: Config, seconds: float) -> str:
    return config.span(max(seconds, _LEAST_SECONDS / config.time_scale))
