"""The HTTP API of a running Prometheus."""

import json
import urllib.parse
from dataclasses import dataclass
from typing import Any

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.verify.pages import fetch


@dataclass(frozen=True, slots=True)
class PrometheusAPI:
    """A running Prometheus, by its address."""

    url: str

    def get(self, path: str, **parameters: str) -> Any:
        """Return the data of a response.

        Raises:
            ConfigurationError: Prometheus refuses the request, or does not answer.
        """
        url = f"{self.url.rstrip('/')}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        body, _ = fetch(url)
        try:
            return json.loads(body)["data"]
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"{url}: is not a response of Prometheus; expected an address such as http://localhost:9090"
            ) from error

    def query(self, query: str, at: float) -> list[dict[str, Any]]:
        """Return the value of each series of a query at a time."""
        found: list[dict[str, Any]] = self.get("query", query=query, time=f"{at:.3f}")["result"]
        return found

    def query_range(self, query: str, start: float, end: float, step_seconds: float) -> list[dict[str, Any]]:
        """Return the values of each series of a query over a time."""
        window = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step_seconds:g}"}
        found: list[dict[str, Any]] = self.get("query_range", query=query, **window)["result"]
        return found

    def label_values(self, label: str, selector: str, start: float) -> list[str]:
        """Return the values of a label since a time, of the series of a selector or, if it is empty, of all series."""
        chosen = {"match[]": selector} if selector else {}
        values: list[str] = self.get(f"label/{label}/values", **chosen, start=f"{start:.3f}")
        return values

    def label_names(self, start: float) -> list[str]:
        """Return the names of all labels since a time."""
        names: list[str] = self.get("labels", start=f"{start:.3f}")
        return names

    def series(self, name: str, start: float) -> list[dict[str, str]]:
        """Return the labels of each series of a metric since a time."""
        found: list[dict[str, str]] = self.get("series", **{"match[]": f'{{__name__="{name}"}}'}, start=f"{start:.3f}")
        return [{label: text for label, text in each.items() if label != "__name__"} for each in found]

    def targets(self) -> list[dict[str, Any]]:
        """Return the targets that are scraped."""
        found: list[dict[str, Any]] = self.get("targets", state="active")["activeTargets"]
        return found

    def rule_groups(self) -> list[dict[str, Any]]:
        """Return the groups of rules that are loaded."""
        found: list[dict[str, Any]] = self.get("rules")["groups"]
        return found
