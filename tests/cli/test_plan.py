"""`mlmetrics plan`: its table, its JSON, and what it reads from a configuration."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mlmetrics.catalog import RECORDING_PLACES
from mlmetrics.catalog.metric import LATENCY_BUCKETS_SECONDS
from mlmetrics.cli.root import main
from tests.monitoring.configurations import CLUSTERS, ONE_SERVICE

SERIES = 1927 + len(RECORDING_PLACES)
"""The series of a pod with 40 models and 25 routes; each place of recording errors has one."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    """Return the exit code and the output of the command."""
    result = CliRunner().invoke(main, ["plan", *arguments])
    return result.exit_code, result.output


def told(*arguments: str) -> dict[str, Any]:
    """Return what the command tells programs."""
    code, output = run(*arguments, "--json")
    assert 0 == code, output
    found: dict[str, Any] = json.loads(output)
    return found


class TestPlan:
    """What is printed."""

    def test_table(self) -> None:
        """A row for 10, the given, 1,000 and 100,000 pods, the last labelled as extrapolated; sources beneath."""
        code, output = run("--pods", "200", "--models", "40", "--routes", "25")
        assert 0 == code
        rows = [line.split() for line in output.splitlines()]
        header = next(index for index, row in enumerate(rows) if row[:2] == ["pods", "series"])
        assert ["10", "200", "1,000", "100,000"] == [row[0] for row in rows[header + 1 : header + 5]]
        assert f"{200 * SERIES:,}" == rows[header + 2][1]
        assert "extrapolated" == rows[header + 4][-1]
        assert "extrapolated" not in rows[header + 2]
        assert "bytes a sample" in output

    def test_json(self) -> None:
        """Programs get the same, in plain units."""
        found = told("--pods", "200", "--models", "40", "--routes", "25", "--interval", "20s")
        assert SERIES == found["series_per_pod"]
        load = next(each for each in found["loads"] if each["pods"] == 200)
        assert (200 * SERIES, 10.0 * SERIES) == (load["series"], load["samples_per_second"])

    def test_more_work_makes_more_series(self) -> None:
        """Each option adds what its metrics have."""
        least = told("--pods", "1", "--routes", "1")["series_per_pod"]
        for option in ("--models", "--doc-types", "--matchers", "--file-types", "--routes"):
            assert least < told("--pods", "1", "--routes", "1", option, "2")["series_per_pod"], option
        models = ("--pods", "1", "--models", "5")
        for flag in ("--streams", "--usage", "--batches"):
            assert told(*models)["series_per_pod"] < told(*models, flag)["series_per_pod"], flag


class TestConfiguration:
    """The file that is there, or named."""

    def test_counts_targets_and_operations(self, folder: Path) -> None:
        """The targets of the services are the pods, and each operation in use has one value of its labels."""
        (folder / "mlmetrics.toml").write_text(CLUSTERS + '[[operation]]\nname = "inference"\nrecords = []\n')
        found = told()
        assert 3 == found["loads"][0]["pods"]
        assert told("--models", "1")["series_per_pod"] == found["series_per_pod"]
        assert told("--models", "0")["series_per_pod"] < found["series_per_pod"]
        assert told("--doc-types", "5")["series_per_pod"] == found["series_per_pod"]

    def test_counts_what_operations_record(self, folder: Path) -> None:
        """What inferences record by the file is counted, and what an option says besides."""
        text = CLUSTERS + '[[operation]]\nname = "inference"\nrecords = '
        series = []
        for parts in ([], ["streams"], ["streams", "tokens", "cost", "lengths"]):
            (folder / "mlmetrics.toml").write_text(text + json.dumps(parts))
            series.append(told()["series_per_pod"])
        assert sorted(set(series)) == series
        (folder / "mlmetrics.toml").write_text(text + "[]")
        assert [series[1], series[2]] == [
            told("--streams")["series_per_pod"],
            told("--streams", "--usage")["series_per_pod"],
        ]

    def test_counts_no_calls(self, folder: Path) -> None:
        """Of an operation whose calls are not recorded, only its parts are counted."""
        text = ONE_SERVICE + '[[operation]]\nname = "inference"\nrecords = ["feedback"]\n'
        (folder / "mlmetrics.toml").write_text(text)
        with_calls = told()["series_per_pod"]
        (folder / "mlmetrics.toml").write_text(text + "calls = false\n")
        # A histogram, three outcomes, two error types and one gauge of the one model.
        assert len(LATENCY_BUCKETS_SECONDS) + 3 + 3 + 2 + 1 == with_calls - told()["series_per_pod"]

    def test_counts_own_operations(self, folder: Path) -> None:
        """Labels of an operation of the project's own have the values that are given, else one."""
        own = '[[operation]]\nname = "retrieval"\nlabels = ["index"]\n'
        (folder / "mlmetrics.toml").write_text(ONE_SERVICE + own)
        one, three = told()["series_per_pod"], told("--values", "index=3")["series_per_pod"]
        buckets = len(LATENCY_BUCKETS_SECONDS) + 3
        # A histogram, three outcomes, two error types and one gauge more for each of the two other values.
        assert 2 * (buckets + 3 + 2 + 1) == three - one

    def test_reads_bounds(self, folder: Path) -> None:
        """Buckets of the configuration are those that are counted."""
        arguments = ("--pods", "1", "--models", "10")
        (folder / "mlmetrics.toml").write_text(CLUSTERS)
        default = told(*arguments)["series_per_pod"]
        (folder / "mlmetrics.toml").write_text(
            f"{CLUSTERS}[buckets]\nml_inference_duration_seconds = [0.5, 1, 5, 30]\n"
        )
        assert 10 * 13 == default - told(*arguments)["series_per_pod"]


class TestRefusals:
    """A mistake is told in one line, with exit code 2."""

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ((), "give the number of pods with --pods"),
            (("--pods", "0"), "0 is not in the range"),
            (("--pods", "1", "--interval", "often"), "expected a duration such as 10s"),
            (("--pods", "1", "--config", "nowhere.toml"), "nowhere.toml: cannot be read"),
            (("--pods", "1", "--values", "index"), "expected LABEL=N such as index=40"),
            (
                ("--pods", "1", "--values", "index=40"),
                "--values index=…: expected a label of an operation: agent, batch_job,",
            ),
        ],
    )
    def test_mistakes(self, arguments: tuple[str, ...], words: str) -> None:
        """What is wrong is named with what would be right."""
        code, output = run(*arguments)
        assert 2 == code
        assert words in output
