"""Where the source of a project records: calls of mlmetrics' functions, found by parsing; nothing is imported or run.

A function of mlmetrics is known by its import, under any name, or as a method of an `MLMetrics` that is made
somewhere in the project.
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlmetrics.cli.init.reading.source import Function, Module, Source

PACKAGE, TOOLKIT, OPERATION, CURRENT = "mlmetrics", "MLMetrics", "operation", "current_call"
OPERATIONS = ("inference", "parsing", "matching", "tool", "agent")
"""The operations that have a decorator and a timer."""
TRACKING = {f"track_{name}": name for name in OPERATIONS}
TIMERS = {f"{name}_timer": name for name in OPERATIONS}
DIRECT = (
    *("track_ml_inference", "track_parsing_accuracy", "track_matching_score", "track_file_processing"),
    *(
        "model_load_timer",
        "track_model_load",
        "track_prediction",
        "track_feedback",
        "track_prediction_error",
        "batch_job",
    ),
)
SDKS = frozenset(
    f"instrument_{name}" for name in ("openai", "anthropic", "litellm", "google_genai", "mistralai", "langchain")
)
"""The functions that record the calls of an SDK, all of them inferences."""
LOCAL = frozenset({"instrument_sentence_transformers", "instrument_transformers", "watch"})
"""The functions that record the calls of models in the process, all of them inferences."""
RETRYING = frozenset({"instrument_stamina", "instrument_tenacity"})
"""The functions that record attempts of calls that something else records."""
FUNCTIONS = frozenset({*TRACKING, *TIMERS, *DIRECT, *SDKS, *LOCAL, *RETRYING, OPERATION, CURRENT})
ENTERING = frozenset({"enter_context", "enter_async_context"})
"""The methods of an exit stack that return what `with ... as` gives."""


@dataclass(frozen=True, slots=True)
class Use:
    """A place where a function of mlmetrics is used: the call (None for a bare decorator), and what it decorates."""

    function: str
    path: Path
    line: int
    call: ast.Call | None = None
    decorated: Function | None = None
    variable: str = ""
    """The variable that its result is given to, by an assignment, by `with ... as` or by an exit stack."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One file, and what its names mean."""

    module: Module
    functions: dict[str, str] = field(default_factory=dict)
    """The functions of mlmetrics by the names that they have here."""
    packages: set[str] = field(default_factory=set)
    """The names of the package itself."""
    toolkits: set[str] = field(default_factory=set)
    """The variables and attributes that hold an `MLMetrics`."""


def read_modules(source: Source) -> list[Recording]:
    """Return the modules of a project; none if nothing imports mlmetrics."""
    modules = []
    for found in source.modules_with("") if any(source.modules_with(PACKAGE)) else ():
        module = Recording(found)
        _read_imports(module)
        _read_toolkits(module)
        modules.append(module)
    _share_names(modules)
    return modules


def _read_imports(module: Recording) -> None:
    for node in module.module.nodes:
        if isinstance(node, ast.Import):
            module.packages.update(alias.asname or PACKAGE for alias in node.names if alias.name == PACKAGE)
        elif isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] == PACKAGE:
            for alias in node.names:
                if alias.name in {*FUNCTIONS, TOOLKIT}:
                    module.functions[alias.asname or alias.name] = alias.name


def _read_toolkits(module: Recording) -> None:
    """Note the variables that are given an `MLMetrics`, and those that are given one of its functions."""
    for target, value in _assignments(module.module):
        if isinstance(value, ast.Call) and function_of(module, value.func) == TOOLKIT:
            module.toolkits.add(_last_name(target))
    for target, value in _assignments(module.module):
        function = function_of(module, value)
        if function in FUNCTIONS and isinstance(target, ast.Name):
            module.functions[target.id] = function


def _share_names(modules: list[Recording]) -> None:
    """Have each module know the toolkits and functions that it gets from another one."""
    toolkits = {name for module in modules for name in module.toolkits}
    functions = {name: function for module in modules for name, function in module.functions.items()}
    for module in modules:
        for node in module.module.nodes:
            if isinstance(node, ast.ImportFrom) and node.module != PACKAGE:
                for alias in node.names:
                    name = alias.asname or alias.name
                    if alias.name in toolkits:
                        module.toolkits.add(name)
                    elif alias.name in functions:
                        module.functions.setdefault(name, functions[alias.name])
            elif isinstance(node, ast.Attribute) and node.attr in toolkits:
                module.toolkits.add(node.attr)


def function_of(module: Recording, node: ast.expr) -> str:
    """Return the function of mlmetrics that an expression names, empty if it names none."""
    if isinstance(node, ast.Name):
        return module.functions.get(node.id, "")
    if not isinstance(node, ast.Attribute) or node.attr not in {*FUNCTIONS, TOOLKIT}:
        return ""
    holder = node.value
    if isinstance(holder, ast.Call) and function_of(module, holder.func) == TOOLKIT:
        return node.attr
    known = {*module.toolkits, *module.packages}
    return node.attr if _last_name(holder) in known else ""


def uses_in(module: Recording) -> Iterator[Use]:
    """Yield each place of a module where a function of mlmetrics is used."""
    seen: set[int] = set()
    for node in module.module.nodes:
        if isinstance(node, Function | ast.ClassDef):
            decorated = None if isinstance(node, ast.ClassDef) else node
            for decorator in node.decorator_list:
                yield from _use(module, decorator, seen, decorated=decorated)
    for target, value in (*_entered(module.module), *_assignments(module.module)):
        yield from _use(module, value, seen, variable=_last_name(target))
    for node in module.module.nodes:
        if isinstance(node, ast.Call):
            yield from _use(module, node, seen)


def _use(
    module: Recording, node: ast.expr, seen: set[int], *, decorated: Function | None = None, variable: str = ""
) -> Iterator[Use]:
    """Yield the use that an expression is, if it has not been seen."""
    call = node if isinstance(node, ast.Call) else None
    function = function_of(module, node if call is None else call.func)
    if function in FUNCTIONS and id(node) not in seen and (call is not None or decorated is not None):
        seen.add(id(node))
        yield Use(function, module.module.path, node.lineno, call, decorated, variable)


def _assignments(module: Module) -> Iterator[tuple[ast.expr, ast.expr]]:
    for node in module.nodes:
        if isinstance(node, ast.Assign):
            yield from ((target, node.value) for target in node.targets)
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            yield node.target, node.value


def _last_name(node: ast.expr | None) -> str:
    """Return `metrics` for `metrics`, `self.metrics` and `app.metrics`."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _entered(module: Module) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield the target and the context of each `with context as target` and `target = stack.enter_context(context)`."""
    for node in module.nodes:
        if isinstance(node, ast.With | ast.AsyncWith):
            yield from (
                (item.optional_vars, item.context_expr) for item in node.items if item.optional_vars is not None
            )
    for target, value in _assignments(module):
        entering = value.value if isinstance(value, ast.Await) else value
        if isinstance(entering, ast.Call) and _last_name(entering.func) in ENTERING and entering.args:
            yield target, entering.args[0]


def methods_called(modules: Sequence[Recording]) -> dict[Path, set[tuple[str, str]]]:
    """Return by file the variables and methods of calls: `call.tokens(...)` is `("call", "tokens")`.

    A timer in a variable has the methods of what it is entered as, also in another file that imports it.
    """
    called = {each.module.path: set(_methods(each.module)) for each in modules}
    of_timers = {
        (timer, method)
        for each in modules
        for target, context in _entered(each.module)
        if (timer := _last_name(context))
        for variable, method in called[each.module.path]
        if variable == _last_name(target)
    }
    return {path: methods | of_timers for path, methods in called.items()}


def _methods(module: Module) -> Iterator[tuple[str, str]]:
    for node in module.nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            holder = node.func.value
            yield called_name(holder) if isinstance(holder, ast.Call) else _last_name(holder), node.func.attr


def called_name(call: ast.Call | None) -> str:
    """Return `current_call()` for `current_call()` and `mlmetrics.current_call()`: the holder of a method of theirs."""
    return "" if call is None else f"{_last_name(call.func)}()"
