"""The operations that a project records, and which of their parts, read from its source."""

import ast
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlmetrics.catalog import INFERENCE, PARSING, SHIPPED, Operation
from mlmetrics.catalog.documents import SIZE
from mlmetrics.catalog.models import STREAMS
from mlmetrics.catalog.operation import SCORE
from mlmetrics.catalog.own import own_operation
from mlmetrics.cli.init.parts import DIRECT, INSTRUMENTS, KEYWORDS, METHODS, OPTIONAL, WITH_CALL
from mlmetrics.cli.init.reading.recording import (
    CURRENT,
    OPERATION,
    RETRYING,
    TRACKING,
    Use,
    called_name,
    methods_called,
    read_modules,
    uses_in,
)
from mlmetrics.cli.init.reading.source import Module, Source
from mlmetrics.cli.init.requests import InRequests, read_requests
from mlmetrics.errors import DeclarationError

_MOST_FILES = 3


@dataclass(slots=True)
class Recorded:
    """An operation, with the parts and the files in which the project records it."""

    row: Operation
    parts: set[str] = field(default_factory=set)
    calls: bool = False
    files: set[Path] = field(default_factory=set)

    @property
    def operation(self) -> Operation:
        """The row with only what is recorded."""
        return self.row.recording(frozenset(self.parts), calls=self.calls) if self.row.ships else self.row


_Places = dict[tuple[str, Path], Recorded]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the source says: each operation by the file that records it, what of requests, and what is not clear."""

    places: tuple[Recorded, ...]
    problems: tuple[str, ...] = ()
    requests: InRequests = field(default_factory=dict)

    @property
    def operations(self) -> tuple[Recorded, ...]:
        """The operations of all files, in the catalogue's order, and then own ones by name."""
        return joined([self.places])


def read_operations(source: Source) -> Reading:
    """Return the operations that the source of a project records."""
    found: _Places = {}
    problems: list[str] = []
    modules = read_modules(source)
    uses = [(each, list(uses_in(each))) for each in modules]
    for use in (use for _, each in uses for use in each if use.function == OPERATION):
        try:
            row = _declared(use)
        except (DeclarationError, ValueError, TypeError) as error:
            problems.append(f"{use.path}, line {use.line}: {error}")
        else:
            found.setdefault((row.name, use.path), Recorded(row, calls=True)).files.add(use.path)
    confident = any(_has_confidence(each.module) for each in modules)
    methods = methods_called(modules)
    for recording, each in uses:
        _read_uses(each, methods[recording.module.path], found, confident=confident)
    return Reading(tuple(found.values()), tuple(problems), read_requests(source))


def _declared(use: Use) -> Operation:
    """Return the row that a call of `operation` declares.

    Raises:
        ValueError: an argument is not written as a literal.
        TypeError: the call has not the arguments of `operation`.
        DeclarationError: such an operation cannot be declared.
    """
    call = use.call
    if call is None or any(word.arg is None for word in call.keywords):
        raise ValueError("operation(...) with arguments that only running it shows; write its [[operation]] by hand")
    try:
        positional: list[Any] = [ast.literal_eval(argument) for argument in call.args]
        # Buckets do not change what is rendered here, and are often computed.
        named: dict[str, Any] = {
            str(word.arg): ast.literal_eval(word.value) for word in call.keywords if word.arg != "buckets"
        }
    except ValueError as error:
        raise ValueError(
            f"{ast.unparse(call)} has arguments that only running it shows; write its [[operation]] by hand"
        ) from error
    return own_operation(*positional, **named)


def _has_confidence(module: Module) -> bool:
    """Whether anything is called `confidence`, the attribute of a result that is its accuracy by default."""
    names = ("attr", "arg", "id", "value")
    return any(getattr(node, name, None) == OPTIONAL for node in module.nodes for name in names)


def _read_uses(uses: Sequence[Use], methods: Collection[tuple[str, str]], found: _Places, *, confident: bool) -> None:
    """Add what one module records; `confident` says that results may have a `confidence`."""
    for use in uses:
        if use.function in WITH_CALL:
            _add(found, WITH_CALL[use.function], use.path, _parts(use, methods, confident=confident), calls=True)
        elif use.function in DIRECT:
            operation, part = DIRECT[use.function]
            _add(found, operation.name, use.path, (part,))
        elif use.function in INSTRUMENTS:
            calls = use.function not in RETRYING
            _add(found, INFERENCE.name, use.path, INSTRUMENTS[use.function], calls=calls)
        elif use.function == CURRENT:
            parts = {*_said({use.variable, called_name(use.call)}, methods)} - {SCORE, SIZE}
            if parts:  # of inferences alone; whose call it is, only running it shows
                _add(found, INFERENCE.name, use.path, parts)


def _add(found: _Places, name: str, path: Path, parts: Iterable[str], *, calls: bool = False) -> None:
    row = SHIPPED[name]
    every = set(parts)
    if SIZE in every and name != PARSING.name:  # whatever call measures a file, its size is in one metric
        every.remove(SIZE)
        _add(found, PARSING.name, path, (SIZE,))
    recorded = found.setdefault((name, path), Recorded(row))
    recorded.parts |= every & row.parts
    recorded.calls |= calls
    recorded.files.add(path)


def _parts(use: Use, methods: Collection[tuple[str, str]], *, confident: bool) -> Iterator[str]:
    """Yield the parts that a decorator, or a timer and the methods of its call, record."""
    words = {} if use.call is None else {word.arg: word.value for word in use.call.keywords}
    if use.function in TRACKING:
        if None in words:  # `**options`, which only running it shows
            yield from SHIPPED[TRACKING[use.function]].parts
        given = (word for word in KEYWORDS if word in words and not _is_constant(words[word], None))
        yield from (part for word in given for part in KEYWORDS[word])
        if use.function == "track_parsing" and "accuracy" not in words and confident:
            yield SCORE
        if _streams(use, words):
            yield STREAMS
    if use.variable:
        yield from _said({use.variable}, methods)


def _said(holders: Collection[str], methods: Collection[tuple[str, str]]) -> Iterator[str]:
    """Yield the parts that are recorded by the methods of what has one of these names."""
    called = (method for holder, method in methods if holder and holder in holders)
    yield from (part for method in called for part in METHODS.get(method, ()))


def _streams(use: Use, words: dict[str | None, ast.expr]) -> bool:
    """Whether a decorated function gives a stream: it says so, it is a generator, or it asks an SDK for one."""
    if "stream" in words:
        return _is_constant(words["stream"], True)  # noqa: FBT003 (a value, not a flag)
    return use.decorated is not None and any(
        isinstance(node, ast.Yield | ast.YieldFrom)
        or (isinstance(node, ast.keyword) and node.arg == "stream" and _is_constant(node.value, True))  # noqa: FBT003
        for node in _own_nodes(use.decorated)
    )


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function, without those of functions inside it."""
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            yield node
            yield from _own_nodes(node)


def _is_constant(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def joined(readings: Iterable[Sequence[Recorded]]) -> tuple[Recorded, ...]:
    """Return what several readings found together, in the catalogue's order and then by name."""
    found: dict[str, Recorded] = {}
    for recorded in (each for reading in readings for each in reading):
        one = found.setdefault(recorded.row.name, Recorded(recorded.row))
        one.parts |= recorded.parts
        one.calls |= recorded.calls
        one.files |= recorded.files
    order = {name: place for place, name in enumerate(SHIPPED)}
    return tuple(sorted(found.values(), key=lambda one: (order.get(one.row.name, len(order)), one.row.name)))


def toml_lines(operations: Sequence[Recorded]) -> list[str]:
    """Return the sections that name the operations in `mlmetrics.toml`."""
    lines: list[str] = []
    for recorded in operations:
        files = ", ".join(path.as_posix() for path in sorted(recorded.files)[:_MOST_FILES])
        heading = f"[[operation]]  # {files}" if files else "[[operation]]"
        keys = _shipped_keys(recorded) if recorded.row.ships else _own_keys(recorded.row)
        lines += ["", heading, f"name = {json.dumps(recorded.row.name)}", *keys]
    return lines


def _shipped_keys(recorded: Recorded) -> Iterator[str]:
    if not recorded.calls:
        yield "calls = false"
    if recorded.row.parts:
        yield f"records = {json.dumps(sorted(recorded.parts))}"


def _own_keys(row: Operation) -> Iterator[str]:
    if row.labels:
        yield f"labels = {json.dumps(row.labels)}"
    if row.subject and row.subject != row.labels[0]:
        yield f"subject = {json.dumps(row.subject)}"
    if row.score is not None:
        yield "score = true"
