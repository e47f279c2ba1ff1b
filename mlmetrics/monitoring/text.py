"""Texts of files: YAML (stable order, whole expressions, a header that marks it), values of TOML, rows of Markdown."""

import json
from collections.abc import Iterable
from typing import Any

import yaml

MARK = "# Rendered by mlmetrics"
"""Rendered YAML files begin with this."""
HEADER = f"{MARK} from mlmetrics.toml or [tool.mlmetrics]; change that, and run `mlmetrics render` again.\n"


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


def toml_value(value: object) -> str:
    """Return a value as TOML: its texts are those of JSON, except for one character that must be escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def yaml_text(document: dict[str, Any], header: str = HEADER) -> str:
    """Return a document as YAML under a header."""
    return header + yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000, default_flow_style=False
    )
