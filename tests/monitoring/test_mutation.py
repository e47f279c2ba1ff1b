"""A sample of the mutation of all rules; `python -m tests.monitoring.mutation` takes them all."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.monitoring.mutants import mutants
from tests.monitoring.mutation import Mutant, all_mutants, sample, survives
from tests.monitoring.tools import PROMTOOL, run_tool
from tests.programs import find_program

SAMPLE = sample(every=60)


class TestMutants:
    """`mutants` changes one thing at a time."""

    def test_each_kind_of_change(self) -> None:
        """Operators, numbers, windows, matchers and bounds each have their mutants."""
        changed = {change.split(": ")[1] for change, _ in mutants('max(rate(x_bucket{a="b",le=~"5"}[5m])) > 0.5 and y')}
        assert {
            "max -> min",
            "= -> !=",
            'le=~"5" -> le=~"6"',
            "[5m] -> [10m]",
            "> -> >=",
            "> -> <",
            "0.5 -> 0.55",
            "0.5 -> 0.45",
            "and -> or",
            "and -> unless",
        } == changed

    def test_each_mutant_is_promql(self, tmp_path: Path) -> None:
        """A mutant that Prometheus cannot read would count as noticed for nothing."""
        expressions = {rule["expr"] for mutant in all_mutants() for rule in all_rules(mutant.document)}
        rules = [{"record": f"m:{index}", "expr": text} for index, text in enumerate(sorted(expressions))]
        (tmp_path / "m.yml").write_text(yaml.safe_dump({"groups": [{"name": "mutants", "rules": rules}]}))
        code, output = run_tool(PROMTOOL, "check", "rules", "m.yml", folder=tmp_path)
        assert code == 0, output


def all_rules(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rules of a rule file."""
    return [rule for group in document["groups"] for rule in group["rules"]]


class TestAllMutants:
    """`all_mutants` knows the unit tests of every rule."""

    def test_every_mutant_has_unit_tests(self) -> None:
        """A mutant without a unit test would count as a survivor, or promtool would fail for want of a file."""
        mutants = list(all_mutants())
        assert mutants
        assert not {mutant.rule for mutant in mutants if not mutant.tests}


class TestSurvives:
    """No mutant of a rendered rule passes the unit tests rendered for it."""

    @pytest.mark.parametrize("mutant", SAMPLE, ids=lambda mutant: f"{mutant.file} {mutant.rule} {mutant.change}")
    def test_noticed(self, mutant: Mutant) -> None:
        """A changed rule makes some unit test fail."""
        find_program(PROMTOOL[0], package=PROMTOOL[1])
        assert not survives(mutant)
