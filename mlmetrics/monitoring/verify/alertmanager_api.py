"""The HTTP API of a running Alertmanager: its configuration, its alerts, and what it counts of messages."""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.durations import parse_seconds
from mlmetrics.monitoring.verify.metrics_page import read_page
from mlmetrics.monitoring.verify.pages import TIMEOUT_SECONDS, fetch

# Alertmanager's defaults: before a group is sent first, and between one peer of a cluster and the next.
_GROUP_WAIT_SECONDS, _PEER_SECONDS = 30.0, 15.0


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration that an Alertmanager runs on: the kinds of each receiver, and the route of all alerts."""

    kinds: Mapping[str, tuple[str, ...]]
    route: Mapping[str, Any]
    peers: int = 0

    def routes(self) -> Iterator[Mapping[str, Any]]:
        """Yield the route of all alerts and all routes in it."""
        pending = [self.route]
        while pending:
            route = pending.pop(0)
            yield route
            pending += route.get("routes") or []

    @property
    def wait_seconds(self) -> float:
        """The longest time that Alertmanager waits before it sends an alert first."""
        waits = [_seconds(route["group_wait"]) for route in self.routes() if "group_wait" in route]
        if "group_wait" not in self.route:  # routes without their own have that of the route around them
            waits.append(_GROUP_WAIT_SECONDS)
        return max(waits) + _PEER_SECONDS * max(self.peers - 1, 0)


@dataclass(frozen=True, slots=True)
class Count:
    """What an Alertmanager counts under one name, for one kind of receivers.

    `receiver` is empty unless Alertmanager runs with `receiver-name-in-metrics`; `reason`, in versions before 0.26.
    """

    name: str
    kind: str
    receiver: str
    reason: str


@dataclass(frozen=True, slots=True)
class AlertmanagerAPI:
    """A running Alertmanager, by its address."""

    url: str

    def settings(self) -> Settings:
        """Return the configuration that it runs on.

        Raises:
            ConfigurationError: It does not answer, or something else does.
        """
        status = self._get("/api/v2/status")
        try:
            document = yaml.safe_load(status["config"]["original"])
            return Settings(
                {each["name"]: tuple(_kinds(each)) for each in document["receivers"]},
                document["route"],
                len(status.get("cluster", {}).get("peers") or ()),
            )
        except (KeyError, TypeError, yaml.YAMLError) as error:
            raise self._stranger() from error

    def alerts(self, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the alerts with these labels, each with its receivers and whether it is suppressed."""
        filters = [("filter", f"{name}={json.dumps(value)}") for name, value in labels.items()]
        found: list[dict[str, Any]] = self._get(f"/api/v2/alerts?{urllib.parse.urlencode(filters)}")
        return found

    def send(self, alert: Mapping[str, Any]) -> None:
        """Send an alert, as Prometheus does.

        Raises:
            ConfigurationError: It does not answer, or refuses the alert.
        """
        request = urllib.request.Request(  # noqa: S310 - `fetch` has checked the scheme for `settings`
            f"{self._base}/api/v2/alerts", json.dumps([alert]).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):  # noqa: S310 - as above
                pass
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"{request.full_url}: the alert was not taken ({error}); expected a running Alertmanager"
            ) from error

    def counts(self) -> dict[Count, float]:
        """Return what it counts of messages since it started."""
        page = read_page(*fetch(f"{self._base}/metrics"))
        return {
            Count(name, *(dict(labels).get(label, "") for label in ("integration", "receiver_name", "reason"))): value
            for (name, labels), value in page.totals.items()
            if name.startswith(("alertmanager_notification", "alertmanager_config_last_reload_successful"))
        }

    @property
    def _base(self) -> str:
        return self.url.rstrip("/")

    def _get(self, path: str) -> Any:
        body, _ = fetch(f"{self._base}{path}")
        try:
            return json.loads(body)
        except ValueError as error:
            raise self._stranger() from error

    def _stranger(self) -> ConfigurationError:
        return ConfigurationError(
            f"{self.url}: does not answer as Alertmanager does; expected an address such as http://localhost:9093"
        )


def _seconds(text: object) -> float:
    try:
        return parse_seconds(str(text))
    except ValueError:
        return _GROUP_WAIT_SECONDS


def _kinds(receiver: Mapping[str, Any]) -> Iterable[str]:
    """Yield the kind of each integration of a receiver, as metrics name it."""
    for key, configs in receiver.items():
        if key.endswith("_configs"):
            yield from [key.removesuffix("_configs")] * len(configs or ())
