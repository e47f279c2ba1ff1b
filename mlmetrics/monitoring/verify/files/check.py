"""Checks rule files and dashboards, whoever wrote them, against live pages and a Prometheus."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlmetrics.monitoring.verify.files.answers import Answers
from mlmetrics.monitoring.verify.files.dashboard_files import DashboardFile, read_dashboards
from mlmetrics.monitoring.verify.files.queries import Query, check_query
from mlmetrics.monitoring.verify.files.recorded import recorded_metrics
from mlmetrics.monitoring.verify.files.rule_files import RuleFiles, read_rule_files
from mlmetrics.monitoring.verify.files.series import Known
from mlmetrics.monitoring.verify.finding import Finding
from mlmetrics.monitoring.verify.metrics_page import MetricsPage
from mlmetrics.monitoring.verify.prometheus_api import PrometheusAPI


@dataclass(frozen=True, slots=True)
class Files:
    """The files to check."""

    rules: Sequence[Path] = ()
    dashboards: Sequence[Path] = ()
    target_labels: frozenset[str] = field(default_factory=frozenset)

    def __bool__(self) -> bool:
        return bool(self.rules or self.dashboards)


@dataclass(frozen=True, slots=True)
class FilesReport:
    """What was found in files, and how many queries were read."""

    findings: list[Finding]
    rules: int
    queries: int


def check_files(files: Files, pages: Mapping[str, MetricsPage], prometheus: str | None = None) -> FilesReport:
    """Return what is wrong with the queries of files, given what live pages expose and a Prometheus has.

    Raises:
        ConfigurationError: The Prometheus does not answer.
    """
    api = PrometheusAPI(prometheus) if prometheus else None
    read, dashboards = read_rule_files(files.rules), read_dashboards(files.dashboards)
    known = Known(list(pages.values()), api, files.target_labels)
    known.recorded = recorded_metrics(read.rules, known)
    answers = Answers(known, api) if api else None
    findings = [*read.findings, *(finding for dashboard in dashboards for finding in dashboard.findings)]
    findings += _of_rules(read, known, answers)
    for dashboard in dashboards:
        findings += _of_dashboard(dashboard, known, answers)
    queries = sum(len(dashboard.queries) for dashboard in dashboards)
    return FilesReport(list(dict.fromkeys(findings)), len(read.rules), queries)


def _of_rules(read: RuleFiles, known: Known, answers: Answers | None) -> Iterator[Finding]:
    for rule in read.rules:
        found = list(_of_query(rule.query, known))
        yield from found
        if answers and not rule.alert and not _says_why(found):
            yield from answers.of(rule.query.subject, rule.query.text)


def _of_dashboard(dashboard: DashboardFile, known: Known, answers: Answers | None) -> Iterator[Finding]:
    choices = None
    for query in dashboard.queries:
        found = list(_of_query(query.query, known))
        yield from found
        if answers and query.kind == "panel" and not _says_why(found):
            if choices is None:
                choices = answers.choices_of(dashboard)
            yield from answers.of_panel(query, choices)


def _of_query(query: Query, known: Known) -> Iterator[Finding]:
    for problem in check_query(query, known):
        yield Finding(problem.level, problem.kind, query.subject, problem.text)


def _says_why(findings: Sequence[Finding]) -> bool:
    """Tell whether findings explain that a query has no result, so that it need not be sent."""
    return any(finding.level == "error" or finding.kind == "waits" for finding in findings)
