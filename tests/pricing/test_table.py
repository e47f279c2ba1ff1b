"""A project's own prices: read, found by model and provider, and refused where they cannot be prices."""

import os
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mlmetrics import ConfigurationError
from mlmetrics.pricing.table import Table, read_table

TOML = """
date = 2026-11-01

[models."my-llm"]
input = 0.15
output = 0.60
provider = "vLLM"

[models."my-llm".tiers.flex]
input = 0.075
output = 0.30
"""
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
MILLION = 1_000_000


def cost(table: Table, model: str, provider: str = "", tier: str = "") -> float | None:
    """Return the cost of a million tokens of input; None if there are no such rates."""
    priced = table.find(model, provider)
    rates = None if priced is None else priced.of_tier(tier)
    return None if rates is None else rates.cost({"input": MILLION})


class TestReadTable:
    """Reading prices, from a mapping and from a file."""

    def test_a_mapping(self) -> None:
        """A mapping has the rates of each model; without a date, that of the table is not known."""
        table = read_table({"m": {"input": 1, "output": Decimal("2.5")}, "n": {"input": 3}})
        assert (1.0, 3.0, None) == (cost(table, "m"), cost(table, "n"), table.date)

    @pytest.mark.parametrize("day", [date(2026, 11, 1), datetime(2026, 11, 1, tzinfo=UTC)])
    def test_a_mapping_with_a_date(self, day: date) -> None:
        """The date of a mapping stands beside its models."""
        table = read_table({"date": day, "m": {"input": 1}})
        assert (NOVEMBER, ["m"]) == (table.date, list(table.models))

    def test_a_model_called_date(self) -> None:
        """A model may be called `date`: it has rates."""
        table = read_table({"date": {"input": 1}})
        assert (1.0, None) == (cost(table, "date"), table.date)

    @pytest.mark.parametrize("kind", [str, Path])
    def test_a_file(self, tmp_path: Path, kind: Any) -> None:
        """A TOML file has a date, and models with their providers and tiers."""
        path = tmp_path / "prices.toml"
        path.write_text(TOML)
        table = read_table(kind(path))
        assert NOVEMBER == table.date
        assert 0.15 == pytest.approx(cost(table, "my-llm"))
        assert 0.075 == pytest.approx(cost(table, "my-llm", "vllm", "flex"))

    def test_a_file_without_a_date(self, tmp_path: Path) -> None:
        """Its date is when it was changed."""
        path = tmp_path / "prices.toml"
        path.write_text(TOML.replace("date = 2026-11-01", ""))
        os.utime(path, (NOVEMBER, NOVEMBER))
        assert NOVEMBER == read_table(path).date

    @pytest.mark.parametrize(
        ("own", "told"),
        [
            (3, "prices=3: expected a mapping such as"),
            ({"": {"input": 1}}, "prices: '': expected the name of a model"),
            ({7: {"input": 1}}, "prices: 7: expected the name of a model"),
            ({"m": 0.5}, r"prices\.m: 0\.5: expected keys and values"),
            ({"m": {}}, r"prices\.m: expected US dollars per million tokens of at least one of input, "),
            ({"m": {"provider": "p"}}, r"prices\.m: expected US dollars per million tokens of at least one of input, "),
            ({"m": {"input": -1}}, r"prices\.m\.input=-1: expected US dollars per million tokens, a number, 0 or more"),
            ({"m": {"input": "1"}}, r"prices\.m\.input='1': expected US dollars"),
            ({"m": {"input": True}}, r"prices\.m\.input=True: expected US dollars"),
            ({"m": {"input": None}}, r"prices\.m\.input=None: expected US dollars"),
            ({"m": {"input": float("nan")}}, r"prices\.m\.input=nan: expected US dollars"),
            ({"m": {"input": Decimal("Infinity")}}, r"prices\.m\.input=Decimal\('Infinity'\): expected US dollars"),
            ({"m": {"imput": 1}}, r"prices\.m: unknown key 'imput': did you mean 'input'\?"),
            ({"m": {"input": 1, "cache_reads": 1}}, r"unknown key 'cache_reads': did you mean 'cache_read'\?"),
            ({"m": {"input": 1, "tier": {}}}, r"unknown key 'tier': did you mean 'tiers'\?"),
            ({"m": {"input": 1, "zzz": 1}}, r"unknown key 'zzz': expected one of input, .*, provider, tiers"),
            ({"m": {"input": 1, "provider": 3}}, r"prices\.m\.provider=3: expected the name of a provider"),
            ({"m": {"input": 1, "tiers": 3}}, r"prices\.m\.tiers: 3: expected keys and values"),
            ({"m": {"input": 1, "tiers": {"flex": 3}}}, r"prices\.m\.tiers\.flex: 3: expected keys and values"),
            ({"m": {"input": 1, "tiers": {"flex": {}}}}, r"prices\.m\.tiers\.flex: expected US dollars"),
            ({"m": {"input": 1, "tiers": {"flex": {"provider": "p"}}}}, r"prices\.m\.tiers\.flex: unknown key"),
            (
                {"m": {"input": 1, "tiers": {"Default": {"input": 1}}}},
                r"prices\.m\.tiers: 'Default': expected the name",
            ),
            ({"date": "2026-11-01", "m": {"input": 1}}, "prices: date='2026-11-01': expected a date"),
        ],
    )
    def test_refuses_what_is_no_price(self, own: Any, told: str) -> None:
        """The error names the place, what was given and what was expected."""
        with pytest.raises(ConfigurationError, match=told):
            read_table(own)

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("[models", "expected TOML, with sections such as"),
            ("\xff", "expected TOML, with sections such as"),
            (
                'date = "today"\n[models.m]\ninput = 1',
                "prices.toml: date='today': expected a date, in TOML without quotes",
            ),
            ("[model.m]\ninput = 1", r"prices.toml: unknown key 'model': did you mean 'models'\?"),
            ("date = 2026-11-01", "prices.toml: models: None: expected keys and values"),
            ("[models.m]\noutputs = 1", r"prices.toml: models\.m: unknown key 'outputs': did you mean 'output'\?"),
            ("[models.m]\ninput = inf", r"prices.toml: models\.m\.input=inf: expected US dollars"),
        ],
    )
    def test_refuses_broken_files(self, tmp_path: Path, text: str, told: str) -> None:
        """The error names the file."""
        path = tmp_path / "prices.toml"
        path.write_text(text, encoding="latin-1")
        with pytest.raises(ConfigurationError, match=told):
            read_table(path)

    def test_refuses_a_missing_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The error says where a relative path begins."""
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ConfigurationError, match=f"prices='no.toml': expected .*: No such file.* {tmp_path}"):
            read_table("no.toml")
        with pytest.raises(ConfigurationError, match="Is a directory"):
            read_table(tmp_path)


class TestTable:
    """Finding a model."""

    table = read_table(
        {
            "any": {"input": 1},
            "theirs": {"input": 2, "provider": "Azure"},
            "openai/gpt": {"input": 3},
            "tiered": {"input": 4, "tiers": {"Flex": {"input": 2, "output": 3}}},
        }
    )

    @pytest.mark.parametrize(
        ("model", "provider", "expected"),
        [
            ("any", "", 1.0),
            ("any", "whoever", 1.0),
            ("hosted_vllm/any", "", 1.0),
            ("any/hosted_vllm", "", None),
            ("theirs", "azure", 2.0),
            ("theirs", "AZURE", 2.0),
            ("theirs", "", 2.0),
            ("theirs", "litellm", 2.0),
            ("theirs", "openai", None),
            ("azure/theirs", "", 2.0),
            ("openai/theirs", "", None),
            ("openai/gpt", "", 3.0),
            ("gpt", "openai", 3.0),
            ("gpt", "", None),
            ("Any", "", None),
            ("", "", None),
        ],
    )
    def test_models(self, model: str, provider: str, expected: float | None) -> None:
        """A model is found by its name, with or without its provider, and only with the provider that it is of."""
        found = cost(self.table, model, provider)
        assert (None if expected is None else pytest.approx(expected)) == found

    @pytest.mark.parametrize("tier", ["", "default", "standard", "auto"])
    def test_the_standard_tier(self, tier: str) -> None:
        """The rates of a model are those of the standard tier."""
        assert 4.0 == pytest.approx(cost(self.table, "tiered", tier=tier))

    def test_other_tiers(self) -> None:
        """Another tier has rates of its own, or none: never those of the standard one."""
        assert 2.0 == pytest.approx(cost(self.table, "tiered", tier="flex"))
        assert cost(self.table, "tiered", tier="priority") is None
        assert cost(self.table, "any", tier="flex") is None
