"""`mlmetrics` as other command lines: short help, no colours without a terminal, completion."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlmetrics.cli.root import main

SCREEN_LINES, SCREEN_COLUMNS = 24, 80


@pytest.mark.parametrize("command", ["", "init", "live", "render", "check", "plan", "run"])
def test_help_fits_a_screen(command: str) -> None:
    """The help fits on one screen."""
    done = CliRunner().invoke(main, [*command.split(), "--help"], terminal_width=SCREEN_COLUMNS)
    assert 0 == done.exit_code
    lines = done.stdout.splitlines()
    assert len(lines) <= SCREEN_LINES + (10 if command else 0)
    assert max(map(len, lines)) <= SCREEN_COLUMNS


def test_help_tells_the_exit_codes() -> None:
    """The help explains the exit codes 0, 1 and 2."""
    assert "Exit codes: 0" in CliRunner().invoke(main, ["--help"]).stdout


def test_no_colours_without_a_terminal(tmp_path: Path) -> None:
    """In a real process, output to a file or a pipe has no escape sequences."""
    (tmp_path / "main.py").write_text("from fastapi import FastAPI\napp = FastAPI()\n")
    command = [sys.executable, "-m", "mlmetrics.cli", "init", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    assert "new" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    """Each shell gets its script, and typing `mlmetrics in` is completed."""

    def answer(instruction: str, **typed: str) -> str:
        asked = {"_MLMETRICS_COMPLETE": f"{shell}_{instruction}", **typed}
        done = CliRunner().invoke(main, [], prog_name="mlmetrics", env=asked)
        assert (0, "") == (done.exit_code, done.stderr)
        return done.stdout

    assert "_MLMETRICS_COMPLETE" in answer("source")
    words = {"COMP_WORDS": "in" if shell == "fish" else "mlmetrics in", "COMP_CWORD": "in" if shell == "fish" else "1"}
    assert "init" in re.split(r"[\s,]", answer("complete", **words))
