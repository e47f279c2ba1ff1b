"""Runbooks: one page for each alert, with the same five sections, and queries and settings that work."""

import re
from pathlib import Path

import pytest
import yaml

from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.rules.alerts import DEFAULTS
from mlmetrics.monitoring.runbooks.pages import runbook_files
from tests.monitoring.configurations import FEW, ONE_SERVICE, OWN, ROOT
from tests.monitoring.tools import PROMTOOL, run_tool

FOLDER = ROOT / "docs" / "runbooks"
SHIPPED = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md") if path.stem != "README"}
OWN_PAGES = {
    name.removesuffix(".md"): text
    for name, text in runbook_files(FEW["own operations"]).items()
    if "Retrieval" in name or "Rewriting" in name
}
PAGES = SHIPPED | OWN_PAGES
SECTIONS = [
    "What it means",
    "First three queries",
    "Likely causes",
    "How to silence it",
    "How to change its threshold",
]
SERVICES = '[[service]]\nname = "api"\ntargets = ["h:1"]\n'
DECLARED = ONE_SERVICE + OWN.partition("[alert.")[0]


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a language."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", page, re.MULTILINE | re.DOTALL)
    return ["\n".join(line.removeprefix(indent) for line in text.splitlines()) for indent, text in found]


class TestRunbooks:
    """The pages in docs/runbooks, and those of a project's own operations."""

    def test_one_page_an_alert(self) -> None:
        """Every alert has its page, and every page its alert."""
        assert {*DEFAULTS, "ErrorBudgetBurn"} == set(SHIPPED)

    @pytest.mark.parametrize("name", PAGES)
    def test_sections(self, name: str) -> None:
        """The sections are the same on every page, and none is empty."""
        assert SECTIONS == re.findall(r"^## (.+)$", PAGES[name], re.MULTILINE)
        assert all(len(section.strip()) > 20 for section in re.split(r"^## .+$", PAGES[name], flags=re.MULTILINE)[1:])

    @pytest.mark.parametrize("name", PAGES)
    def test_queries_parse(self, name: str, tmp_path: Path) -> None:
        """The three queries are PromQL."""
        queries = blocks(PAGES[name], "promql")
        assert 3 == len(queries)
        rules = [{"record": f"q:{index}", "expr": query} for index, query in enumerate(queries)]
        (tmp_path / "q.yml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
        code, output = run_tool(PROMTOOL, "check", "rules", "q.yml", folder=tmp_path)
        assert code == 0, output

    @pytest.mark.parametrize("name", PAGES)
    def test_settings_load(self, name: str) -> None:
        """The settings for mlmetrics.toml on the page are accepted."""
        settings = blocks(PAGES[name], "toml")
        assert 2 == len(settings)
        for text in settings:
            parse((DECLARED if name in OWN_PAGES else SERVICES) + text)

    def test_own_pages_say_the_numbers(self) -> None:
        """A page of an own operation has its names and labels, and the numbers of the configuration."""
        page = OWN_PAGES["SlowRetrieval"]
        assert "More than 5 % of the retrieval calls took longer than 2.5 s for 5m, with at least 10 calls" in page
        assert "sum by (service, index, tenant, le) (rate(ml_retrieval_duration_seconds_bucket[10m]))" in page
        assert """alertname=SlowRetrieval 'tenant="TENANT"'""" in page
        assert "at least 3 calls" in OWN_PAGES["HighQueryRewritingFailureRate"]
        assert """'service="SERVICE"'""" in OWN_PAGES["HighQueryRewritingFailureRate"]
        assert not [name for name, text in OWN_PAGES.items() if re.search(r"<\w+>", text)]
