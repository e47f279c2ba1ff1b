"""Runs Debian's promtool and amtool on rendered files."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.programs import find_program

PROMTOOL = ("promtool", "prometheus")
AMTOOL = ("amtool", "prometheus-alertmanager")


def write(files: Mapping[str, str], folder: Path) -> None:
    """Write files into a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def run_tool(tool: tuple[str, str], *arguments: str, folder: Path) -> tuple[int, str]:
    """Return the exit code and the output of a tool."""
    program, package = tool
    command = [find_program(program, package=package), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def rule_files(files: Mapping[str, str]) -> list[str]:
    """Return the names of rule files."""
    return [name for name in files if name.startswith("rules/")]
