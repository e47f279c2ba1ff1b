"""The numbers of the live page beside those of two scrapes of the demo's services, before and after some traffic."""

import math
from typing import Any

from tests.browser.demo import Demo, DemoPage
from tests.browser.growth import NOTHING, Growth, number

# What three digits can tell, and what a rate may be off for a bucket that nearly began with the burst.
DIGITS = 0.015
# A rate is what was counted between the first and the last scrape of half a minute, by the seconds between them.
LEAST_SECONDS, MOST_SECONDS = 26.0, 31.0
CALLS, SECONDS, ERRORS = "ml_inference_total", "ml_inference_duration_seconds", "ml_inference_errors_total"
REQUESTS, ANSWERED = "fastapi_requests_total", "fastapi_request_duration_seconds"
TOKENS, COST = "ml_inference_tokens_total", "ml_inference_cost_usd_total"
# All numbers of one moment: between two questions there may be a tick.
SHOWN = """(() => {
  const text = (e, selector) => e.querySelector(selector).textContent;
  const all = (selector) => [...document.querySelectorAll(selector)];
  return {
    stats: Object.fromEntries(all(".stat").map(e => [e.dataset.tile, text(e, ".value")])),
    legends: Object.fromEntries(all(".timeseries").map(e => [e.dataset.tile, Object.fromEntries(
      [...e.querySelectorAll(".legend span[title]")].map(name => [name.title, text(name.parentNode, "b")]))])),
    rows: all("#models tbody tr").map(row => [...row.children].map(cell => cell.textContent)),
    targets: document.querySelector("#targets").textContent,
  };
})()"""


class Comparison:
    """Compares the page with the growth since a scrape, and keeps what was wrong when least was."""

    def __init__(self, demo: Demo, page: DemoPage) -> None:
        self._demo = demo
        self._page = page
        self._before = demo.scrape()
        self._least: list[str] | None = None

    def agrees(self) -> bool:
        """Read both, and say whether they agree."""
        self.growth = Growth(self._before, self._demo.scrape())
        self.shown = self._page.evaluate(SHOWN)
        wrong = differences(self.shown, self.growth)
        if self._least is None or len(wrong) < len(self._least):
            self._least = wrong
        return not wrong

    def least(self) -> str:
        """Return what was wrong when least was."""
        return "\n".join(self._least or ())


def differences(shown: dict[str, Any], growth: Growth) -> list[str]:
    """Return where the page shows other numbers than the scrapes tell."""
    exact = {name: (number(text), told) for name, (text, told) in exact_numbers(shown, growth).items()}
    wrong = [
        f"{name}: {value:g}, expected {told:g}"
        for name, (value, told) in exact.items()
        if not math.isclose(value, told, rel_tol=DIGITS)
    ]
    rates = {name: (number(text), told) for name, (text, told) in rates_shown(shown, growth).items()}
    for name, (value, grown) in rates.items():
        if not value * LEAST_SECONDS <= grown <= value * MOST_SECONDS or not grown:
            wrong.append(f"{name}: {value:g} a second, expected {grown:g} in half a minute")
    return wrong


def exact_numbers(shown: dict[str, Any], growth: Growth) -> dict[str, tuple[str, float]]:
    """Return the shares and quantiles that the page shows, each with what it should be."""
    stats, legends = shown["stats"], shown["legends"]
    found = {
        "errors": (stats["errors"], 0.0),
        "p95": (stats["response-time-p95"], growth.quantile(0.95, ANSWERED)),
        "success": (stats["inference-success"], growth.share(CALLS)),
        "in progress": (stats["in-progress"], 0.0),
    }
    for (service,) in growth.groups(REQUESTS, "service"):
        told = growth.quantile(0.95, ANSWERED, service=service)
        found[f"p95 of {service}"] = legends["response-time-95th-percentile"][service], told
    for model, service, _, _, success, p50, p95, *_ in shown["rows"]:
        of, name = {"model": model, "service": service}, f"{model} of {service}"
        found[f"success of {name}"] = success, growth.share(CALLS, **of)
        found[f"p50 of {name}"] = p50, growth.quantile(0.5, SECONDS, **of)
        found[f"p95 of {name}"] = p95, growth.quantile(0.95, SECONDS, **of)
    return found


def rates_shown(shown: dict[str, Any], growth: Growth) -> dict[str, tuple[str, float]]:
    """Return the rates that the page shows, each with how much was counted."""
    stats, legends = shown["stats"], shown["legends"]
    found = {
        "requests": (stats["requests"], growth.total(REQUESTS)),
        "inferences": (stats["inferences"], growth.total(CALLS)),
        "tokens": (stats["tokens-a-second"], growth.total(TOKENS)),
        "cost": (stats["cost-an-hour"], growth.total(COST) * 3600),
    }
    for (service,) in growth.groups(REQUESTS, "service"):
        found[f"requests of {service}"] = legends["api-request-rate"][service], growth.total(REQUESTS, service=service)
    for model, service, _, calls, *_, tokens, cost, _ in shown["rows"]:
        of, name = {"model": model, "service": service}, f"{model} of {service}"
        found[f"calls of {name}"] = calls, growth.total(CALLS, **of)
        if tokens != NOTHING:
            found[f"tokens of {name}"] = tokens, growth.total(TOKENS, **of)
            found[f"cost of {name}"] = cost, growth.total(COST, **of) * 3600
    return found
