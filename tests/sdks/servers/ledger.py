"""What a server really sent, one row a request: the truth that instruments are measured against."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.sdks.servers.scenario import TIMEOUT_SECONDS

COMPLETE = "complete"
CUT = "cut"
ERROR_INSIDE = "error_inside"
CLIENT_GONE = "client_gone"
REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Numbers of tokens by additive type: none contains another."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def prompt(self) -> int:
        """All that was read."""
        return self.input + self.cache_read + self.cache_write

    @property
    def completion(self) -> int:
        """All that was written."""
        return self.output + self.reasoning

    def by_type(self) -> dict[str, int]:
        """Return the types that have tokens."""
        counts = {name: getattr(self, name) for name in ("input", "cache_read", "cache_write", "output", "reasoning")}
        return {name: count for name, count in counts.items() if count}


@dataclass(slots=True, kw_only=True)
class Row:
    """One request.

    `tokens` is what the usage said last that reached the wire, by additive type and without the types that have
    none; None if no usage was sent. `chunks` and `reasoning_chunks` are pieces of content that were sent.
    """

    operation: str
    model: str
    streamed: bool
    authorized: bool
    status: int = 0
    ended: str = ""
    chunks: int = 0
    reasoning_chunks: int = 0
    tokens: dict[str, int] | None = None


class Ledger:
    """The rows of the requests that have ended, oldest end first; reading waits until none is under way."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ended: list[Row] = []
        self._under_way = 0

    @contextmanager
    def entry(self, row: Row) -> Iterator[Row]:
        """Hold `row` under way in the block, and keep it from then on."""
        with self._changed:
            self._under_way += 1
        try:
            yield row
        finally:
            with self._changed:
                self._under_way -= 1
                self._ended.append(row)
                self._changed.notify_all()

    @property
    def rows(self) -> list[Row]:
        """The rows, once no request is under way."""
        with self._changed:
            assert self._changed.wait_for(lambda: not self._under_way, TIMEOUT_SECONDS), (
                f"{self._under_way} requests are still under way: release them, or close the client's streams"
            )
            return list(self._ended)

    def wait(self, count: int) -> list[Row]:
        """Return the rows, once there are `count`: after a client that may have left before its request was read."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._ended) >= count, TIMEOUT_SECONDS), (
                f"expected {count} requests, got {self._ended}"
            )
        return self.rows

    def calls(self, model: str | None = None) -> list[Row]:
        """Return the rows of `model`, or of all models."""
        return [row for row in self.rows if model in {None, row.model}]

    def tokens(self, model: str | None = None) -> dict[str, int]:
        """Return the sum of what the usages said, by additive type, without the types that have none."""
        counts: Counter[str] = Counter()
        for row in self.calls(model):
            counts.update(row.tokens or {})
        return dict(counts)

    def clear(self) -> None:
        """Forget the rows."""
        with self._changed:
            self._ended.clear()
