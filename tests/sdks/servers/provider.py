"""A provider's server on loopback: reads requests, takes the next scenario, answers by endpoint, keeps the ledger."""

import json
import re
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from tests.apps import ThreadServer
from tests.sdks.servers import ledger
from tests.sdks.servers.answers import Answer, Asked, Body, answer
from tests.sdks.servers.exchange import Event, Exchange, Receive, Send
from tests.sdks.servers.ledger import Ledger, Row, Tokens
from tests.sdks.servers.scenario import Scenario

KEY_HEADERS = {b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key"}
RATE_LIMITED = 429
# The SDKs of OpenAI and Anthropic take `retry-after: 0` for no advice, and wait half a second.
RETRY_NOW = {"retry-after": "0", "retry-after-ms": "1"}
OK = 200


class Endpoint(ABC):
    """One kind of request: reads it, and writes its answer as the provider does."""

    operation: ClassVar[str]

    @abstractmethod
    def asked(self, body: Body, path: Mapping[str, str]) -> Asked:
        """Return what a request asks for."""

    @abstractmethod
    def whole(self, asked: Asked, said: Answer, scenario: Scenario) -> object:
        """Return the answer in one piece."""

    def failure(self, asked: Asked, said: Answer, scenario: Scenario) -> object | None:
        """Return the answer that tells of an error with status 200 in one piece; None if the provider has none."""
        return None

    def spent(self, said: Answer) -> Tokens:
        """Return the tokens that the usage of an answer in one piece says."""
        return said.tokens


class Streaming(Endpoint):
    """An endpoint that also streams its answers, to requests that ask for that."""

    @abstractmethod
    def events(self, asked: Asked, said: Answer, scenario: Scenario) -> Sequence[Event]:
        """Return the answer as the events of a stream."""

    @abstractmethod
    def error(self, asked: Asked, scenario: Scenario, number: int) -> Event:
        """Return the error of a stream, of which `number` events have been sent."""


class ProviderServer(ThreadServer):
    """A context manager over a server; `queue` sets what the next requests meet, and `ledger` has what was sent.

    `cached` has the texts that are in the prompt cache: a test adds what it wants to be read from there.
    """

    endpoints: ClassVar[Mapping[str, Endpoint]]
    comments: ClassVar[bool] = True  # whether the provider's clients read comments in a stream

    def __init__(self) -> None:
        super().__init__(self._serve_request, interface="asgi3", lifespan="off", http="h11", ws="none")
        self.ledger = Ledger()
        self.cached: set[str] = set()
        self.faults: list[Exception] = []
        self._next: deque[Scenario] = deque()
        self._used: list[Scenario] = []

    def queue(self, *scenarios: Scenario) -> Scenario:
        """Have the next requests meet `scenarios`, one each, and return the last; later ones are answered well."""
        self._next.extend(scenarios)
        return scenarios[-1]

    def reset(self) -> None:
        """Release all that is held, and forget the scenarios, the cache and the ledger; raise a fault of the server."""
        for scenario in self._used:
            scenario.release()
        faults, waiting = list(self.faults), list(self._next)
        _ = self.ledger.rows  # waits for the last request
        self.ledger.clear()
        for each in (self._used, self._next, self.cached, self.faults):
            each.clear()
        assert not faults, faults
        assert not waiting, f"no request met {waiting}"

    @abstractmethod
    def rejection(self, status: int) -> object:
        """Return the body of an error response."""

    def headers(self, *, again: bool) -> Mapping[str, str]:
        """Return the provider's own headers; `again` says that the request may be tried again at once."""
        return {}

    async def _serve_request(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        body = await _read(receive)
        if body is None:
            return
        found = self._endpoint(scope["path"])
        if found is None:
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b"{}"})
            return
        endpoint, path = found
        asked = endpoint.asked(json.loads(body), path)
        row = Row(
            operation=endpoint.operation,
            model=asked.model,
            streamed=asked.streams,
            authorized=any(name in KEY_HEADERS and value.strip() for name, value in scope["headers"]),
        )
        scenario = self._next.popleft() if self._next else Scenario()
        self._used.append(scenario)
        with self.ledger.entry(row):
            exchange = Exchange(receive, send, row, scenario)
            try:
                await self._answer(exchange, endpoint, asked, row, scenario)
            except Exception as fault:
                self.faults.append(fault)
                raise
            finally:
                exchange.close()

    def _endpoint(self, path: str) -> tuple[Endpoint, Mapping[str, str]] | None:
        """Return the endpoint at `path`, with the parts that its pattern names."""
        for pattern, endpoint in self.endpoints.items():
            if found := re.fullmatch(pattern, path):
                return endpoint, found.groupdict()
        return None

    async def _answer(self, exchange: Exchange, endpoint: Endpoint, asked: Asked, row: Row, scenario: Scenario) -> None:
        if scenario.timed_out:
            await exchange.hold()
            if exchange.gone:
                row.ended = ledger.CLIENT_GONE
                return
        row.status = scenario.status
        headers = {**self.headers(again=scenario.status >= RATE_LIMITED), **scenario.headers}
        said = answer(asked, self.cached, refused=scenario.refused)
        if scenario.response_model:
            said = replace(said, model=scenario.response_model)
        if scenario.status != OK:
            rejection = self.rejection(scenario.status) if scenario.rejection is None else scenario.rejection
            await exchange.whole(rejection, ended=ledger.REJECTED, tokens=None, headers=headers)
        elif asked.streams and isinstance(endpoint, Streaming):
            events = endpoint.events(asked, said, scenario)
            await exchange.stream(
                events, lambda number: endpoint.error(asked, scenario, number), headers, comments=self.comments
            )
        elif scenario.error_at is not None:
            await self._fail(exchange, endpoint.failure(asked, said, scenario), row, headers)
        else:
            tokens = endpoint.spent(said) if scenario.usage else None
            payload = endpoint.whole(asked, said, scenario)
            await exchange.whole(payload, ended=ledger.COMPLETE, tokens=tokens, headers=headers)

    async def _fail(self, exchange: Exchange, payload: object | None, row: Row, headers: Mapping[str, str]) -> None:
        """Tell of an error inside the answer, or by the status where the provider has no other way."""
        if payload is not None:
            await exchange.whole(payload, ended=ledger.ERROR_INSIDE, tokens=None, headers=headers)
            return
        row.status = 500
        await exchange.whole(self.rejection(500), ended=ledger.REJECTED, tokens=None, headers=headers)


async def _read(receive: Receive) -> bytes | None:
    """Return the whole body of a request; None if the client has left before."""
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body
