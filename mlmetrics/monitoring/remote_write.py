"""Remote write: where a Prometheus sends every sample that it stores, and the queue that it keeps for that.

Both members of a pair read one file, and so send one series: VictoriaMetrics takes samples for duplicates where all
labels are the same. That is why no label names the member.
"""

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator

from mlmetrics.monitoring.config import key
from mlmetrics.monitoring.reading import Expects, Section, read
from mlmetrics.monitoring.values import BaseAddress

# Fewer, larger requests than by default: 30 shards hold at most 360,000 samples in memory, and send 200,000 a second
# to a server that takes 300 ms for a request. What does not fit waits in the write-ahead log, for two hours.
_QUEUE = {"max_samples_per_send": 2_000, "capacity": 10_000, "max_shards": 30}
_ADDRESS = "an http(s) address such as http://victoria:8428/api/v1/write"


def _address(text: str) -> str:
    parts = urlsplit(text)
    if text and not (parts.scheme in {"http", "https"} and parts.hostname):
        raise ValueError(_ADDRESS)
    return text


class RemoteWrite(Section):
    """Where Prometheus sends every sample that it stores."""

    url: Annotated[BaseAddress, AfterValidator(_address), Expects(_ADDRESS)] = key(
        "Address that takes remote write, such as http://victoria:8428/api/v1/write; empty: nowhere.", default=""
    )


def write_address(url: str) -> str:
    """Return an address that was given outside of a file, checked as one in it.

    Raises:
        ConfigurationError: It is none that takes remote write.
    """
    return read(RemoteWrite, {"url": url}).url


def remote_write_document(url: str) -> list[dict[str, Any]]:
    """Return what `prometheus.yml` holds of it."""
    return [{"url": url, "queue_config": dict(_QUEUE)}]
