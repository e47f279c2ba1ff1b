"""A rehearsal of all alerts: faults in real services make each alert fire, and their end resolves it.

`python -m tests.integration.alert_rehearsal` starts the services of the examples, Prometheus with the shipped
rules (windows scaled down), Alertmanager and a webhook receiver; runs them without faults, with faults, and
again without; and prints alert x {fired, resolved, false}. `--write` puts the table into docs/alerts.md.
"""

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.prometheus.files import server_files
from mlmetrics.monitoring.rules.baseline import export_baseline
from tests.integration.nightly_job import NightlyJob
from tests.integration.pressure import SERVICE as PRESSURE_SERVICE
from tests.integration.pressure import PressureExporter
from tests.integration.recruiting_traffic import Traffic
from tests.servers import Alertmanager, HTTPReceiver, Prometheus, Pushgateway, UvicornServer, free_port

CHAT_SERVICE = "chat-service"
TIME_SCALE = 1 / 60
CALLS_A_SECOND = 8.0
BAD_SECONDS = 75.0
WELL_SECONDS = BAD_SECONDS
RECOVERY_SECONDS = 120.0
DOCUMENT = Path(__file__).parents[2] / "docs" / "alerts.md"
BEGIN, END = "<!-- rehearsal: begin -->", "<!-- rehearsal: end -->"

MODULES = {
    "cv-parser-service": "cv_parser",
    "job-parser-service": "job_parser",
    "matching-service": "matching",
    "api": "api",
}
FAULTS = {
    "cv-parser-service": ["slow model", "slow page"],
    "job-parser-service": ["failing model"],
    "matching-service": ["shifted scores", "a model name for each call"],
    "second matching-service": ["scores are no numbers"],
    "chat-service": [
        *("an expensive model", "a model without price", "no usage", "old prices"),
        *("a busy model", "a missing model"),
    ],
}
SLOW_ANSWERS = {"first_word_seconds": 0.8, "between_words_seconds": 0.6}
# Alert and the label that distinguishes its rules -> the fault that makes it fire.
CAUSES = {
    "HighAPIResponseTime": "slow model in cv-parser-service",
    "HighErrorRate": "failing model in job-parser-service, answered by 500",
    "SlowMLInference": "slow model in cv-parser-service",
    "HighMLFailureRate": "failing model in job-parser-service",
    "SlowFirstChunk": "a language model that begins late, asked through the SDK of OpenAI",
    "SlowChunks": "a language model that pauses between words, asked through the SDK of OpenAI",
    "RetryStorm": "a language model that answers 429, which the SDK of OpenAI asks again",
    "FallbacksExhausted": "calls that go on from a busy model to one that refuses their key",
    "AuthenticationOrQuotaFailures": "a key that a language model refuses, by 401, to the SDK of OpenAI",
    "ModelLoadFailed": "a model whose file is missing, in chat-service",
    "UsageMissing": "streams asked for through the SDK of OpenAI without their usage",
    "LowConfidence": "tickets in a language that the model of ticket-service has not learned",
    "BadFeedback": "every ticket of ticket-service is closed under another topic",
    "LowParsingAccuracy": "documents cut to their first quarter",
    "MatchingScoreDrift": "matcher gives an eighth of its scores; against a recorded baseline",
    "ParsingAccuracyDrift": "documents cut to their first quarter; against a recorded baseline",
    "InferenceScoreDrift": "tickets in a language that the model has not learned; against a recorded baseline",
    "PredictedClassDrift": "tickets of one strange language, sorted under one topic; against a recorded baseline",
    "ServiceDown": "process of api killed, later started again",
    "InstanceDown": "one of three processes of matching-service killed, later started again",
    "SlowScrape": "slow /metrics in cv-parser-service",
    "HighMemoryUsage process": "synthetic exporter",
    "HighCPUUsage process": "synthetic exporter",
    "HighMemoryUsage host": "synthetic exporter",
    "HighCPUUsage host": "synthetic exporter",
    "Unpriced": "a model without a price, asked through the SDK of OpenAI",
    "CostBudget": "an expensive model, asked through the SDK of OpenAI",
    "DailySpend": "an expensive model, asked through the SDK of OpenAI",
    "PriceTableOld": "a table of prices of years ago",
    "MonthlyBudget": "an expensive model, asked through the SDK of OpenAI",
    "BatchJobNotSucceeded": "every run of a job that pushes to a Pushgateway fails",
    "RecordingErrors": "matcher gives NaN in the second process of matching-service",
    "LabelOverflow": "a model name for each call in matching-service",
    "ErrorBudgetBurn 5m": "failing model in job-parser-service",
    "ErrorBudgetBurn 30m": "failing model in job-parser-service",
}
"""Those of 2h and 6h need hours even when scaled; promtool proves them."""

# Thresholds in seconds are not scaled, because they are not windows; minimum traffic is for a minute, not an hour.
SETTINGS = """
[alert.HighAPIResponseTime]
threshold = 0.5
[alert.SlowMLInference]
threshold = 0.5
[alert.SlowFirstChunk]
threshold = 0.5
[alert.SlowChunks]
threshold = 0.5
window = "20m"
minimum = 20
[alert.SlowScrape]
threshold = 0.25
[alert.MatchingScoreDrift]
window = "40m"
for = "10m"
minimum = 170
[alert.ParsingAccuracyDrift]
window = "40m"
for = "10m"
minimum = 224
[alert.InferenceScoreDrift]
window = "40m"
for = "10m"
minimum = 170
[alert.PredictedClassDrift]
window = "40m"
for = "10m"
[alert.BadFeedback]
window = "15m"
[alert.UsageMissing]
window = "15m"
[alert.Unpriced]
window = "15m"
[alert.CostBudget]
window = "15m"
[alert.DailySpend]
threshold = 20
window = "15m"
[alert.MonthlyBudget]
threshold = 20
window = "15m"
[alert.BatchJobNotSucceeded]
window = "20m"
[[objective]]
name = "job-parsing-success"
service = "job-parser-service"
operation = "request"
target = 0.95
"""


@dataclass
class Row:
    """The result of one alert."""

    alert: str
    fired: bool = False
    resolved: bool = False
    false: bool = False

    @property
    def proven(self) -> bool:
        """Whether it fired, resolved, and was silent without faults."""
        return self.fired and self.resolved and not self.false


@dataclass
class Rehearsal:
    """The services, their addresses, and the alerts that the webhook has received."""

    stack: ExitStack
    services: dict[str, UvicornServer]
    model: UvicornServer
    exporter: PressureExporter
    job: NightlyJob
    traffic: Traffic
    receiver: HTTPReceiver
    prometheus: Prometheus
    downed: list[str] = field(default_factory=lambda: ["api", "third matching-service"])

    def misbehave(self) -> None:
        """Start every fault."""
        for name, faults in FAULTS.items():
            self._set_faults(name, faults)
        self._answer(SLOW_ANSWERS)
        self.exporter.pressure = self.traffic.torn = self.traffic.strange = self.job.failing = True
        for name in self.downed:
            self.services[name].process.kill()

    def recover(self) -> None:
        """End every fault."""
        for name in FAULTS:
            self._set_faults(name, [])
        self._answer({})
        self.exporter.pressure = self.traffic.torn = self.traffic.strange = self.job.failing = False
        for name in self.downed:
            restarted = _service(name, self.services[name].port)
            self.services[name] = self.stack.enter_context(restarted)

    def _set_faults(self, name: str, faults: list[str]) -> None:
        httpx.put(f"{self.services[name].url}/faults", json=faults, trust_env=False).raise_for_status()

    def _answer(self, behaviour: dict[str, float]) -> None:
        """Set how the language model answers from now on."""
        httpx.put(f"{self.model.url}/behaviour", json=behaviour, trust_env=False).raise_for_status()

    def heard(self, status: str) -> set[str]:
        """Return the alerts that the webhook has received with a status."""
        return {
            row_name(alert["labels"])
            for body in list(self.receiver.bodies)
            for alert in body["alerts"]
            if alert["status"] == status
        }


def row_name(labels: dict[str, str]) -> str:
    """Return an alert's name with the label that distinguishes its rules."""
    return " ".join(filter(None, (labels["alertname"], labels.get("scope", ""), labels.get("short", ""))))


def run() -> list[Row]:
    """Run the rehearsal, and return the result of every alert."""
    with ExitStack() as stack:
        rehearsal = _start(stack)
        rehearsal.prometheus.wait_for("count(up == 1) == 11")
        time.sleep(WELL_SECONDS)
        false = rehearsal.heard("firing") - {"Watchdog"}
        assert "Watchdog" in rehearsal.heard("firing"), "Alertmanager tells nothing, not even the Watchdog"
        rehearsal.misbehave()
        _wait_for(rehearsal, "firing", BAD_SECONDS)
        rehearsal.recover()
        _wait_for(rehearsal, "resolved", RECOVERY_SECONDS)
        fired, resolved = rehearsal.heard("firing"), rehearsal.heard("resolved")
    names = [*CAUSES, *sorted(false - set(CAUSES))]
    return [Row(name, name in fired, name in resolved, name in false) for name in names]


def _wait_for(rehearsal: Rehearsal, status: str, seconds: float) -> None:
    """Wait until the webhook has received every alert, for a limited time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not set(CAUSES) <= rehearsal.heard(status):
        time.sleep(0.5)


def _start(stack: ExitStack) -> Rehearsal:
    names = [*MODULES, "second matching-service", "third matching-service"]
    services = {name: stack.enter_context(_service(name)) for name in names}
    services["ticket-service"] = stack.enter_context(UvicornServer("examples.classifier:app", ready_path="/metrics"))
    model = stack.enter_context(UvicornServer("examples.language_model.server:app", ready_path="/ledger"))
    busy = stack.enter_context(UvicornServer("examples.language_model.server:app", ready_path="/ledger"))
    httpx.put(f"{busy.url}/behaviour", json={"rate_limited": True}, trust_env=False).raise_for_status()
    chat = {"OPENAI_BASE_URL": f"{model.url}/v1", "BUSY_URL": f"{busy.url}/v1"}
    services[CHAT_SERVICE] = stack.enter_context(
        UvicornServer("tests.integration.asking:app", env=chat, ready_path="/metrics")
    )
    exporter = stack.enter_context(PressureExporter())
    gateway = stack.enter_context(Pushgateway())
    job = stack.enter_context(NightlyJob(gateway.url))
    traffic = Traffic({name: service.url for name, service in services.items()}, calls_a_second=CALLS_A_SECOND)
    receiver = stack.enter_context(HTTPReceiver())
    alertmanager_port = free_port()
    config = configuration(services, exporter, gateway, receiver.url, alertmanager_port)
    files = server_files(config)
    stack.enter_context(Alertmanager(files.pop("alertmanager.yml"), port=alertmanager_port))
    files |= _baselines(traffic)
    stack.enter_context(traffic)
    prometheus = stack.enter_context(Prometheus(files.pop("prometheus.yml"), files))
    return Rehearsal(stack, services, model, exporter, job, traffic, receiver, prometheus)


def _service(name: str, port: int | None = None) -> UvicornServer:
    module = MODULES[re.sub("^(second|third) ", "", name)]
    env = {"RECRUITING_MODULE": f"examples.recruiting.{module}"}
    return UvicornServer("tests.integration.misbehaving:app", env=env, port=port, ready_path="/health")


def configuration(
    services: dict[str, UvicornServer],
    exporter: PressureExporter,
    gateway: Pushgateway,
    webhook: str,
    alertmanager_port: int,
) -> Config:
    """Return the configuration that the rehearsal's Prometheus and Alertmanager run on, scaled down."""
    targets: dict[str, list[str]] = {}
    for name, service in services.items():
        targets.setdefault(re.sub("^(second|third) ", "", name), []).append(f"127.0.0.1:{service.port}")
    targets[PRESSURE_SERVICE] = [f"127.0.0.1:{exporter.ports['service']}"]
    sections = [f'[[service]]\nname = "{name}"\ntargets = {places}' for name, places in targets.items()]
    sections += [
        f'[host]\ntargets = ["127.0.0.1:{exporter.ports["host"]}"]',
        f'[pushgateway]\ntargets = ["127.0.0.1:{gateway.port}"]',
        f'[alertmanager]\ntargets = ["127.0.0.1:{alertmanager_port}"]',
        f'[notify]\npage = "{webhook}"\nticket = "{webhook}"\nwatchdog = "{webhook}"',
        SETTINGS,
    ]
    return parse("\n".join(sections)).scaled(TIME_SCALE)


def _baselines(traffic: Traffic) -> dict[str, str]:
    """Return rule files with the services' scores without faults, as baselines of training time."""
    confidences, similarities = traffic.healthy_scores()
    sorted_tickets = traffic.healthy_tickets()
    cv = {"service": "cv-parser-service", "parser": "cv", "doc_type": "txt"}
    matcher = {"service": "matching-service", "matcher": "tfidf-cosine"}
    with tempfile.TemporaryDirectory() as folder:
        accuracy = export_baseline(confidences, f"{folder}/cv.yml", metric="parsing_accuracy_score", labels=cv)
        matching = export_baseline(similarities, f"{folder}/matching.yml", labels=matcher)
        sorter = {"service": "ticket-service", "model": "ticket-sorter"}
        sure = [confidence for _, confidence in sorted_tickets]
        model = {**sorter, "operation": ""}
        scores = export_baseline(sure, f"{folder}/sure.yml", metric="ml_inference_score", labels=model)
        topics = [topic for topic, _ in sorted_tickets]
        classes = export_baseline(topics, f"{folder}/topics.yml", metric="ml_prediction_total", labels=sorter)
        paths = (accuracy, matching, scores, classes)
        return {f"rules/baselines/{path.name}": path.read_text(encoding="utf-8") for path in paths}


def table(rows: Iterable[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| alert | provoked by | fired | resolved | false |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        words = (_word(row.fired), _word(row.resolved), _word(row.false))
        lines.append(f"| {row.alert} | {CAUSES.get(row.alert, 'nothing')} | {' | '.join(words)} |")
    return "\n".join(lines)


def _word(value: bool) -> str:  # noqa: FBT001 - it is what the cell holds
    return "yes" if value else "no"


def write_table(text: str) -> None:
    """Put a table between its marks in docs/alerts.md."""
    document = DOCUMENT.read_text(encoding="utf-8")
    before, rest = document.split(BEGIN)
    after = rest.split(END)[1]
    DOCUMENT.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def main() -> int:
    """Print the table; exit 1 if an alert was not proven."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="also put the table into docs/alerts.md")
    arguments = parser.parse_args()
    rows = run()
    sys.stdout.write(f"{table(rows)}\n{sum(row.proven for row in rows)} of {len(rows)} proven\n")
    if arguments.write:
        write_table(table(rows))
    return 0 if all(row.proven for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
