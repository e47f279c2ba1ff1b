"""Runs Debian's promtool and amtool on rendered files."""

import os
import subprocess
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from tests.programs import find_program

PROMTOOL = ("promtool", "prometheus")
AMTOOL = ("amtool", "prometheus-alertmanager")
SPARING = {"GOGC": "400", "GOMAXPROCS": "1"}
"""promtool spends a quarter of its time on collecting garbage, on all processors, unless it may use up to 400 MB."""


def write(files: Mapping[str, str], folder: Path) -> None:
    """Write files into a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def run_tool(tool: tuple[str, str], *arguments: str, folder: Path) -> tuple[int, str]:
    """Return the exit code and the output of a tool."""
    program, package = tool
    command = [find_program(program, package=package), *arguments]
    env = {**os.environ, **SPARING}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def rule_files(files: Mapping[str, str]) -> list[str]:
    """Return the names of rule files."""
    return [name for name in files if name.startswith("rules/")]


def only_alerts(document: Mapping[str, Any], names: Container[str]) -> dict[str, Any]:
    """Return a file of rules, parsed, without the alerts of other names; recording rules stay."""
    groups = [
        {**group, "rules": [rule for rule in group["rules"] if "alert" not in rule or rule["alert"] in names]}
        for group in document["groups"]
    ]
    return {**document, "groups": groups}
