"""The line of a panel at which an alert fires, with the colours on its sides and the link to the alert's runbook."""

from dataclasses import dataclass, replace

from grafana_foundation_sdk.models import dashboard

from mlmetrics.monitoring.config import Config


@dataclass(frozen=True, slots=True)
class Threshold:
    """The value above which an alert fires, or below which if `low`. `signed` values may be negative.

    The panel shows it as a line, with a link to the alert's runbook. Without the name of an alert it only sets colours.
    If the value is a share of a limit that the panel draws (`of_limit`), there is no line, and it is told in words.
    """

    alert: str
    value: float
    runbooks: str
    low: bool = False
    signed: bool = False
    of_limit: bool = False

    def steps(self) -> dashboard.ThresholdsConfig:
        """Return the colours: red on the side of the alert, green on the other."""
        below, above = ("red", "green") if self.low else ("green", "red")
        steps = [dashboard.Threshold(None, below), dashboard.Threshold(self.value, above)]
        return dashboard.ThresholdsConfig(dashboard.ThresholdsMode.ABSOLUTE, steps)

    def description(self) -> str:
        """Return the sentence that explains the line, or says what share of the limit is too much."""
        if not self.alert:
            return ""
        if self.of_limit:
            return f" {self.alert} fires above {self.value * 100:.4g} % of the limit; runbook: {self._runbook()}"
        return f" The line is the threshold of {self.alert}; runbook: {self._runbook()}"

    def links(self) -> list[dashboard.DashboardLink] | None:
        """Return the link to the runbook, if its address is one that a browser can open."""
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


def above(config: Config, alert: str) -> Threshold | None:
    """Return the threshold of an alert that fires above it, which is drawn if the alert is rendered."""
    return _threshold(config, alert, config.alerts[alert].threshold)


def below(config: Config, alert: str) -> Threshold | None:
    """Return the threshold of an alert that fires below it, which is drawn if the alert is rendered."""
    return _threshold(config, alert, config.alerts[alert].threshold, low=True)


def share_above(config: Config, alert: str) -> Threshold | None:
    """Return the share of bad calls above which an alert fires, which is drawn if the alert is rendered."""
    return _threshold(config, alert, config.alerts[alert].share)


def share_of_limit(config: Config, alert: str) -> Threshold | None:
    """Return the share of its limit above which an alert on a process fires, which is told if it is rendered."""
    found = share_above(config, alert)
    return None if found is None else replace(found, of_limit=True)


def good_share_below(config: Config, alert: str) -> Threshold | None:
    """Return the share of good calls below which an alert fires, which is drawn if the alert is rendered."""
    share = config.alerts[alert].share
    return _threshold(config, alert, None if share is None else round(1 - share, 12), low=True)


def _threshold(config: Config, alert: str, value: float | None, *, low: bool = False) -> Threshold | None:
    return None if value is None else Threshold(alert, value, config.runbooks, low)
