"""What was recorded of an SDK's calls, beside what the ledger of the server has of their requests."""

from prometheus_client import CollectorRegistry

from tests.recorded import errors, in_progress, outcomes, samples
from tests.sdks.servers import COMPLETE, ProviderServer
from tests.sdks.servers.ledger import Row


def tokens(registry: CollectorRegistry) -> dict[str, float]:
    """Return the recorded tokens by type."""
    found = samples(registry, "ml_inference_tokens_total")
    counts: dict[str, float] = {}
    for sample in found:
        kind = sample.labels["token_type"]
        counts[kind] = counts.get(kind, 0.0) + sample.value
    return {kind: count for kind, count in counts.items() if count}


def missing(registry: CollectorRegistry) -> float:
    """Return how many calls were recorded as answered without usage."""
    return sum(sample.value for sample in samples(registry, "ml_inference_usage_missing_total"))


def unsaid(row: Row) -> bool:
    """Whether a response had no usage. One that was never complete, and is no stream, is no response."""
    return row.status == 200 and row.tokens is None and (row.streamed or row.ended == COMPLETE)


def agree(server: ProviderServer, registry: CollectorRegistry, **expected: int) -> None:
    """Assert that the calls ended so, and that the tokens and what is missing of them are the ledger's."""
    rows = server.ledger.rows
    assert expected == outcomes(registry)
    assert server.ledger.tokens() == tokens(registry)
    assert sum(map(unsaid, rows)) == missing(registry)
    assert 0 == in_progress(registry)
    assert {} == errors(registry)
