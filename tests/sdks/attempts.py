"""What the tests of attempts share: the requests that a server meets, and what was counted of them."""

from collections import Counter

from prometheus_client import CollectorRegistry

from mlmetrics.responses.reasons import of_status
from tests.sdks.asking import by_labels
from tests.sdks.servers import ProviderServer, Scenario

ERRORS, RETRIES = "ml_inference_attempt_errors_total", "ml_inference_retries_total"
FINISHED = "ml_inference_finish_reasons_total"
LIMIT, REMAINING = "ml_inference_rate_limit", "ml_inference_rate_limit_remaining"


def failing(*statuses: int) -> list[Scenario]:
    """Return requests that are rejected, each by its status, and one that is answered."""
    return [*(Scenario(status=status) for status in statuses), Scenario()]


def counted(registry: CollectorRegistry, name: str) -> dict[str, float]:
    """Return the counts that are not 0, by reason; all of them are of one call."""
    found = by_labels(registry, name, "reason", "model", "operation")
    assert 1 >= len({labels[1:] for labels in found})
    return {labels[0]: count for labels, count in found.items()}


def by_ledger(server: ProviderServer) -> dict[str, float]:
    """Return why the requests failed that the server has rejected, as its ledger has them."""
    reasons = [of_status(row.status) for row in server.ledger.rows if row.status is not None]
    return dict(Counter(reason for reason in reasons if reason is not None))


def verify_attempts(server: ProviderServer, registry: CollectorRegistry, *, again: int) -> None:
    """Check that each request that the server rejected was counted, and that so many were made again."""
    assert by_ledger(server) == counted(registry, ERRORS)
    assert again == sum(counted(registry, RETRIES).values())


def told(registry: CollectorRegistry, name: str) -> dict[str, float]:
    """Return a limit, or what remains of it, by what is limited."""
    return {what: value for (what,), value in by_labels(registry, name, "limit").items()}


def finished(registry: CollectorRegistry) -> dict[str, float]:
    """Return how many answers ended, by why."""
    return {reason: count for (reason,), count in by_labels(registry, FINISHED, "finish_reason").items()}
