"""Mutants of PromQL: copies of an expression with one operator, number, window or matcher changed.

A window whose result is multiplied by 0 is not changed, because its length has no effect.
"""

import re
from collections.abc import Iterator
from typing import Any

from mlmetrics.monitoring.durations import format_seconds, parse_seconds

TOKEN = re.compile(
    r"""(?P<window>\[\w+\]|(?<=offset\ )\w+)
    |(?P<bound>le=~"[^"]*")
    |(?P<matcher>=~|!~|!=(?=")|=(?="))
    |(?P<text>"(?:[^"\\]|\\.)*")
    |(?P<name>[a-zA-Z_:][\w:]*)
    |(?P<number>\d+(?:\.\d+)?(?:e-?\d+)?)
    |(?P<comparison>>=|<=|==|!=|>|<)
    |(?P<arithmetic>[-+*/])
    """,
    re.VERBOSE,
)
_WORDS: dict[str, tuple[str, ...]] = {"and": ("or", "unless"), "or": ("and", "unless"), "max": ("min",)}
_COMPARISONS: dict[str, tuple[str, ...]] = {
    ">": (">=", "<"),
    ">=": (">", "<"),
    "==": ("!=", "<"),
    "!=": ("==",),
    "<": ("<=", ">"),
}
_ARITHMETIC: dict[str, tuple[str, ...]] = {"+": ("-",), "-": ("+",), "*": ("/",), "/": ("*",)}
_MATCHERS: dict[str, tuple[str, ...]] = {"=": ("!=",), "!=": ("=",), "=~": ("!~",), "!~": ("=~",)}


def mutants(expression: str) -> Iterator[tuple[str, str]]:
    """Return each change and the changed expression."""
    for token in TOKEN.finditer(expression):
        for other in _others(token, expression):
            changed = expression[: token.start()] + other + expression[token.end() :]
            line = expression.count("\n", 0, token.start()) + 1
            yield f"line {line}: {token.group()} -> {other}", changed


def wait_mutants(rule: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return an alerting rule without its wait, and with the wait doubled."""
    if "for" in rule:
        doubled = format_seconds(2 * parse_seconds(rule["for"]))
        yield "no wait", {name: value for name, value in rule.items() if name != "for"}
        yield f"for {rule['for']} -> {doubled}", {**rule, "for": doubled}


def _others(token: re.Match[str], expression: str) -> tuple[str, ...]:
    text, kind = token.group(), token.lastgroup
    if kind == "window":
        return () if expression[token.end() :].startswith(")) * 0)") else (_twice(text),)
    if kind == "number":
        # The number in an alert that always fires is not a threshold.
        return () if expression == f"vector({text})" and "." not in text else _numbers(float(text))
    if kind == "bound":
        return (re.sub(r"\d+", lambda digits: str(int(digits.group()) + 1), text, count=1),)
    tables: dict[str, dict[str, tuple[str, ...]]] = {
        "name": _WORDS,
        "comparison": _COMPARISONS,
        "arithmetic": _ARITHMETIC,
        "matcher": _MATCHERS,
    }
    return tables.get(kind or "", {}).get(text, ())


def _twice(window: str) -> str:
    doubled = format_seconds(2 * parse_seconds(window.strip("[]")))
    return f"[{doubled}]" if window.startswith("[") else doubled


def _numbers(value: float) -> tuple[str, ...]:
    return ("1", "-1") if value == 0 else (f"{value * 1.1:.6g}", f"{value * 0.9:.6g}")
