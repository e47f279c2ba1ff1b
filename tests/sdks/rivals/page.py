"""Write docs/rivals.md from what the instruments have told: `FOLDER PATH`."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

NAMES = {
    "mlmetrics": "mlmetrics",
    "opentelemetry": "OpenTelemetry",
    "traceloop": "Traceloop",
    "openlit": "OpenLIT",
    "sdk": "the SDK itself",
}
TITLES = {"openai": "OpenAI", "anthropic": "Anthropic"}
Row = Mapping[str, Any]
Results = Mapping[str, Mapping[str, Any]]

HEAD = """# Calls of language models: what each instrument tells

Each scenario below is one call of an SDK, made once by the sync and once by the async client, against a server on
loopback that speaks the provider's protocol and keeps a ledger of what it sent. The same programs run without an
instrument first: how they end, and the ledger, are what is true. Then they run with each instrument, and what it told
is compared. `make rivals` installs all of it, runs it again, and writes this page.

What is compared:

- **calls**: one span for the call, or one call in our counters.
- **outcome**: success, failure or cancelled. A span tells success by no error, and cancelled by an error type that says
  so (`CancelledError`, `GeneratorExit`). OpenTelemetry's conventions have no word for a call that its program left.
- **tokens**: all that was read and all that was written, in metrics and in spans; of Anthropic, also without what the
  cache read and wrote, where that is told beside it. Where no usage was sent, any number is an estimate, and not
  right; a call that was not seen tells none, which is.
- **parts**: cache reads, cache writes and reasoning told apart.

The instruments run as they are after one line, with no option but those that send their data to memory. They are made
for traces as well, with prompts and answers, which is not compared here. Versions are the newest that worked together
on the day of the run. In the second table of each SDK, a tick says that all of it is right with both clients.
"""


def main(folder: Path, path: Path) -> None:
    """Write the page."""
    lines = [HEAD]
    for sdk, title in TITLES.items():
        files = {name: folder / f"{name}-{sdk}.json" for name in NAMES}
        found = {name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items() if file.exists()}
        lines += [f"## {title}", "", *summary(found), "", *details(found), ""]
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def summary(found: Results) -> Iterator[str]:
    """Yield a table of how often each was right."""
    yield "| instrument | versions | calls | outcome | tokens, metrics | tokens, spans | parts | all |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for name, result in found.items():
        checks = [judged(row) for row in result["rows"]]
        versions = ", ".join(f"{each} {version}" for each, version in result["versions"].items())
        metrics = "none" if name == "sdk" else share(checks, "metrics")
        spans = "none" if name == "mlmetrics" else share(checks, "spans")
        cells = [share(checks, "calls"), share(checks, "outcome"), metrics, spans, share(checks, "parts")]
        yield f"| {NAMES[name]} | {versions} | {' | '.join(cells)} | {share(checks, 'all')} |"


def share(checks: Sequence[Mapping[str, bool]], what: str) -> str:
    """Return how many checks were met."""
    return f"{sum(check[what] for check in checks)} of {len(checks)}"


def judged(row: Row) -> dict[str, bool]:
    """Return what of a row is right; of tokens, by metrics if there are any, else by spans."""
    true, told = row["true"], row["told"]
    metrics, spans = (same(true, told[each], told["parts"]) for each in ("metrics", "spans"))
    checks = {
        "calls": told["calls"] == 1,
        "outcome": told["outcome"] == true["outcome"],
        "tokens": metrics if told["metrics"] or not told["spans"] else spans,
        "parts": filled(told["parts"]) == filled(true["parts"]),
    }
    return {**checks, "all": all(checks.values()), "metrics": metrics, "spans": spans}


def same(true: Row, tokens: Mapping[str, float], parts: Mapping[str, float]) -> bool:
    """Whether tokens are those of the ledger: with the cache, or without it if its part is told too."""
    expected = filled(true["metrics"])
    cached = sum(parts.get(each, 0) for each in ("cache_read", "cache_write"))
    beside = filled({**expected, "input": expected.get("input", 0) - cached})
    return filled(tokens) in (expected, beside)


def filled(tokens: Mapping[str, float]) -> dict[str, float]:
    """Return the tokens that are not 0."""
    return {name: count for name, count in tokens.items() if count}


def details(found: Results) -> Iterator[str]:
    """Yield a table of all scenarios."""
    first = next(iter(found.values()))["rows"]
    yield "| scenario | true | " + " | ".join(NAMES[name] for name in found) + " |"
    yield "| --- | --- |" + " --- |" * len(found)
    for number in range(0, len(first), 2):
        row = first[number]
        cells = [cell(result["rows"][number : number + 2]) for result in found.values()]
        yield f"| {row['title']} | {truth(row['true'])} | {' | '.join(cells)} |"


def truth(true: Row) -> str:
    """Return what is true of a call: its outcome and its tokens, read and written."""
    return f"{true['outcome']}, {pair(true['metrics'])}"


def pair(tokens: Mapping[str, float]) -> str:
    """Return tokens that were read and written."""
    return f"{tokens.get('input', 0):g} + {tokens.get('output', 0):g} tokens" if filled(tokens) else "no tokens"


def cell(rows: Sequence[Row]) -> str:
    """Return what was told of a scenario: a tick if all is right with both clients, else what was not."""
    told = [", ".join(wrong(row)) or "✓" for row in rows]
    if told[0] == told[1]:
        return told[0]
    return "; ".join(f"{row['client']}: {each}" for row, each in zip(rows, told, strict=True))


def wrong(row: Row) -> Iterator[str]:
    """Yield what is not right in a row."""
    checks, told = judged(row), row["told"]
    if told["raised"] != row["true"]["raised"]:
        yield f"the program gets {told['raised'] or 'no error'}"
    if not told["calls"]:
        yield "not seen"
        return
    if not checks["calls"]:
        yield f"{told['calls']} calls"
    if not checks["outcome"]:
        yield told["outcome"]
    if not checks["tokens"]:
        yield pair(told["metrics"] or told["spans"])
        return
    if filled(row["true"]["metrics"]) and told["spans"] and not told["metrics"]:
        yield "tokens in spans only"
    missing = [each.replace("_", " ") for each in filled(row["true"]["parts"]) if each not in filled(told["parts"])]
    if missing:
        yield f"no {', '.join(missing)}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
