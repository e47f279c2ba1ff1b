"""Whether alerts reach somebody: an Alertmanager's receivers, and a test alert that is followed to its end."""

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from mlmetrics.monitoring.config import Config, Severity
from mlmetrics.monitoring.notify import PLACES, untold
from mlmetrics.monitoring.prometheus.alertmanager import TEST_ALERT
from mlmetrics.monitoring.rules.alert import DASHBOARDS
from mlmetrics.monitoring.verify.alertmanager_api import AlertmanagerAPI, Count, Settings
from mlmetrics.monitoring.verify.finding import Finding, Level

_NOTIFICATIONS_FAILED = "alertmanager_notifications_failed_total"
_REQUESTS, _REQUESTS_FAILED = (
    "alertmanager_notification_requests_total",
    "alertmanager_notification_requests_failed_total",
)
_RELOADED = "alertmanager_config_last_reload_successful"
_POLL_SECONDS = 0.2
# To send, after the wait; and to succeed in a second try, after a first that failed.
_SEND_SECONDS, _RETRY_SECONDS = 10.0, 5.0
_LONGEST_LIFE = timedelta(minutes=5)
_EMPTY = "NOBODY IS TOLD: the receiver has neither an address nor a webhook"
_UNNOTICED = "nobody notices if alerts stop: the receiver of the alert Watchdog is empty"
_LOG = "Alertmanager's log says why, in lines with `Notify`"


def silence_findings(config: Config) -> list[Finding]:
    """Return a note if the configuration names nobody to tell of some alerts."""
    silence = untold(config.receivers)
    return [Finding("note", "receivers", "notify", silence)] if silence else []


def check_alertmanager(url: str) -> list[Finding]:
    """Return what is wrong in a running Alertmanager: a file that it did not take, and receivers that tell nobody."""
    api = AlertmanagerAPI(url)
    return list(_receiver_findings(api.settings(), api.counts()))


def _receiver_findings(settings: Settings, counts: Mapping[Count, float]) -> Iterator[Finding]:
    if any(count.name == _RELOADED and not value for count, value in counts.items()):
        yield Finding(
            "error",
            "receivers",
            "alertmanager.yml",
            "was refused at the last reload: the settings before it are in use",
        )
    used = [str(route["receiver"]) for route in settings.routes() if "receiver" in route]
    # Whoever leaves alerts to nobody on purpose gives that receiver a name of its own.
    needed = {*used[:1], *PLACES} - {"watchdog"}
    for name in dict.fromkeys(used):
        if not settings.kinds.get(name):
            level: Level = "error" if name in needed else "note"
            text = _UNNOTICED if name == "watchdog" else _EMPTY
            yield Finding(level, "receivers", name, text)


@dataclass(slots=True)
class Delivery:
    """What became of a test alert: the receivers that it was routed to, and of each kind there why it did not arrive.

    The reason is empty if the kind's message was taken.
    """

    receivers: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    problem: str = ""

    def findings(self) -> list[Finding]:
        """Return an error for each message that did not arrive."""
        where = " and ".join(self.receivers) or TEST_ALERT
        texts = [f"{kind}: {reason}" for kind, reason in self.reasons.items() if reason]
        return [Finding("error", "delivery", where, text) for text in (*filter(None, [self.problem]), *texts)]


def send_test(config: Config, url: str, severity: Severity) -> Delivery:
    """Send a test alert through a running Alertmanager, follow it to its receivers, and resolve it.

    The label `service` is new each time, so that the alert is a group of its own, which is sent at once.

    Raises:
        ConfigurationError: Alertmanager does not answer, or refuses the alert.
    """
    api = AlertmanagerAPI(url)
    settings, before = api.settings(), api.counts()
    service = f"mlmetrics-check-{secrets.token_hex(3)}"
    labels = {"alertname": TEST_ALERT, "severity": severity, "service": service}
    now = datetime.now(UTC)
    # Alertmanager sends an alert that is older than the wait of its group without that wait.
    start = now - timedelta(seconds=settings.wait_seconds + 1)
    alert = {"labels": labels, "annotations": _annotations(config), "startsAt": start.isoformat()}
    api.send({**alert, "endsAt": (now + _LONGEST_LIFE).isoformat()})
    try:
        return _followed(api, settings, before, labels)
    finally:
        api.send({**alert, "endsAt": datetime.now(UTC).isoformat()})


def _annotations(config: Config) -> dict[str, str]:
    return {
        "summary": "A test of the receivers, sent by `mlmetrics check --send-test`",
        "description": "Nothing is wrong. Whoever reads this is told of alerts like it.",
        "runbook_url": f"{config.runbooks}/README.md",
        "dashboard_url": f"{config.grafana}/d/{DASHBOARDS['main']}",
    }


def _followed(
    api: AlertmanagerAPI, settings: Settings, before: Mapping[Count, float], labels: Mapping[str, str]
) -> Delivery:
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        found[:] = api.alerts(labels)
        return bool(found)

    if not _wait(is_there, _SEND_SECONDS):
        return Delivery(problem=f"Alertmanager does not list the alert, {_SEND_SECONDS:g} s after it took it")
    receivers = [each["name"] for each in found[0]["receivers"]]
    expected = Counter(kind for name in receivers for kind in settings.kinds.get(name, ()))
    if not expected:
        return Delivery(receivers, problem=_EMPTY)
    progress = Progress(api, before, frozenset(receivers), expected)
    _wait(lambda: progress.is_over() or bool(_suppression(api, labels)), settings.wait_seconds + _SEND_SECONDS)
    if any(map(progress.reason, expected)) and (why := _suppression(api, labels)):
        return Delivery(receivers, problem=why)
    return Delivery(receivers, {kind: progress.reason(kind) for kind in expected})


def _suppression(api: AlertmanagerAPI, labels: Mapping[str, str]) -> str:
    """Return why Alertmanager holds an alert back, empty if it does not."""
    words = {"silencedBy": "a silence", "inhibitedBy": "another alert, by inhibition", "mutedBy": "a time interval"}
    status: dict[str, Any] = next((alert["status"] for alert in api.alerts(labels)), {})
    held = [f"{words[key]} ({', '.join(status[key])})" for key in words if status.get(key)]
    return f"is held back by {' and '.join(held)}" if held else ""


@dataclass(slots=True)
class Progress:
    """What Alertmanager has counted since `before` of the messages to some receivers."""

    api: AlertmanagerAPI
    before: Mapping[Count, float]
    receivers: frozenset[str]
    expected: Mapping[str, int]
    now: Mapping[Count, float] = field(default_factory=dict)
    failing_since: float | None = None

    def is_over(self) -> bool:
        """Tell whether every message was taken, or has failed for good or for longer than a second try takes."""
        self.now = self.api.counts()
        open_kinds = [kind for kind in self.expected if not self._is_taken(kind)]
        if not open_kinds:
            self.now = self.api.counts()  # a request may have been counted a moment before its failure
            return all(self._is_taken(kind) for kind in self.expected)
        if not all(self._failed(kind) for kind in open_kinds):
            return False
        self.failing_since = self.failing_since or time.monotonic()
        final = all(self._grown(_NOTIFICATIONS_FAILED, kind) for kind in open_kinds)
        return final or time.monotonic() - self.failing_since > _RETRY_SECONDS

    def reason(self, kind: str) -> str:
        """Return why a message was not taken, empty if it was."""
        if self._is_taken(kind):
            return ""
        if not (failed := self._failed(kind)):
            return f"not delivered: neither taken nor refused in time; {_LOG}, or it waits for its group_interval"
        reasons = sorted(
            count.reason
            for count, value in self.now.items()
            if count.name == _NOTIFICATIONS_FAILED and self._is_ours(count, kind) and value > self.before.get(count, 0)
        )
        why = f" ({', '.join(filter(None, reasons))})" if any(reasons) else ""
        times = f"{failed:g} {'time' if failed == 1 else 'times'}"
        return f"not delivered: refused, or not answered, {times}{why}; {_LOG}"

    def _is_taken(self, kind: str) -> bool:
        return self._grown(_REQUESTS, kind) - self._grown(_REQUESTS_FAILED, kind) >= self.expected[kind]

    def _failed(self, kind: str) -> float:
        return self._grown(_REQUESTS_FAILED, kind) or self._grown(_NOTIFICATIONS_FAILED, kind)

    def _grown(self, name: str, kind: str) -> float:
        return sum(
            value - self.before.get(count, 0)
            for count, value in self.now.items()
            if count.name == name and self._is_ours(count, kind)
        )

    def _is_ours(self, count: Count, kind: str) -> bool:
        return count.kind == kind and (not count.receiver or count.receiver in self.receivers)


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    """Return whether a condition became true within a time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
