"""The pages of integrations: one for each extra, with lines to copy that name what exists."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

import mlmetrics

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "integrations"
OTHER_EXTRAS = {"cli", "demo", "fastapi", "live", "llm"}
ROW = re.compile(r"^\| \[[^]]+\]\((?P<page>[^)]+)\) \| (?P<functions>[^|]+) \| (?P<extras>[^|]+) \|$", re.MULTILINE)
ROWS = [row.groupdict() for row in ROW.finditer((PAGES / "README.md").read_text(encoding="utf-8"))]
NAME = re.compile(r"`([\w-]+)")


def blocks(page: str) -> list[str]:
    """Return the Python of a page."""
    return re.findall(r"```python\n(.*?)```", (PAGES / page).read_text(encoding="utf-8"), re.DOTALL)


def test_every_extra_has_a_page() -> None:
    """The index names each extra that an integration has, and each page is in the index."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {extra for row in ROWS for extra in NAME.findall(row["extras"])}
    assert set(project["optional-dependencies"]) - OTHER_EXTRAS == extras
    assert {page.name for page in PAGES.glob("*.md")} - {"README.md"} == {
        row["page"] for row in ROWS if "/" not in row["page"]
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["page"])
def test_page(row: dict[str, str]) -> None:
    """A page shows the functions that the index names, in Python that can be read; ten lines or a few more."""
    code = "\n".join(blocks(row["page"]))
    ast.parse(code)
    functions = NAME.findall(row["functions"])
    assert functions
    for function in functions:
        assert callable(getattr(mlmetrics, function))
        assert f"mlmetrics.{function}(" in code or f"import {function}" in code
    assert len(blocks(row["page"])[0].splitlines()) <= 15
