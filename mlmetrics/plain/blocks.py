"""What counts, times or follows a block: in a `with` statement, or around every call of a function.

A call of a coroutine function lasts until it has returned, one of a generator or an async generator until it is
exhausted or closed. Each call is a block of its own, so threads, tasks and recursion may share a decorator.
"""

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from mlmetrics.errors import DeclarationError, shown
from mlmetrics.recording.store import Store
from mlmetrics.switch import DISABLED

F = TypeVar("F", bound=Callable[..., Any])


class Block:
    """A block; `anew` makes one for each call of a decorated function."""

    __slots__ = ()

    def __enter__(self) -> Self:
        """Begin the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the block."""

    def anew(self) -> Self:
        """Return the block of a further call."""
        return self

    def __call__(self, function: F) -> F:
        """Do so around every call of a function, also of a static method or a class method.

        Raises:
            DeclarationError: it cannot be called.
        """
        if isinstance(function, staticmethod | classmethod):
            inner = self(function.__func__)
            return function if DISABLED else type(function)(inner)
        if not callable(function):
            raise DeclarationError(f"{type(self).__name__} decorates functions; got {shown(function)}")
        if DISABLED:
            return function
        wrapper: Any = next(wrap for concerns, wrap in _WRAPPERS if concerns(function))(function, self.anew)
        return functools.wraps(function)(wrapper)  # type: ignore[return-value]


class Counts(Protocol):
    """A counter."""

    def inc(self) -> None:
        """Add 1."""


class ExceptionCounter(Block):
    """Counts the exceptions of a block; they go on."""

    __slots__ = ("_counter", "_exception")

    def __init__(self, counter: Counts, exception: type[BaseException] | tuple[type[BaseException], ...]) -> None:
        self._counter = counter
        self._exception = exception

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Count the exception, if it is of these types."""
        if kind is not None and issubclass(kind, self._exception):
            self._counter.inc()


class UpAndDown(Protocol):
    """A gauge."""

    def inc(self) -> None:
        """Add 1."""

    def dec(self) -> None:
        """Take 1 away."""


class InProgress(Block):
    """Adds 1 to a gauge while a block runs."""

    __slots__ = ("_gauge",)

    def __init__(self, gauge: UpAndDown) -> None:
        self._gauge = gauge

    def __enter__(self) -> Self:
        """Add 1."""
        self._gauge.inc()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Take 1 away."""
        self._gauge.dec()


class Timer(Block):
    """Records the seconds that a block takes, whatever its end.

    Attributes:
        duration: the seconds; None before the end of the block.
    """

    __slots__ = ("_metric", "_start", "_store", "_verb", "duration")

    def __init__(self, store: Store, metric: Any, verb: str) -> None:
        self._store = store
        self._metric = metric
        self._verb = verb
        self._start = 0.0
        self.duration: float | None = None

    def anew(self) -> "Timer":
        """Return a timer for the same metric."""
        return Timer(self._store, self._metric, self._verb)

    def labels(self, *values: object, **named: object) -> None:
        """Set the labels inside the block, of a metric whose labels were not given before.

        Args:
            *values: a value for each label, in the order of the declaration.
            **named: a value for each label.
        """
        self._metric = self._metric.labels(*values, **named)

    def __enter__(self) -> Self:
        """Take the time."""
        self._start = self._store.clock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Record the seconds; a clock may run backwards."""
        self.duration = seconds = max(self._store.clock() - self._start, 0.0)
        getattr(self._metric, self._verb)(seconds)


def _coroutine(function: Any, block: Callable[[], Block]) -> Any:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        with block():
            return await function(*args, **kwargs)

    return wrapper


def _async_generator(function: Any, block: Callable[[], Block]) -> Any:
    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        with block():
            stream = function(*args, **kwargs)
            send, value = stream.asend, None
            while True:
                try:
                    item = await send(value)
                except StopAsyncIteration:
                    return
                try:
                    send, value = stream.asend, (yield item)
                except GeneratorExit:
                    await stream.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 (thrown in by the consumer, it goes to the stream)
                    send, value = stream.athrow, error

    return wrapper


def _generator(function: Any, block: Callable[[], Block]) -> Any:
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with block():
            return (yield from function(*args, **kwargs))

    return wrapper


def _function(function: Any, block: Callable[[], Block]) -> Any:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with block():
            return function(*args, **kwargs)

    return wrapper


_WRAPPERS: tuple[tuple[Callable[[Any], bool], Callable[[Any, Callable[[], Block]], Any]], ...] = (
    (inspect.iscoroutinefunction, _coroutine),
    (inspect.isasyncgenfunction, _async_generator),
    (inspect.isgeneratorfunction, _generator),
    (callable, _function),
)
