"""`interrupted` tells exceptions of signal handlers of all kinds from those of the interrupted code."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial, wraps
from types import FrameType
from typing import Any

import pytest

from mlmetrics.interruption import Tolerating, interrupted


class TimeIsUpError(Exception):
    """What the handlers raise."""


def plain(number: int, frame: FrameType | None) -> None:
    """Raise, as a handler."""
    raise TimeIsUpError


def by_way_of_another(number: int, frame: FrameType | None) -> None:
    """Have another function raise."""
    plain(0, None)


def with_a_default(number: int, frame: FrameType | None, more: str = "") -> None:
    """Raise, as a handler that may be called in another way too."""
    raise TimeIsUpError


def with_more(more: str, number: int, frame: FrameType | None) -> None:
    """Raise, as a handler that was given something before."""
    raise TimeIsUpError


def captured(number: int, frame: FrameType | None) -> None:
    """Raise, as a handler whose frame a closure holds."""

    def raising() -> None:
        raise TimeIsUpError(frame)

    raising()


def gathered(*args: Any) -> None:
    """Raise, as a handler of any arguments."""
    raise TimeIsUpError


@wraps(plain)
def decorated(*args: Any, **kwargs: Any) -> None:
    """Raise beneath a decorator."""
    plain(*args, **kwargs)


class Handler:
    """Raises as a method, as a class method and as an object that can be called."""

    def method(self, number: int, frame: FrameType | None) -> None:
        """Raise."""
        raise TimeIsUpError

    @classmethod
    def class_method(cls, number: int, frame: FrameType | None) -> None:
        """Raise."""
        raise TimeIsUpError

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Raise."""
        raise TimeIsUpError


HANDLERS: dict[str, Callable[[int, FrameType | None], Any]] = {
    "plain": plain,
    "by way of another": by_way_of_another,
    "with a default": with_a_default,
    "partial": partial(with_more, "more"),
    "captured": captured,
    "gathered": gathered,
    "decorated": decorated,
    "method": Handler().method,
    "class method": Handler.class_method,
    "object": Handler(),
}


@pytest.fixture
def restored() -> Iterator[None]:
    """Put the handler of SIGUSR1 back."""
    before = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, before)


def raised_by(work: Callable[[], object]) -> Exception:
    """Return the exception that a function raises."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 (whatever it is)
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("handler", HANDLERS)
def test_handlers(handler: str) -> None:
    """The exception of a handler is recognised, in the interrupted frame and in its callers."""
    signal.signal(signal.SIGUSR1, HANDLERS[handler])

    def ring() -> int:
        signal.raise_signal(signal.SIGUSR1)
        return 1

    assert interrupted(raised_by(ring))
    assert interrupted(raised_by(lambda: sorted([1, 2], key=lambda _: ring())))


def test_other_errors() -> None:
    """Errors of the running code are not taken for those of a handler, even if functions take frames or numbers."""

    def given(number: int, frame: FrameType | None) -> None:
        raise ValueError(number)

    assert not interrupted(ValueError("never raised"))
    assert not interrupted(raised_by(lambda: 1 / 0))
    assert not interrupted(raised_by(lambda: given(int(signal.SIGUSR1), None)))
    assert not interrupted(raised_by(lambda: given(-1, sys._getframe())))
    assert not interrupted(raised_by(lambda: given(True, sys._getframe())))  # noqa: FBT003 (a number to Python, no signal's)
    outer = sys._getframe()  # of a function further out than the one that calls
    assert not interrupted(raised_by(lambda: given(int(signal.SIGUSR1), outer)))


@pytest.mark.usefixtures("restored")
def test_error_made_of_an_interruption() -> None:
    """If code raises its own exception from that of a handler, the new one belongs to the code."""
    signal.signal(signal.SIGUSR1, plain)

    def turning() -> None:
        try:
            signal.raise_signal(signal.SIGUSR1)
        except TimeIsUpError as error:
            raise ValueError("no answer") from error

    assert not interrupted(raised_by(turning))


@pytest.mark.parametrize("wait", [signal.raise_signal, lambda number: os.kill(os.getpid(), number)])
def test_tolerating(wait: Callable[[int], object]) -> None:
    """Errors of the kinds are suppressed, others are not, and what a handler raises is not, whatever its kind."""

    def alarm(number: int, frame: FrameType | None) -> None:
        raise TimeoutError

    with Tolerating(OSError):
        raise FileNotFoundError
    with pytest.raises(KeyError), Tolerating(OSError):
        raise KeyError
    before = signal.signal(signal.SIGALRM, alarm)
    try:
        with pytest.raises(TimeoutError), Tolerating(OSError):
            wait(signal.SIGALRM)
    finally:
        signal.signal(signal.SIGALRM, before)
