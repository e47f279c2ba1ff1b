"""Describes the configuration: a JSON Schema for editors, and the reference page of all keys.

`python -m mlmetrics.monitoring.schema` writes both into a checkout, with the page of all metrics; the schema is also
inside the package.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlmetrics.catalog import OPERATIONS
from mlmetrics.catalog.own import own_operation
from mlmetrics.monitoring.config import AlertKeys
from mlmetrics.monitoring.document import document_of
from mlmetrics.monitoring.reference import REFERENCE, shipped_reference
from mlmetrics.monitoring.rules.rows.own import OWN_ALERTS, camel_case
from mlmetrics.monitoring.text import table_row

SCHEMA = "mlmetrics.schema.json"
SCHEMA_PATH = Path(__file__).with_name(SCHEMA)
REFERENCE_PATH = Path(__file__).parents[2] / "docs" / "configuration.md"
METRICS_PATH = REFERENCE_PATH.with_name(REFERENCE)
# Editors read this version of JSON Schema; the schema uses nothing of later versions.
_DRAFT = "http://json-schema.org/draft-07/schema#"
# Whose alerts and histograms the schema takes as a sample of those of any own operation.
_OWN = own_operation("operation", score=True)
_INTRODUCTION = """\
# Configuration

<!-- Written by `python -m mlmetrics.monitoring.schema`: change the models in mlmetrics/monitoring and run it again. -->

`mlmetrics` reads `mlmetrics.toml`, or, where that file is missing, the table `[tool.mlmetrics]` of `pyproject.toml`:
`[project]` is then written `[tool.mlmetrics.project]`, and `[[service]]` is written `[[tool.mlmetrics.service]]`.
`--config` names another file. Only a `[[service]]` is required. An unknown key or an invalid value is an error that
says what was given and what was expected.

`mlmetrics init` puts a JSON Schema beside what it renders, and names it in the first line of `mlmetrics.toml`
(`#:schema ./monitoring/mlmetrics.schema.json`). Editors that know [Taplo](https://taplo.tamasfe.dev), such as VS Code
with the extension Even Better TOML, complete and check the keys with it.

Durations are texts such as `"30s"`, `"5m"` or `"1h30m"`.
"""


def schema() -> dict[str, Any]:
    """Return the JSON Schema of `mlmetrics.toml`."""
    document = _simplified(document_of(()).model_json_schema())
    sample = _simplified(document_of((_OWN,)).model_json_schema())["$defs"]
    for section, patterns in (("Alerts", _own_alerts()), ("Buckets", _own_histograms())):
        keys = {pattern: sample[section]["properties"][name] for name, pattern in patterns.items()}
        document["$defs"][section]["patternProperties"] = keys
    document["$defs"] |= {name: sample[name] for name in _own_alerts()}
    return {"$schema": _DRAFT, "title": "mlmetrics.toml", **document}


def _own_alerts() -> dict[str, str]:
    """Return the alerts of an operation by name, each with the pattern of such names for any own operation."""
    shipped = "|".join(camel_case(operation.name) for operation in OPERATIONS)
    other = f"(?!(?:{shipped})(?:FailureRate|Score|$))(?:[A-Z][a-z0-9]+)+"
    return {template.format(camel_case(_OWN.name)): f"^{template.format(other)}$" for template in OWN_ALERTS}


def _own_histograms() -> dict[str, str]:
    """Return the histograms of an operation by name, each with the pattern of such names for any own operation."""
    names = [metric.name for metric in _OWN.metrics if metric.buckets]
    return {name: f"^{name.replace(_OWN.name, '[a-z][a-z0-9_]*')}$" for name in names}


def schema_text() -> str:
    """Return the JSON Schema as it is kept in a file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _simplified(part: Any) -> Any:
    """Return a part of pydantic's schema without titles and without nulls, which TOML does not have, and with units."""
    if isinstance(part, list):
        return [_simplified(each) for each in part]
    if not isinstance(part, Mapping):
        return part
    choices = [each for each in part.get("anyOf", ()) if each != {"type": "null"}]
    merged = {**part, **(choices[0] if choices else {})}
    found: dict[str, Any] = {}
    for name, value in merged.items():
        if name in {"properties", "$defs"}:
            found[name] = {key: _simplified(each) for key, each in value.items()}
        elif name not in {"anyOf", "title", "x-unit"} and value is not None:
            found[name] = value if name == "default" else _simplified(value)
    if "x-unit" in part:
        found["description"] = f"{found['description']} Unit: {part['x-unit']}."
    return found


def reference_text() -> str:
    """Return the reference page."""
    raw = document_of(()).model_json_schema()
    parts = [_INTRODUCTION]
    for name, section in raw["properties"].items():
        lines = {"alert": _alerts, "buckets": _histograms}.get(name, _section)(raw, name, section)
        parts.append("\n".join(lines))
    return "\n".join(parts).replace("\n\n\n", "\n\n")


def _section(raw: Mapping[str, Any], name: str, section: Mapping[str, Any]) -> Iterator[str]:
    repeated = section.get("type") == "array"
    model = _model(raw, section["items"] if repeated else section)
    yield f"## `[[{name}]]`" if repeated else f"## `[{name}]`"
    yield ""
    yield section.get("description") or model["description"]
    yield from _table_of_keys(model)


def _alerts(raw: Mapping[str, Any], name: str, section: Mapping[str, Any]) -> Iterator[str]:
    rows = _model(raw, section)["properties"]
    keys = AlertKeys.model_json_schema()
    columns = [key for key in keys["properties"] if key != "enabled"]
    yield f"## `[{name}.NAME]`"
    yield ""
    yield "The numbers of one alert. An alert has the keys for which the second table has a default."
    yield from _table_of_keys({**keys, "required": []}, defaults=False)
    yield from _table(["alert", *columns, "unit of the threshold"])
    for alert, row in rows.items():
        own = _model(raw, row)["properties"]
        cells = [_literal(own[column]["default"]) if column in own else "" for column in columns]
        yield table_row([f"`{alert}`", *cells, own.get("threshold", {}).get("x-unit", "")])
    yield ""


def _histograms(raw: Mapping[str, Any], name: str, section: Mapping[str, Any]) -> Iterator[str]:
    model = _model(raw, section)
    yield f"## `[{name}]`"
    yield ""
    yield "The bucket bounds of services that do not use the default ones: ascending, at least two, finite."
    yield from _table(["histogram", "default", "measures"])
    for histogram, each in model["properties"].items():
        yield table_row([f"`{histogram}`", _literal(each["default"]), each["description"]])
    yield ""


def _table_of_keys(model: Mapping[str, Any], *, defaults: bool = True) -> Iterator[str]:
    required = model.get("required", ())
    columns = ["key", "type", "unit", *(["default"] if defaults else []), "description"]
    yield from _table(columns)
    for key, value in model["properties"].items():
        default = "required" if key in required else _literal(value.get("default"))
        unit = value.get("x-unit", "")
        yield table_row([f"`{key}`", _type(value), unit, *([default] if defaults else []), value["description"]])
    yield ""


def _table(columns: list[str]) -> Iterator[str]:
    yield ""
    yield table_row(columns)
    yield table_row(["---"] * len(columns))


def _model(raw: Mapping[str, Any], reference: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = raw["$defs"][reference["$ref"].rpartition("/")[2]]
    return found


def _type(value: Mapping[str, Any]) -> str:
    known = {"boolean": "true or false", "number": "number", "array": "list of texts", "object": "table of texts"}
    if "enum" in value:
        return ", ".join(f"`{each}`" for each in value["enum"])
    if "pattern" in value:
        return "duration"
    return known.get(value.get("type", "number" if "anyOf" in value else "string"), "text")


def _literal(value: object) -> str:
    """Return a value as TOML writes it."""
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False).replace(".0,", ",").replace(".0]", "]").removesuffix(".0")
    return f"`{text}`"


def main() -> None:
    """Write the schema and the pages of all keys and of all metrics."""
    SCHEMA_PATH.write_text(schema_text(), encoding="utf-8")
    REFERENCE_PATH.write_text(reference_text(), encoding="utf-8")
    METRICS_PATH.write_text(shipped_reference(), encoding="utf-8")


if __name__ == "__main__":
    main()
