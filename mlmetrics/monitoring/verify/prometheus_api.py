"""The HTTP API of a running Prometheus, and a function that fetches any page."""

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

from mlmetrics.errors import ConfigurationError

_TIMEOUT_SECONDS = 10


def fetch(url: str) -> tuple[str, str]:
    """Return the body and the content type of a page.

    Raises:
        ConfigurationError: The address is invalid, or no page can be read there.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"URL = {url!r}: expected an address such as http://localhost:5051/metrics")
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310 - the scheme was checked
            return response.read().decode("utf-8"), response.headers.get("Content-Type", "")
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{url}: cannot be read ({error}); expected a running service that answers there"
        ) from error


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

    def targets(self) -> list[dict[str, Any]]:
        """Return the targets that are scraped."""
        found: list[dict[str, Any]] = self.get("targets", state="active")["activeTargets"]
        return found

    def rule_groups(self) -> list[dict[str, Any]]:
        """Return the groups of rules that are loaded."""
        found: list[dict[str, Any]] = self.get("rules")["groups"]
        return found
