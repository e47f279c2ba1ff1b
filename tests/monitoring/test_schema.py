"""The JSON Schema of the configuration and the reference page: up to date and correct."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from mlmetrics.monitoring.document import document_of
from mlmetrics.monitoring.rules.alerts import DEFAULTS
from mlmetrics.monitoring.schema import REFERENCE_PATH, SCHEMA, SCHEMA_PATH, reference_text, schema_text
from tests.monitoring.configurations import AWKWARD, CLUSTERS, ONE_SERVICE, ONLY_REQUESTS, OWN, ROOT
from tests.monitoring.test_runbooks import PAGES, blocks

VALIDATOR = Draft7Validator(json.loads(schema_text()))
EXAMPLES = {
    "the repository's": (ROOT / "mlmetrics.toml").read_text(encoding="utf-8"),
    "one service": ONE_SERVICE,
    "clusters": CLUSTERS,
    "awkward names": AWKWARD,
    "own operations": ONE_SERVICE + OWN,
    "requests only": ONLY_REQUESTS + ONE_SERVICE,
} | {block: ONE_SERVICE + block for page in PAGES.values() for block in blocks(page, "toml")}
REFUSED = {
    "no service": "",
    "an unknown section": ONE_SERVICE + "[colours]\n",
    "an unknown key": ONE_SERVICE + '[project]\nnam = "a"\n',
    "an unknown alert": ONE_SERVICE + "[alert.SlowInference]\n",
    "a key of another alert": ONE_SERVICE + "[alert.ServiceDown]\nthreshold = 1\n",
    "a share of 100 %": ONE_SERVICE + "[alert.HighErrorRate]\nshare = 5\n",
    "a window without a unit": ONE_SERVICE + "[alert.HighErrorRate]\nwindow = 5\n",
    "a window of no duration": ONE_SERVICE + '[alert.HighErrorRate]\nwindow = "soon"\n',
    "an unknown severity": ONE_SERVICE + '[alert.HighErrorRate]\nseverity = "bad"\n',
    "an alert of an own operation with a wrong key": ONE_SERVICE + "[alert.HighRetrievalFailureRate]\nthreshold = 1\n",
    "buckets of an own operation's counter": ONE_SERVICE + "[buckets]\nml_retrieval_total = [1, 2]\n",
    "buckets of a counter": ONE_SERVICE + "[buckets]\nml_inference_total = [1, 2]\n",
    "one bound": ONE_SERVICE + "[buckets]\nml_inference_duration_seconds = [30]\n",
    "an objective without a target": ONE_SERVICE
    + '[[objective]]\nname = "o"\nservice = "solo"\noperation = "request"\n',
    "an objective's threshold in words": ONE_SERVICE
    + '[[objective]]\nname = "o"\nservice = "solo"\noperation = "request"\ntarget = 0.9\nthreshold = "1s"\n',
}


class TestSchema:
    """The JSON Schema that editors read."""

    def test_is_up_to_date(self) -> None:
        """The file in the package agrees with the models; `python -m mlmetrics.monitoring.schema` writes it."""
        assert schema_text() == SCHEMA_PATH.read_text(encoding="utf-8")

    def test_is_a_schema(self) -> None:
        """The schema is valid by its version of JSON Schema."""
        Draft7Validator.check_schema(VALIDATOR.schema)

    @pytest.mark.parametrize("name", EXAMPLES)
    def test_accepts_what_is_accepted(self, name: str) -> None:
        """Every example and every block of the runbooks is valid."""
        assert [] == [error.message for error in VALIDATOR.iter_errors(tomllib.loads(EXAMPLES[name]))]

    @pytest.mark.parametrize("name", REFUSED)
    def test_refuses_what_is_refused(self, name: str) -> None:
        """Wrong values of single keys are invalid by the schema."""
        assert not VALIDATOR.is_valid(tomllib.loads(REFUSED[name]))

    def test_every_key_is_described(self) -> None:
        """Every key has a description, defaults are those of the models, and nothing may be null."""
        models = document_of(()).model_json_schema()["$defs"]
        for name, model in models.items():
            silent = [key for key, each in model["properties"].items() if not ({"description", "$ref"} & each.keys())]
            assert not silent, name
        for alert, settings in DEFAULTS.items():
            assert settings.severity == models[alert]["properties"]["severity"]["default"]
        assert "null" not in schema_text()

    def test_editors_follow_the_first_line(self, tmp_path: Path) -> None:
        """Taplo, which editors use, finds the schema by the first line of a file, and reports errors by it."""
        (tmp_path / SCHEMA).write_text(schema_text())
        path = tmp_path / "mlmetrics.toml"
        path.write_text(f"#:schema ./{SCHEMA}\n{ONE_SERVICE}{OWN}")
        assert (0, "") == lint(path)
        path.write_text(f"#:schema ./{SCHEMA}\n{ONE_SERVICE}[alert.ServiceDown]\nthreshold = 1\n")
        code, complaints = lint(path)
        assert 1 == code
        assert "('threshold' was unexpected)" in complaints

    def test_the_repository_names_it(self) -> None:
        """The configuration at the top of the repository names the schema in its first line."""
        first = EXAMPLES["the repository's"].splitlines()[0]
        assert SCHEMA_PATH == ROOT / first.removeprefix("#:schema ./")


def lint(path: Path) -> tuple[int, str]:
    """Return the exit code of Taplo, and its messages about a file."""
    taplo = Path(sys.executable).with_name("taplo")
    done = subprocess.run([taplo, "lint", path.name], cwd=path.parent, capture_output=True, text=True, check=False)
    return done.returncode, "\n".join(line for line in done.stderr.splitlines() if line.startswith("error"))


class TestReference:
    """The page of all keys."""

    def test_is_up_to_date(self) -> None:
        """The page agrees with the models; `python -m mlmetrics.monitoring.schema` writes it."""
        assert reference_text() == REFERENCE_PATH.read_text(encoding="utf-8")

    def test_names_every_key(self) -> None:
        """Every section, key, alert and histogram has its row."""
        page = reference_text()
        document = document_of(()).model_json_schema()
        assert all(f"[{name}]" in page or f"[{name}.NAME]" in page for name in document["properties"])
        keys = {key for model in document["$defs"].values() for key in model["properties"]}
        assert not [key for key in keys if f"| `{key}` |" not in page]

    def test_has_the_defaults_and_units(self) -> None:
        """The row of an alert has its default numbers, and the unit of its threshold."""
        row = next(line for line in reference_text().splitlines() if line.startswith("| `SlowMLInference`"))
        assert '| `SlowMLInference` | `"warning"` | `"5m"` | `30` | `0.05` | `"10m"` | `10` | seconds |' == row
