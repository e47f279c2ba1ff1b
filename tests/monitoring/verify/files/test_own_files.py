"""Our own rules and dashboards on our own services: nothing is wrong, and every change of a name is noticed."""

import re
from pathlib import Path

import pytest

from mlmetrics.catalog import METRICS
from mlmetrics.monitoring.grafana.provisioning import dashboard_texts
from mlmetrics.monitoring.verify.checks import check_pages
from mlmetrics.monitoring.verify.files.check import Files, check_files
from mlmetrics.monitoring.verify.finding import Finding
from mlmetrics.monitoring.verify.metrics_page import MetricsPage
from mlmetrics.monitoring.verify.pages import read_pages
from tests.monitoring.grafana.stage import Stage

LABELS = sorted({label for metric in METRICS for label in metric.labels} - {"service", "version"})


@pytest.fixture(scope="module")
def pages(stage: Stage) -> dict[str, MetricsPage]:
    """Return the pages of the recruiting services, of the scripted one and of the host."""
    targets = [*(service.targets[0] for service in stage.config.services), *stage.config.host_targets]
    found = read_pages(f"http://{target}" for target in targets)
    assert not found.unreachable
    assert not found.other
    return found.read


@pytest.fixture(scope="module")
def texts(stage: Stage) -> dict[str, str]:
    """Return the rendered files by their names."""
    rules = {name.replace("/", "-"): text for name, text in stage.rules.items()}
    return rules | {f"{name}.json": text for name, text in dashboard_texts(stage.config).items()}


def check(
    texts: dict[str, str], folder: Path, pages: dict[str, MetricsPage], prometheus: str | None = None
) -> list[Finding]:
    """Write files, and return what is wrong with them."""
    paths = [folder / name for name in texts]
    for path in paths:
        path.write_text(texts[path.name])
    rules = [path for path in paths if path.suffix == ".yml"]
    dashboards = [path for path in paths if path.suffix == ".json"]
    report = check_files(Files(rules, dashboards), pages, prometheus)
    assert report.rules == sum(text.count("- alert:") + text.count("- record:") for text in texts.values())
    return report.findings


def errors(findings: list[Finding]) -> list[Finding]:
    """Return the errors among findings."""
    return [finding for finding in findings if finding.level == "error"]


def respelt(pattern: str, texts: dict[str, str]) -> dict[str, str]:
    """Return the files in which a pattern is found, with an x after each place."""
    changed = {file: re.sub(pattern, r"\g<0>x", text) for file, text in texts.items()}
    return {file: text for file, text in changed.items() if text != texts[file]}


def test_no_error(stage: Stage, pages: dict[str, MetricsPage], texts: dict[str, str], tmp_path: Path) -> None:
    """Neither on the pages nor, with the same pages, on a Prometheus; notes are about what has not happened."""
    assert [] == errors(check(texts, tmp_path, pages))
    with_prometheus = check(texts, tmp_path, pages, stage.prometheus.url)
    assert [] == errors(with_prometheus)
    assert {"waits", "not recorded", "metric", "empty"} >= {finding.kind for finding in with_prometheus}


def test_alerts_that_wait(stage: Stage, pages: dict[str, MetricsPage]) -> None:
    """No alert of ours can never fire on our own services; what they lose is told."""
    found = check_pages(stage.config, pages)
    assert {"BatchJobNotSucceeded": "not recorded"} == {
        finding.subject: finding.kind for finding in found if finding.level == "note"
    }
    assert {"recording", "overflow"} >= {finding.kind for finding in errors(found)}


def test_misspelt_metrics(pages: dict[str, MetricsPage], texts: dict[str, str], tmp_path: Path) -> None:
    """Each metric that is spelt otherwise is found in each file that reads it."""
    samples = {name for metric in METRICS for name in metric.sample_names}
    # One of several names in a regular expression is not looked for: another of them is there.
    patterns = {sample: rf"(?<![\w:]){sample}(?![\w:|])" for sample in samples}
    read_by = {sample: set(respelt(pattern, texts)) for sample, pattern in patterns.items()}
    wrong = respelt("|".join(patterns.values()), texts)
    found = check(wrong, tmp_path, pages)
    assert sum(map(len, read_by.values())) > 60
    for sample, files in read_by.items():
        named = [finding for finding in found if re.search(rf"(?<![\w:]){sample}x\b", finding.text)]
        assert files == {finding.subject.partition(":")[0] for finding in named if finding.kind == "metric"}, sample


@pytest.mark.parametrize("label", LABELS)
def test_misspelt_label(pages: dict[str, MetricsPage], texts: dict[str, str], tmp_path: Path, label: str) -> None:
    """A label that is spelt otherwise in a list of labels is found in each file that has such a list."""
    wrong = respelt(rf"\b(?:by|on|ignoring) \([^)]*\b{label}\b", texts)
    found = errors(check({**texts, **wrong}, tmp_path, pages))
    assert wrong.keys() <= {each.subject.partition(":")[0] for each in found}
    assert {"label", "match"} >= {each.kind for each in found}


def test_renamed_on_the_pages(pages: dict[str, MetricsPage], texts: dict[str, str], tmp_path: Path) -> None:
    """What every service exposes beside its calls was renamed if it is gone: an error."""
    gone = "ml_inference_duration_seconds"
    left = {url: without(page, gone) for url, page in pages.items()}
    found = errors(check(texts, tmp_path, left))
    assert {"metric"} == {finding.kind for finding in found}
    assert any("SlowMLInference" in finding.subject for finding in found)
    assert all(gone in finding.text for finding in found)


def without(page: MetricsPage, prefix: str) -> MetricsPage:
    """Return a page without the metrics whose names begin so."""
    left = MetricsPage(growing={name: grows for name, grows in page.growing.items() if not name.startswith(prefix)})
    for (name, labels), value in page.totals.items():
        if not name.startswith(prefix):
            left.add(name, dict(labels), value)
    return left
