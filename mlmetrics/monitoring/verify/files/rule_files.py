"""Rule files as Prometheus and its operator read them: the query of each rule, and the labels that its texts show."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mlmetrics.monitoring.verify.files.documents import mapping, objects
from mlmetrics.monitoring.verify.files.queries import Query
from mlmetrics.monitoring.verify.files.templates import labels_of_annotation
from mlmetrics.monitoring.verify.finding import Finding

# The one in C is ten times faster, and not in every build of the library.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class FileRule:
    """A rule of a file; `labels` are those that it adds to its result, `alert` whether it is an alert."""

    name: str
    query: Query
    labels: frozenset[str]
    alert: bool


@dataclass(slots=True)
class RuleFiles:
    """The rules of some files, and what is wrong with the files themselves."""

    rules: list[FileRule] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def read_rule_files(paths: Sequence[Path]) -> RuleFiles:
    """Return the rules of files: groups as Prometheus reads them, and `PrometheusRule` resources."""
    found = RuleFiles()
    for path in paths:
        try:
            documents = list(yaml.load_all(path.read_text(encoding="utf-8"), _LOADER))
        except (OSError, ValueError, yaml.YAMLError) as error:
            found.findings.append(_refused(path, f"cannot be read: {' '.join(str(error).split())}"))
            continue
        groups = [group for document in documents for group in _groups(document)]
        if not groups:
            found.findings.append(_refused(path, "has no groups of rules"))
        for group in groups:
            _read_group(path, group, found)
    return found


def _refused(path: Path, text: str) -> Finding:
    return Finding("error", "file", path.name, f"{text}; expected groups of rules, or a PrometheusRule")


def _groups(document: Any) -> Iterator[Any]:
    """Yield the groups of a document, of a resource, or of a list of resources."""
    found = mapping(document)
    if found.get("kind") == "PrometheusRule":
        found = mapping(found.get("spec"))
    for item in objects(found.get("items")):
        yield from _groups(item)
    groups = found.get("groups")
    yield from groups if isinstance(groups, list) else []


def _read_group(path: Path, group: Any, found: RuleFiles) -> None:
    rules = group.get("rules", []) if isinstance(group, dict) else group
    if rules is None:
        return  # a group without rules is a group
    if not isinstance(rules, list):
        found.findings.append(_refused(path, "has a group that is no list of rules"))
        return
    for rule in rules:
        name = (rule.get("alert") or rule.get("record")) if isinstance(rule, dict) else None
        if name is None or "expr" not in rule:
            found.findings.append(
                _refused(path, f"has a rule without alert or record, or without expr: {str(rule)[:60]}")
            )
            continue
        if not all(isinstance(rule.get(key) or {}, dict) for key in ("labels", "annotations")):
            found.findings.append(_refused(path, f"has labels or annotations of {name} that are no names with values"))
            continue
        found.rules.append(_rule(path, str(name), rule))


def _rule(path: Path, name: str, rule: dict[str, Any]) -> FileRule:
    labels = rule.get("labels") or {}
    texts = {**(rule.get("annotations") or {}), **labels} if "alert" in rule else {}
    shown = [(label, key) for key, text in texts.items() for label in labels_of_annotation(str(text))]
    query = Query(f"{path.name}: {name}", str(rule["expr"]), shown)
    return FileRule(name, query, frozenset(map(str, labels)), "alert" in rule)
