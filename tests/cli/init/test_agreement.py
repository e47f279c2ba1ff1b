"""Tests that a configuration that differs from the source is told, or refused where it cannot work."""

import pytest

from mlmetrics.catalog import INFERENCE, MATCHING, OPERATIONS, PARSING, Operation
from mlmetrics.catalog.own import own_operation
from mlmetrics.cli.init.agreement import disagreements
from mlmetrics.cli.init.operations import Recorded
from mlmetrics.errors import ConfigurationError

RETRIEVAL = own_operation("retrieval", ("index",), score=True)


class TestDisagreements:
    """`disagreements` yields a line for each difference."""

    def test_none(self) -> None:
        """The same operations, or more parts in the configuration than were found, are no difference."""
        recorded = [Recorded(INFERENCE, {"tokens"}, calls=True), Recorded(RETRIEVAL, calls=True)]
        assert [] == list(disagreements([INFERENCE, RETRIEVAL], recorded))

    def test_only_in_the_code(self) -> None:
        """The section to add is given."""
        (line,) = disagreements([], [Recorded(RETRIEVAL, calls=True)])
        assert 'name = "retrieval"' in line
        assert 'labels = ["index"]' in line

    def test_only_in_the_configuration(self) -> None:
        """An operation that nobody records is named."""
        (line,) = disagreements([INFERENCE, MATCHING], [Recorded(INFERENCE, calls=True)])
        assert line.startswith("the configuration names matching, which nothing in the code records")

    def test_part_left_out(self) -> None:
        """The list to write is given."""
        (line,) = disagreements([PARSING.recording(frozenset({"score"}))], [Recorded(PARSING, {"size"}, calls=True)])
        assert line.endswith('write records = ["score", "size"]')

    @pytest.mark.parametrize(
        "other", [own_operation("retrieval", ("index", "kind"), score=True), own_operation("retrieval", ("index",))]
    )
    def test_declared_differently(self, other: Operation) -> None:
        """Other labels, or scores on one side only, are refused."""
        with pytest.raises(ConfigurationError, match="declare it differently"):
            list(disagreements([other], [Recorded(RETRIEVAL, calls=True)]))

    def test_everything(self) -> None:
        """A configuration that does not speak of operations is told what to say."""
        (line,) = disagreements(OPERATIONS, [Recorded(RETRIEVAL, calls=True)])
        assert 'name = "retrieval"' in line
