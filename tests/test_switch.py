"""`MLMETRICS_DISABLED`: nothing is recorded, patched, started or written, and the program runs as it did."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mlmetrics
from mlmetrics.errors import ConfigurationError
from mlmetrics.switch import VARIABLE, disabled
from mlmetrics.workers import directory

ROOT = Path(__file__).parents[1]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program of Python with these variables set."""
    inherited = {name: value for name, value in os.environ.items() if name not in (VARIABLE, directory.VARIABLE)}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


class TestDisabled:
    """What a value of the variable means."""

    @pytest.mark.parametrize("value", ["1", "true", "TRUE", "True", " true "])
    def test_off(self, value: str) -> None:
        """1 and true, in any case, switch off."""
        assert disabled(value)

    @pytest.mark.parametrize("value", ["", "0", "false", "False", " "])
    def test_on(self, value: str) -> None:
        """0, false and nothing leave it on."""
        assert not disabled(value)

    @pytest.mark.parametrize("value", ["yes", "on", "2", "disabled"])
    def test_anything_else(self, value: str) -> None:
        """Any other value is refused: neither meaning may be guessed."""
        with pytest.raises(ConfigurationError, match=f"MLMETRICS_DISABLED='{value}': expected 1 or true"):
            disabled(value)


class TestProgram:
    """A program that is started with the variable set."""

    @pytest.mark.parametrize(("value", "files"), [("1", False), ("True", True)])
    def test_every_name(self, tmp_path: Path, value: str, *, files: bool) -> None:
        """Every public name has a case in `switched_off`, in one process and as one of several."""
        several = {directory.VARIABLE: str(tmp_path)} if files else {}
        done = run("-m", "tests.switched_off", **{VARIABLE: value}, **several)
        assert [*done.stdout.split()[-1:], done.returncode] == ["all", 0], done.stdout[-300:] + done.stderr[-3000:]
        assert set(mlmetrics.__all__) <= set(done.stdout.split())

    def test_wrong_value(self) -> None:
        """A value that is not known is an error where the first name is used."""
        done = run("-c", "import mlmetrics; mlmetrics.track_inference", **{VARIABLE: "yes"})
        assert "ConfigurationError: MLMETRICS_DISABLED='yes': expected 1 or true" in done.stderr

    def test_left_on(self) -> None:
        """0 changes nothing: a decorated function is another one."""
        done = run(
            "-c", "import mlmetrics; print(mlmetrics.track_inference(run := lambda: 1) is run)", **{VARIABLE: "0"}
        )
        assert done.stdout == "False\n", done.stderr
