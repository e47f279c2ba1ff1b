"""One query of a rule or a panel, and everything that is checked of it."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import promql_parser as promql

from mlmetrics.monitoring.verify.absence import OURS, why_absent
from mlmetrics.monitoring.verify.files.labels import Flow, named
from mlmetrics.monitoring.verify.files.promql import (
    GROWTH,
    VARIABLE,
    Problem,
    Report,
    name_of,
    parse,
    parts,
    selectors,
    text_of,
)
from mlmetrics.monitoring.verify.files.ranges import Ranges, check_comparisons
from mlmetrics.monitoring.verify.files.selection import Selection, missing_metrics
from mlmetrics.monitoring.verify.files.series import OF_ALERTS, OF_TARGETS, Known
from mlmetrics.monitoring.verify.finding import Level

_NUMBER_OF_VARIABLE = re.compile(rf"\b{VARIABLE}\w+\b")


@dataclass(frozen=True, slots=True)
class Query:
    """A query and whose it is.

    `shown` are the labels that a template of it shows, each with the place where. `sure` says that it is PromQL; else
    it may be the query of another kind of data source. Without a text, the labels of all series are asked for.
    """

    subject: str
    text: str
    shown: Sequence[tuple[str, str]] = ()
    sure: bool = True


def check_query(query: Query, known: Known) -> list[Problem]:
    """Return what is wrong with a query."""
    problems: list[Problem] = []

    def report(level: Level, kind: str, text: str) -> None:
        problem = Problem(level, kind, text)
        if problem not in problems:
            problems.append(problem)

    if not query.text:
        for label, place in query.shown:
            if not known.any_has(label):
                report("error", "label", f"{place} asks for the label {label}, which no series has")
        return problems
    try:
        tree = parsed(query.text)
    except ValueError as error:
        report(*unparsed(query, error))
        return problems
    _check_metrics(tree, known, report)
    labels = Flow(Selection(known, report), report).of(tree)
    for label, place in query.shown:
        if not labels.has(label):
            own = named(labels.always or labels.may)
            report("error", "label", f"{place} shows the label {label}, which the result does not have: it has {own}")
    check_comparisons(tree, Ranges(known), report)
    _check_growth(tree, known, report)
    return problems


def parsed(text: str) -> promql.Expr:
    """Return a query as a tree; a variable that stands where only a number may stand is read as 1."""
    try:
        return parse(text)
    except ValueError:
        if VARIABLE not in text:
            raise
        return parse(_NUMBER_OF_VARIABLE.sub("1", text))


def unparsed(query: Query, error: ValueError) -> tuple[Level, str, str]:
    """Return the problem of a query that is no PromQL, or that a variable makes one."""
    reason = " ".join(str(error).split())
    if VARIABLE in query.text:
        return "note", "not checked", f"cannot be read before its variables have a value ({reason})"
    if not query.sure:
        return "note", "not checked", f"is not PromQL ({reason}), and its data source is not known"
    return "error", "parse", f"is not PromQL: {reason}"


def _check_metrics(tree: promql.Expr, known: Known, report: Report) -> None:
    for name, spared in missing_metrics(tree, known).items():
        absence = why_absent(name, known.names, known.exposed) if OURS in known.names else None
        if spared and not (absence and absence.level == "error"):
            report("note", "metric", f"{name} is not there; the query goes on without it")
        elif absence is not None:
            kind = "metric" if absence.level == "error" else absence.kind
            report(absence.level, kind, f"{name} is not there; {absence.reason}")
        else:
            report("error", "metric", f"{name} is not there{_similar(name, known)}")
    for selector in selectors(tree):
        name = name_of(selector)
        if name and VARIABLE not in name and known.metric(name) is not None and not known.has_samples(name):
            report("note", "waits", f"{name} is declared and has no sample yet")


def _similar(name: str, known: Known) -> str:
    """Return a hint at a name that is there and differs in a few letters or an ending."""
    there = sorted(each for each in known.names - OF_TARGETS - OF_ALERTS if not each.endswith("_created"))
    # Most often the ending is missing that a counter has by convention.
    close = [f"{name}_total"] if f"{name}_total" in there else difflib.get_close_matches(name, there, 1, cutoff=0.85)
    return f"; did you mean {close[0]}?" if close else ""


def _check_growth(tree: promql.Expr, known: Known, report: Report) -> None:
    for node in parts(tree):
        if not (isinstance(node, promql.Call) and node.func.name in GROWTH):
            continue
        argument = node.args[0]
        if isinstance(argument, promql.MatrixSelector):
            name = name_of(argument.vector_selector)
            metric = known.metric(name) if name else None
            if metric is not None and metric.counter is False:
                report(
                    "note", "counter", f"{text_of(node)}: {name} is no counter, and {node.func.name} is for counters"
                )
