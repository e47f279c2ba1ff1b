"""Limits in panels: the thresholds of alerts, drawn as lines, with the way to the runbook."""

from dataclasses import dataclass

from grafana_foundation_sdk.models import dashboard

from mlmetrics.monitoring.config import Config

GREEN, RED = "green", "red"


@dataclass(frozen=True, slots=True)
class Limit:
    """Where an alert begins: at values above `value`, or below it when `low`. `signed` values may be negative.

    Without an alert's name the limit only colours.
    """

    alert: str
    value: float
    runbooks: str
    low: bool = False
    signed: bool = False

    def thresholds(self) -> dashboard.ThresholdsConfig:
        """Return the line, red on the side of the alert."""
        below, above = (RED, GREEN) if self.low else (GREEN, RED)
        steps = [dashboard.Threshold(None, below), dashboard.Threshold(self.value, above)]
        return dashboard.ThresholdsConfig(dashboard.ThresholdsMode.ABSOLUTE, steps)

    def words(self) -> str:
        """Return the sentence that explains the line."""
        if not self.alert:
            return ""
        return f" The line is where {self.alert} begins; runbook: {self._runbook()}"

    def links(self) -> list[dashboard.DashboardLink] | None:
        """Return the link to the runbook, where its address is one that a browser can open."""
        if not self.alert or "://" not in self.runbooks:
            return None
        link = dashboard.DashboardLink(
            title=f"Runbook: {self.alert}",
            type_val=dashboard.DashboardLinkType.LINK,
            url=self._runbook(),
            target_blank=True,
        )
        return [link]

    def _runbook(self) -> str:
        return f"{self.runbooks}/{self.alert}.md"


def over(config: Config, alert: str) -> Limit | None:
    """Return the threshold of an alert, for panels in the unit of what it measures; None if it is off."""
    return _limit(config, alert, config.alerts[alert].threshold)


def share_over(config: Config, alert: str) -> Limit | None:
    """Return the share beyond which an alert fires, for panels of bad shares; None if it is off."""
    return _limit(config, alert, config.alerts[alert].share)


def under(config: Config, alert: str) -> Limit | None:
    """Return the threshold under which an alert fires; None if it is off."""
    return _limit(config, alert, config.alerts[alert].threshold, low=True)


def good_share_under(config: Config, alert: str) -> Limit | None:
    """Return the share of good calls under which an alert on bad ones fires; None if it is off."""
    share = config.alerts[alert].share
    return _limit(config, alert, None if share is None else round(1 - share, 12), low=True)


def _limit(config: Config, alert: str, value: float | None, *, low: bool = False) -> Limit | None:
    if value is None or not config.alerts[alert].enabled:
        return None
    return Limit(alert, value, config.runbooks, low)
