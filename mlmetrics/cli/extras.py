"""What the commands need beside click, and what is told where it is not installed."""

from importlib.util import find_spec

from mlmetrics.version import install_command

_OF_CLI = ("grafana_foundation_sdk", "promql_parser", "pydantic", "yaml")
_PACKAGES = {"cli": _OF_CLI, "live": (*_OF_CLI, "starlette", "uvicorn")}
_WHAT = {"cli": "the command line", "live": "the live page"}


def told_without(extra: str) -> str:
    """Return that an extra is needed, and how it is installed."""
    return f"{_WHAT[extra]} needs the extra `{extra}`: {install_command(extra)}"


def is_installed(extra: str) -> bool:
    """Return whether the packages of an extra are there, without loading them."""
    return all(find_spec(name) for name in _PACKAGES[extra])
