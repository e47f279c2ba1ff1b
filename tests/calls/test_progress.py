"""How a stream ends that was told to."""

from typing import Any

import pytest

from mlmetrics.calls.progress import exit_of


@pytest.mark.parametrize("thrown", [(GeneratorExit,), (GeneratorExit("enough"),), (GeneratorExit, None, None)])
def test_exit_that_was_thrown(thrown: tuple[Any, ...]) -> None:
    """`throw` takes a class as well as an instance, and older code gives three arguments."""
    assert isinstance(exit_of(thrown), GeneratorExit)


@pytest.mark.parametrize("thrown", [(), (ValueError,), (ValueError("wrong"), None, None)])
def test_no_exit(thrown: tuple[Any, ...]) -> None:
    """A stream that ends for any other reason is exhausted."""
    assert exit_of(thrown) is None
