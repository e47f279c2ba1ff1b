"""Drift in PromQL, run by promtool and compared with NumPy; and the export of baselines."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from mlmetrics.catalog import BY_NAME
from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.prometheus.files import server_files
from mlmetrics.monitoring.promtool.test_cases import series_notation
from mlmetrics.monitoring.rules.baseline import export_baseline
from tests.monitoring.configurations import CONFIGURATIONS, ROOT
from tests.monitoring.tools import PROMTOOL, run_tool, write

STEPS_AN_HOUR = 8
STEPS_A_WEEK = 7 * 24 * STEPS_AN_HOUR
STEP = "450s"
HISTOGRAMS = {
    "matching_score_distribution": ({"service": "s", "matcher": "steady"}, {"service": "s", "matcher": "shifted"}),
    "parsing_accuracy_score": (
        {"service": "s", "parser": "p", "doc_type": "steady"},
        {"service": "s", "parser": "p", "doc_type": "shifted"},
    ),
}
CLASSES = "ml_prediction_total"
Scores = Any  # arrays of steps x scores; NumPy's types do not express that


def distances(histogram: str, then: Scores, now: Scores) -> dict[str, float]:
    """Return PSI, KS and W1 of two sets of scores by NumPy."""
    bounds = np.array(BY_NAME[histogram].buckets)
    edges = np.concatenate([[0.0], bounds])
    shares = [np.histogram(scores, bins=edges)[0] / scores.size for scores in (then, now)]
    cdfs = [np.cumsum(share) for share in shares]
    return {
        "psi": psi(shares[0], shares[1], min(then.size, now.size)),
        "ks": float(np.max(np.abs(cdfs[1] - cdfs[0]))),
        "w1": float(np.sum(np.diff(edges) * np.abs(cdfs[1] - cdfs[0]))),
    }


def psi(then: Scores, now: Scores, fewer: int) -> float:
    """Return the PSI of two arrays of shares by NumPy; `fewer` is the number of observations on the smaller side."""
    half = 0.5 / fewer
    return float(np.sum((now - then) * np.log((now + half) / (then + half))))


def series(histogram: str, labels: dict[str, str], instance: str, steps: list[Scores], reset: int | None) -> list[Any]:
    """Return the series of a histogram of one instance for the scores of each step, with or without a restart."""
    bounds = BY_NAME[histogram].buckets
    rows = [[0.0] * (len(bounds) + 1)]
    for step, scores in enumerate(steps, start=1):
        before = np.zeros(len(bounds) + 1) if step == reset else np.array(rows[-1])
        seen = [float(np.sum(scores <= bound)) for bound in bounds]
        rows.append(list(before + np.array([*seen, float(len(scores))])))
    names = [f'{histogram}_bucket{{{text({**labels, "le": str(bound)})},instance="{instance}"}}' for bound in bounds]
    names.append(f'{histogram}_count{{{text(labels)},instance="{instance}"}}')
    columns = zip(*rows, strict=True)
    return [{"series": name, "values": series_notation(column)} for name, column in zip(names, columns, strict=True)]


def text(labels: dict[str, str]) -> str:
    """Return labels as PromQL writes them."""
    return ",".join(f'{name}="{value}"' for name, value in labels.items())


def class_series(instance: str, counts: dict[str, list[int | None]]) -> list[dict[str, str]]:
    """Return the counters of the classes of one instance: how often each was predicted in each step, if it exists."""
    found = []
    for name, steps in counts.items():
        columns: list[float | None] = []
        total = 0.0
        for count in steps:
            total += count or 0
            columns.append(None if count is None else total)
        labels = f'service="s",model="m",predicted_class="{name}",instance="{instance}"'
        found.append({"series": f"ml_prediction_total{{{labels}}}", "values": series_notation(columns)})
    return found


def query(histogram: str, labels: dict[str, str], reference: str, what: str, value: float) -> dict[str, Any]:
    """Return the expectation that a recorded distance is a value to within 1e-6."""
    full = {**labels, "reference": reference}
    return {
        "expr": f"abs(mlmetrics:{histogram}:{what}{{{text(full)}}} - {value!r}) < bool 1e-6",
        "eval_time": f"{(STEPS_A_WEEK + STEPS_AN_HOUR) * 450}s",
        "exp_samples": [{"labels": f"{{{text(full)}}}", "value": 1}],
    }


def drift_rules(configuration: str, metric: str) -> str:
    """Return the rendered rules of drift of one metric: those of others have no series here, and only take time."""
    document = yaml.safe_load(server_files(CONFIGURATIONS[configuration])["rules/drift.yml"])
    (group,) = (each for each in document["groups"] if each["name"] == f"mlmetrics-drift: {metric}")
    return yaml.safe_dump({"groups": [group]})


def group_names(files: dict[str, str]) -> list[str]:
    """Return the groups in the order in which promtool must evaluate them, because its steps are not 15 seconds."""
    names = [group["name"] for content in files.values() for group in yaml.safe_load(content)["groups"]]
    return sorted(names, key=lambda name: "baseline" not in name)


class TestDriftRules:
    """The rules record what NumPy computes from the same scores."""

    @pytest.mark.parametrize("histogram", HISTOGRAMS)
    def test_equal_to_numpy(self, histogram: str, tmp_path: Path) -> None:
        """Two instances, a steady and a shifted model, a restart, a week ago and a baseline: all distances agree."""
        random = np.random.default_rng(4)
        steady, shifted = HISTOGRAMS[histogram]
        inputs: list[Any] = []
        queries: list[Any] = []
        files = {"drift.yml": drift_rules("shipped", histogram)}
        for labels, mean in ((steady, 4.0), (shifted, 2.0)):
            then, now = (
                random.beta(4, 2, size=(2, STEPS_AN_HOUR, 60)),
                random.beta(mean, 2, size=(2, STEPS_AN_HOUR, 60)),
            )
            training = random.beta(4, 2, size=2000)
            path = export_baseline(training, tmp_path / f"{mean}.yml", metric=histogram, labels=labels)
            files[path.name] = path.read_text()
            quiet = [np.array([])] * (STEPS_A_WEEK - STEPS_AN_HOUR)
            for index, instance in enumerate(("one", "two")):
                reset = STEPS_A_WEEK + 4 if index else None
                inputs += series(histogram, labels, instance, [*then[index], *quiet, *now[index]], reset)
            for reference, scores in (("week", then), ("baseline", training)):
                expected = distances(histogram, scores, now)
                queries += [query(histogram, labels, reference, what, value) for what, value in expected.items()]
        document = {
            "rule_files": list(files),
            "evaluation_interval": STEP,
            "group_eval_order": group_names(files),
            "tests": [{"interval": STEP, "input_series": inputs, "promql_expr_test": queries}],
        }
        write({**files, "numpy.test.yml": yaml.safe_dump(document)}, tmp_path)
        code, output = run_tool(PROMTOOL, "test", "rules", "numpy.test.yml", folder=tmp_path)
        assert code == 0, output
        assert 12 == len(queries)


class TestClassDriftRules:
    """The rules record what NumPy computes from the same predictions."""

    # Predictions in each step, a week ago and now; a class that is not predicted has no series.
    THEN, NOW = {"a": 31, "b": 12, "gone": 7}, {"a": 20, "b": 25, "new": 9}
    TRAINED = {"a": 500, "b": 300, "forgotten": 200}  # noqa: RUF012 - read only

    def test_equal_to_numpy(self, tmp_path: Path) -> None:
        """Two instances, classes that are new and gone, a week ago and a baseline: all that is recorded agrees."""
        quiet = STEPS_A_WEEK - STEPS_AN_HOUR
        counts = {
            name: [
                *([0 if name in self.THEN else None, *[self.THEN.get(name)] * STEPS_AN_HOUR]),
                *([0 if name in self.THEN and name in self.NOW else None] * (quiet - 1)),
                *([0 if name in self.NOW else None, *[self.NOW.get(name)] * STEPS_AN_HOUR]),
            ]
            for name in {**self.THEN, **self.NOW}
        }
        inputs = [one for instance in ("one", "two") for one in class_series(instance, counts)]
        files = {"drift.yml": drift_rules("one service", CLASSES)}
        predictions = [name for name, count in self.TRAINED.items() for _ in range(count)]
        labels = {"service": "s", "model": "m"}
        path = export_baseline(predictions, tmp_path / "m.yml", metric=CLASSES, labels=labels)
        files[path.name] = path.read_text()
        queries = [
            query(CLASSES, labels, reference, what, value)
            for reference, then in (("week", self.THEN), ("baseline", self.TRAINED))
            for what, value in self.expected(then, 1 if reference == "baseline" else 2 * STEPS_AN_HOUR).items()
        ]
        document = {
            "rule_files": list(files),
            # Two evaluations a step: baselines are recorded from what drift rules recorded one evaluation before.
            "evaluation_interval": "225s",
            "group_eval_order": group_names(files),
            "tests": [{"interval": STEP, "input_series": inputs, "promql_expr_test": queries}],
        }
        write({**files, "numpy.test.yml": yaml.safe_dump(document)}, tmp_path)
        code, output = run_tool(PROMTOOL, "test", "rules", "numpy.test.yml", folder=tmp_path)
        assert code == 0, output
        assert 6 == len(queries)

    def expected(self, then: dict[str, int], steps: int) -> dict[str, float]:
        """Return what is recorded against predictions that happened in so many steps, of both instances."""
        names = sorted({*then, *self.NOW})
        before, after = (np.array([counts.get(name, 0) for name in names]) for counts in (then, self.NOW))
        sizes = before.sum() * steps, after.sum() * 2 * STEPS_AN_HOUR
        return {
            "psi": psi(before / before.sum(), after / after.sum(), int(min(sizes))),
            "classes": float(len(names)),
            "samples": float(sizes[0]),
        }


def test_baselines_need_no_extra() -> None:
    """A training job can import `export_baseline` without pydantic, which comes with the extra `cli`."""
    code = "import mlmetrics, sys; mlmetrics.export_baseline; print({'pydantic', 'yaml', 'click'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "set()" == done.stdout.strip()


class TestExportBaseline:
    """`export_baseline` writes a rule file that Prometheus accepts, or raises an error that says why not."""

    LABELS = {"service": "matching-service", "matcher": 'tf"idf'}  # noqa: RUF012 - read only

    def test_prometheus_accepts_it(self, tmp_path: Path) -> None:
        """The file passes promtool, with one rule for each bound and one for the number of samples."""
        path = export_baseline([0.05, 0.1, 0.95], tmp_path / "new" / "b.yml", labels=self.LABELS)
        code, output = run_tool(PROMTOOL, "check", "rules", "--lint=all", "--lint-fatal", "b.yml", folder=path.parent)
        assert code == 0, output
        rules = yaml.safe_load(path.read_text())["groups"][0]["rules"]
        assert "vector(3)" == rules[0]["expr"]
        assert {**self.LABELS, "bin": "0.1"} == rules[1]["labels"]
        assert f"vector({2 / 3!r})" == rules[1]["expr"]

    def test_of_an_own_operation(self, tmp_path: Path) -> None:
        """Scores of an own operation have its labels, and the bounds that are given; an empty label is left out."""
        labels = {"service": "s", "index": "docs", "tenant": ""}
        path = export_baseline(
            [0.1, 0.9], tmp_path / "b.yml", metric="ml_retrieval_score", labels=labels, buckets=(0.5, 1.0)
        )
        _, *shares = yaml.safe_load(path.read_text())["groups"][0]["rules"]
        assert [{"service": "s", "index": "docs", "bin": each} for each in ("0.5", "1.0")] == [
            rule["labels"] for rule in shares
        ]
        assert ["vector(0.5)", "vector(1.0)"] == [rule["expr"] for rule in shares]

    @pytest.mark.parametrize(
        ("scores", "options", "words"),
        [
            ([], {}, "scores are empty"),
            ([0.5, float("nan")], {}, "score = nan: expected numbers from 0 to 1"),
            ([1.2], {}, "score = 1.2"),
            ([0.5], {"metric": "ml_inference_total"}, "expected one of .*, ml_prediction_total, or ml_NAME_score"),
            (["cat"], {}, "score = 'cat': expected numbers"),
            ([], {"metric": CLASSES}, "no classes"),
            (["a", " b"], {"metric": CLASSES, "labels": {"service": "s", "model": "m"}}, "class = ' b'"),
            (["a"], {"metric": CLASSES}, "for each of service, model"),
            ([0.5], {"metric": "ml_retrieval_score", "labels": {"index": "docs"}}, "for each of service, index"),
            ([0.5], {"labels": {"service": "s"}}, "for each of service, matcher"),
        ],
    )
    def test_mistakes_are_named(self, scores: list[float], options: dict[str, Any], words: str, tmp_path: Path) -> None:
        """A wrong argument is named, and nothing is written."""
        with pytest.raises(ConfigurationError, match=words):
            export_baseline(scores, tmp_path / "b.yml", **{"labels": self.LABELS, **options})
        assert [] == list(tmp_path.iterdir())
