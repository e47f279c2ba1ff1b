"""Run one instrument through the ways of asking one SDK, and write what it told as JSON: `INSTRUMENT SDK PATH`."""

import importlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.sdks.asking import CACHED, CASES, Case, Played, Way, expected_end, play
from tests.sdks.rivals.telemetry import Instrument, OpenTelemetry, Ours, Told, parts, totals
from tests.sdks.servers import AnthropicServer, OpenAIServer, ProviderServer, Row, Scenario

INSTRUMENTS: Mapping[str, Callable[[str], Instrument]] = {
    "mlmetrics": Ours,
    "opentelemetry": lambda _: OpenTelemetry(
        "opentelemetry.instrumentation.openai_v2",
        scopes=("opentelemetry.instrumentation.openai_v2", "opentelemetry.util.genai"),
        versions=("opentelemetry-instrumentation-openai-v2", "opentelemetry-util-genai"),
    ),
    "traceloop": lambda sdk: OpenTelemetry(
        f"opentelemetry.instrumentation.{sdk}",
        scopes=(f"opentelemetry.instrumentation.{sdk}",),
        versions=(f"opentelemetry-instrumentation-{sdk}",),
    ),
    "openlit": lambda _: OpenTelemetry("openlit", scopes=("openlit",), versions=("openlit",)),
    "sdk": lambda sdk: OpenTelemetry(scopes=(f"com.{sdk}",), versions=()),
}
"""By name; `sdk` is what an SDK tells by itself."""
SCENARIOS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "openai": (
        ("chat", "create", "ok"),
        ("chat, parsed into a form", "parse", "ok"),
        ("chat, raw response", "raw", "ok"),
        ("chat, streaming response", "streaming_parse", "ok"),
        ("stream, usage asked", "stream", "ok"),
        ("stream, usage not asked", "stream_without_usage", "ok"),
        ("stream helper", "helper_final", "ok"),
        ("stream, raw response", "raw_stream", "ok"),
        ("stream, lines of the response", "streaming_stream_lines", "ok"),
        ("Responses API", "responses", "ok"),
        ("Responses API, stream", "responses_stream", "ok"),
        ("Responses API, stream helper", "responses_helper_final", "ok"),
        ("embeddings", "embeddings", "ok"),
        ("time-out", "create", "timed_out"),
        ("429, then answered", "create", "limited"),
        ("rejected with 500", "create", "rejected"),
        ("stream, cut", "stream", "cut"),
        ("stream, error inside", "stream", "error_inside"),
        ("Responses API, error inside the stream", "responses_stream", "error_inside"),
        ("stream, left and closed", "closed", "left"),
        ("stream, its block left", "left_block", "left"),
        ("stream helper, left", "left_helper", "left"),
        ("stream, dropped", "dropped", "left"),
        ("stream, closed unread", "never_iterated", "left"),
    ),
    "anthropic": (
        ("messages", "create", "ok"),
        ("beta messages", "beta", "ok"),
        ("raw response", "raw", "ok"),
        ("streaming response", "streaming_parse", "ok"),
        ("stream", "stream", "ok"),
        ("stream helper, final message", "helper_final", "ok"),
        ("stream helper, text", "helper_text", "ok"),
        ("stream, raw response", "raw_stream", "ok"),
        ("stream, lines of the response", "streaming_stream_lines", "ok"),
        ("time-out", "create", "timed_out"),
        ("429, then answered", "create", "limited"),
        ("rejected with 500", "create", "rejected"),
        ("stream, cut", "stream", "cut"),
        ("stream, error inside", "stream", "error_inside"),
        ("stream, left and closed", "closed", "left"),
        ("stream, its block left", "left_block", "left"),
        ("stream helper, left", "left_helper", "left"),
        ("stream, dropped", "dropped", "left"),
        ("stream, closed unread", "never_iterated", "left"),
    ),
}
SERVERS: Mapping[str, type[ProviderServer]] = {"openai": OpenAIServer, "anthropic": AnthropicServer}


def main(name: str, sdk: str, path: Path) -> None:
    """Run all scenarios with both clients, without the instrument and with it."""
    clients = importlib.import_module(f"tests.sdks.test_calls_{sdk}").client_of
    with SERVERS[sdk]() as server:
        true = [run(server, clients, each) for each in runs(sdk)]
        instrument = INSTRUMENTS[name](sdk)
        told = [run(server, clients, each, instrument) for each in runs(sdk)]
    rows = [
        {"title": each.title, "client": "async" if each.waits else "sync", "true": fact, "told": said}
        for each, fact, said in zip(runs(sdk), true, told, strict=True)
    ]
    versions = {each: version(each) for each in (sdk, *instrument.versions)}
    path.write_text(json.dumps({"instrument": name, "sdk": sdk, "versions": versions, "rows": rows}, indent=1) + "\n")


@dataclass(frozen=True, slots=True)
class Run:
    """One scenario with one client."""

    title: str
    way: Way
    case: Case
    waits: bool


def runs(sdk: str) -> list[Run]:
    """Return all of an SDK."""
    asking = importlib.import_module(f"tests.sdks.asking_{sdk}")
    ways = {way.name: way for way in (*asking.WAYS, *asking.LEFT)}
    cases = {**CASES, "left": Case(lambda: [Scenario(hold_at=2)])}
    return [Run(title, ways[way], cases[case], waits) for title, way, case in SCENARIOS[sdk] for waits in (False, True)]


def run(server: ProviderServer, clients: Any, each: Run, instrument: Instrument | None = None) -> dict[str, Any]:
    """Return what an instrument tells of one call; without one, what is true of it."""
    server.reset()
    server.cached.add(CACHED)
    if scenarios := each.case.scenarios():
        server.queue(*scenarios)
    if instrument is not None:
        instrument.clear()
    played = play(each.way.ask, lambda: clients(server, each.case, asynchronous=each.waits), waits=each.waits)
    row = server.ledger.rows[-1]
    told = truth(each.way, played, row) if instrument is None else instrument.told()
    return {**asdict(told), "raised": "" if played.error is None else type(played.error).__name__}


def truth(way: Way, played: Played, row: Row) -> Told:
    """Return what there is to tell of a call: the outcome, and the tokens that the program was told."""
    outcome, _ = expected_end(way, played, row)
    spent = (row.tokens or {}) if way.told else {}
    return Told(1, outcome, totals(spent), {}, parts(spent))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
