"""Rates: what tokens cost by them, and when that is not known."""

import pickle
from math import inf, nan
from typing import Any

import pytest

from mlmetrics.pricing.rates import ChangingRates, FixedRates
from tests.conftest import Clock

FULL = {"input": 2.0, "cache_read": 0.5, "cache_write": 2.5, "output": 8.0, "reasoning": 4.0}
MILLION = 1_000_000


class TestFixedRates:
    """Rates that do not change with time."""

    @pytest.mark.parametrize(("token_type", "rate"), FULL.items())
    def test_each_type_has_its_own(self, token_type: str, rate: float) -> None:
        """A million tokens of a type cost its rate."""
        assert rate == pytest.approx(FixedRates(FULL).cost({token_type: MILLION}))

    def test_types_add_up(self) -> None:
        """The types are additive: none contains another."""
        assert 17.0 == pytest.approx(FixedRates(FULL).cost(dict.fromkeys(FULL, MILLION)))

    @pytest.mark.parametrize(("token_type", "rate"), [("cache_read", 2.0), ("cache_write", 2.0), ("reasoning", 8.0)])
    def test_types_cost_as_those_that_they_are_counted_among(self, token_type: str, rate: float) -> None:
        """Without a rate of their own, cached tokens cost as input, and reasoning as output."""
        rates = FixedRates({"input": 2.0, "output": 8.0})
        assert rate == pytest.approx(rates.cost({token_type: MILLION}))

    def test_no_rate(self) -> None:
        """Tokens of a type without a rate have no known cost; no tokens of such a type cost nothing."""
        rates = FixedRates({"input": 2.0})
        assert rates.cost({"input": 10, "output": 1}) is None
        assert rates.cost({"input": 10, "audio": 1}) is None
        assert 2.0 == pytest.approx(rates.cost({"input": MILLION, "output": 0, "audio": 0}))

    def test_free_models_cost_nothing(self) -> None:
        """A rate of 0 is a price."""
        assert 0.0 == FixedRates({"input": 0, "output": 0}).cost({"input": 10, "reasoning": 20})

    @pytest.mark.parametrize("number", [-1, nan, inf, -inf])
    def test_numbers_that_count_no_tokens(self, number: float) -> None:
        """A number of tokens that cannot be one has no known cost, whatever else was used."""
        assert FixedRates(FULL).cost({"output": MILLION, "input": number}) is None

    def test_missing_numbers_count_as_none(self) -> None:
        """A type whose number is None was not reported, and is skipped."""
        tokens: dict[str, Any] = {"input": MILLION, "output": None}
        assert 2.0 == pytest.approx(FixedRates(FULL).cost(tokens))

    def test_steps_by_the_size_of_the_input(self) -> None:
        """Above a size of the whole input, cached tokens included, every token costs the rate of that step."""
        rates = FixedRates(
            {"input": 1.0, "output": 2.0}, [(100, {"input": 10.0, "output": 2.0}), (200, {"input": 100.0})]
        )
        assert 100e-6 == pytest.approx(rates.cost({"input": 100}))
        assert 1010e-6 + 2e-6 == pytest.approx(
            rates.cost({"input": 50, "cache_read": 50, "cache_write": 1, "output": 1})
        )
        assert 20_100e-6 == pytest.approx(rates.cost({"input": 1, "cache_read": 200}))
        assert rates.cost({"input": 201, "output": 1}) is None

    def test_a_price_for_each_request(self) -> None:
        """What a call costs whatever its tokens is added once."""
        assert 0.005 + 2.0 == pytest.approx(FixedRates(FULL, request=0.005).cost({"input": MILLION}))

    def test_can_be_sent_to_another_process(self) -> None:
        """Pickled rates are the same rates."""
        rates = FixedRates(FULL, [(100, {"input": 7.0})], 1.0)
        copied = pickle.loads(pickle.dumps(rates))  # noqa: S301 (bytes of our own)
        assert rates.cost({"input": 101}) == copied.cost({"input": 101})


class TestChangingRates:
    """Rates that depend on the time."""

    def test_change_with_time(self, clock: Clock) -> None:
        """The cost is that of the moment, to the second; where there are no rates, it is not known."""
        by_second = [FixedRates({"input": 1.0}), FixedRates({"input": 5.0}), None]
        rates = ChangingRates(lambda seconds: by_second[int(seconds)], clock)
        assert 1.0 == pytest.approx(rates.cost({"input": MILLION}))
        clock.advance(0.5)
        assert 1.0 == pytest.approx(rates.cost({"input": MILLION}))
        clock.advance(0.5)
        assert 5.0 == pytest.approx(rates.cost({"input": MILLION}))
        clock.advance(1)
        assert rates.cost({"input": MILLION}) is None
