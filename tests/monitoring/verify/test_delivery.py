"""What is read from an Alertmanager's settings and counts; `tests/integration/test_receivers.py` asks real ones."""

from collections.abc import Iterator, Mapping

import pytest

from mlmetrics.monitoring.verify.alertmanager_api import AlertmanagerAPI, Count, Settings
from mlmetrics.monitoring.verify.delivery import Progress

REQUESTS, REFUSED = "alertmanager_notification_requests_total", "alertmanager_notification_requests_failed_total"
FAILED = "alertmanager_notifications_failed_total"


def counted(name: str, *, receiver: str = "", reason: str = "") -> Count:
    """Return what is counted of Slack."""
    return Count(name, "slack", receiver, reason)


class Counting(AlertmanagerAPI):
    """An Alertmanager that has counted what it is given: of versions that no test can start here."""

    def __init__(self, *counts: Mapping[Count, float]) -> None:
        super().__init__("http://127.0.0.1:9093")
        object.__setattr__(self, "_told", iter(counts))

    def counts(self) -> dict[Count, float]:
        """Return the next counts."""
        told: Iterator[Mapping[Count, float]] = object.__getattribute__(self, "_told")
        return dict(next(told))


class TestSettings:
    """The settings that an Alertmanager runs on."""

    @pytest.mark.parametrize(
        ("route", "peers", "seconds"),
        [
            ({}, 0, 30),
            ({"routes": [{"group_wait": "5s"}, {"receiver": "page"}]}, 0, 30),
            ({"group_wait": "10s"}, 1, 10),
            ({"group_wait": "10s", "routes": [{"routes": [{"group_wait": "1m30s"}]}]}, 0, 90),
            ({"group_wait": "10s"}, 3, 40),
            ({"group_wait": "1y"}, 0, 30),
        ],
    )
    def test_wait(self, route: dict[str, object], peers: int, seconds: float) -> None:
        """The longest wait of all routes counts, and 15 s for each further peer of a cluster."""
        assert seconds == Settings({}, route, peers).wait_seconds


class TestProgress:
    """What became of the messages of a test."""

    def test_counts_by_receiver(self) -> None:
        """Where receivers are counted apart, those of others are not ours."""
        others = {counted(REQUESTS, receiver="ticket"): 5.0}
        api = Counting(
            {**others, counted(REQUESTS, receiver="page"): 0.0}, *2 * [{counted(REQUESTS, receiver="page"): 1.0}]
        )
        progress = Progress(api, {}, frozenset({"page"}), {"slack": 1})
        assert not progress.is_over()
        assert progress.is_over()
        assert not progress.reason("slack")

    def test_names_the_reason(self) -> None:
        """Where Alertmanager counts why a message failed, the reason is told; an old failure is not of this test."""
        before = {counted(FAILED, reason="other"): 3.0, counted(REQUESTS): 9.0, counted(REFUSED): 3.0}
        now = {**before, counted(FAILED, reason="clientError"): 1.0, counted(REQUESTS): 10.0, counted(REFUSED): 4.0}
        progress = Progress(Counting(now), before, frozenset({"page"}), {"slack": 1})
        assert progress.is_over()
        assert "not answered, 1 time (clientError)" in progress.reason("slack")

    def test_a_failure_counted_late(self) -> None:
        """A request that is counted a moment before its failure is no success."""
        api = Counting({counted(REQUESTS): 1.0}, {counted(REQUESTS): 1.0, counted(REFUSED): 1.0})
        progress = Progress(api, {}, frozenset({"page"}), {"slack": 1})
        assert not progress.is_over()
        assert "not delivered" in progress.reason("slack")

    def test_no_answer(self) -> None:
        """A receiver that neither takes nor refuses a message is told apart."""
        progress = Progress(Counting({}), {}, frozenset({"page"}), {"slack": 1})
        assert not progress.is_over()
        assert "neither taken nor refused in time" in progress.reason("slack")
