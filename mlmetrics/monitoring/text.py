"""YAML text (stable order, long expressions over several lines, a header that marks it) and rows of Markdown tables."""

from collections.abc import Iterable
from typing import Any

import yaml

HEADER = "# Rendered by mlmetrics from mlmetrics.toml; change that and render again.\n"


class _Dumper(yaml.SafeDumper):
    """Writes a text of several lines as a block, and never an alias."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def _text_node(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text_node)


def table_row(cells: Iterable[str]) -> str:
    """Return the row of a table in Markdown."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def yaml_text(document: dict[str, Any], header: str = HEADER) -> str:
    """Return a document as YAML under a header."""
    return header + yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000, default_flow_style=False
    )
