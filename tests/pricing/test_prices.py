"""The prices in use: own ones, found at once and remembered."""

import pytest

from mlmetrics import ConfigurationError
from mlmetrics.pricing.prices import MOST_REMEMBERED, Prices
from mlmetrics.pricing.rates import Rates

OWN = {"my-llm": {"input": 0.15, "output": 0.6, "tiers": {"flex": {"input": 0.05}}}}


def _refuse(_rates: Rates | None) -> None:
    raise ValueError("no use for it")


class TestPrices:
    """Rates by model, provider and tier."""

    def test_own_prices_are_known_at_once(self) -> None:
        """Nothing waits for another thread, in whatever case the tier is written."""
        prices = Prices(OWN)
        rates, flex = prices.known("my-llm", "vllm", "default"), prices.known("my-llm", "", "FLEX")
        assert isinstance(rates, Rates)
        assert isinstance(flex, Rates)
        assert 0.75e-6 == pytest.approx(rates.cost({"input": 1, "output": 1}))
        assert 0.05e-6 == pytest.approx(flex.cost({"input": 1}))

    def test_a_tier_without_prices_is_unknown(self) -> None:
        """It never gets the standard price, nor that of another table."""
        prices = Prices(OWN)
        assert prices.known("my-llm", "", "priority") is None

    def test_remembers(self) -> None:
        """A second look-up gives the same rates."""
        prices = Prices(OWN)
        assert prices.known("my-llm") is prices.known("my-llm")

    def test_remembers_no_more_than_so_many(self) -> None:
        """Names without end do not fill the memory, and known models stay known."""
        prices = Prices(OWN)
        for number in range(2 * MOST_REMEMBERED):
            prices.known("my-llm", f"provider {number}")
            assert len(prices._remembered) <= MOST_REMEMBERED
        assert prices.rates("my-llm") is not None

    def test_looks_up_later(self) -> None:
        """What is queued is given to its function, by another thread."""
        prices, found = Prices(OWN), list[Rates | None]()
        prices.later("my-llm", "", "", found.append)
        prices.later("my-llm", "", "priority", found.append)
        assert prices.settle(10)
        assert [prices.rates("my-llm"), None] == found

    def test_tells_what_a_function_raises(self) -> None:
        """What was to use the rates and raises does not end the thread."""
        told, found = list[tuple[str, object]](), list[Rates | None]()
        prices = Prices(OWN, failed=lambda where, error: told.append((where, str(error))))
        prices.later("my-llm", "", "", _refuse)
        prices.later("my-llm", "", "priority", found.append)
        assert prices.settle(10)
        assert ([("cost", "no use for it")], [None]) == (told, found)

    def test_tables(self) -> None:
        """The date of the own table is known from the start; that of a table that is not in use is not there."""
        assert {} == Prices().tables()
        assert {} == Prices(OWN).tables()

    def test_refuses_what_is_no_price(self) -> None:
        """A mistake is told when the prices are declared."""
        with pytest.raises(ConfigurationError, match="did you mean 'output'"):
            Prices({"m": {"ouput": 1}})
