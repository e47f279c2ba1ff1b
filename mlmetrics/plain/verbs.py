"""`Counter`, `Gauge` and `Histogram`: what a call of the user's code records, checked and then appended."""

import time
from sys import float_info

from mlmetrics.errors import DeclarationError, shown
from mlmetrics.plain.blocks import ExceptionCounter, InProgress, Timer
from mlmetrics.plain.labelled import Labelled
from mlmetrics.recording.series import BOUND

ONE: float = 1
"""The default amount. Its identity tells it without a check of what was given."""
MORE: tuple[float] = (1.0,)
LESS: tuple[float] = (-1.0,)
PLAIN = frozenset({int, float})
"""The types of numbers that need no conversion; a subclass may do anything."""
MOST = float_info.max


class Counter(Labelled):
    """A counter of a project's own, or one of its series; made by `counter`."""

    __slots__ = ()
    KIND = "counter"

    def inc(self, amount: float = ONE) -> None:
        """Add an amount.

        Args:
            amount: 0 or more; any other is counted as a mistake and not recorded.
        """
        if amount is ONE or (type(amount) in PLAIN and 0 <= amount <= MOST):
            self._record(amount)
            if len(self._pending) > BOUND:
                self._fold()
            return
        number = self._finite("inc", amount)
        if number is None:
            return
        if number < 0:
            self._mistake(f"{self._metric.name}.inc: a counter only goes up; got {number}. Use a gauge")
            return
        self._add(number)

    def count_exceptions(
        self, exception: type[BaseException] | tuple[type[BaseException], ...] = Exception
    ) -> ExceptionCounter:
        """Count the exceptions that leave a block, or every call of the function that this decorates; they go on.

        Args:
            exception: the type to count, or several.

        Raises:
            DeclarationError: it is no type of exceptions.
        """
        types = exception if isinstance(exception, tuple) else (exception,)
        if not all(isinstance(each, type) and issubclass(each, BaseException) for each in types):
            raise DeclarationError(f"count_exceptions({shown(exception)}): expected a type of exceptions, or several")
        return ExceptionCounter(self, exception)


class Gauge(Labelled):
    """A gauge of a project's own, or one of its series; made by `gauge`."""

    __slots__ = ()
    KIND = "gauge"

    def inc(self, amount: float = ONE) -> None:
        """Add an amount.

        Args:
            amount: a finite number.
        """
        if amount is ONE:
            self._record(MORE)
            if len(self._pending) > BOUND:
                self._fold()
        elif type(amount) in PLAIN and -MOST <= amount <= MOST:
            self._record((amount,))
            if len(self._pending) > BOUND:
                self._fold()
        elif (number := self._finite("inc", amount)) is not None:
            self._add((number,))

    def dec(self, amount: float = ONE) -> None:
        """Take an amount away.

        Args:
            amount: a finite number.
        """
        if amount is ONE:
            self._record(LESS)
            if len(self._pending) > BOUND:
                self._fold()
        elif type(amount) in PLAIN and -MOST <= amount <= MOST:
            self._record((-amount,))
            if len(self._pending) > BOUND:
                self._fold()
        elif (number := self._finite("dec", amount)) is not None:
            self._add((-number,))

    def set(self, value: float) -> None:
        """Set the value.

        Args:
            value: any number; `nan` is how Prometheus says that there is none.
        """
        if type(value) in PLAIN and -MOST <= value <= MOST:
            self._record(value)
            if len(self._pending) > BOUND:
                self._fold()
        elif (number := self._number("set", value)) is not None:
            self._add(number)

    def set_to_current_time(self) -> None:
        """Set the value to the present time, in seconds since 1970."""
        self.set(time.time())

    def track_inprogress(self) -> InProgress:
        """Add 1 while a block runs, or each call of the function that this decorates."""
        return InProgress(self)

    def time(self) -> Timer:
        """Set the value to the seconds that a block takes, or each call of the function that this decorates."""
        return Timer(self._store, self, "set")


class NewestGauge(Gauge):
    """A gauge of which only the newest value of all processes counts, so that a change of it says nothing."""

    __slots__ = ()

    def inc(self, amount: float = ONE) -> None:  # noqa: ARG002 (of a gauge)
        """Count a mistake, as prometheus_client refuses it."""
        self._refuse("inc")

    def dec(self, amount: float = ONE) -> None:  # noqa: ARG002 (of a gauge)
        """Count a mistake, as prometheus_client refuses it."""
        self._refuse("dec")

    def _refuse(self, verb: str) -> None:
        self._mistake(
            f"{self._metric.name}.{verb}: with multiprocess_mode="
            f"{self._metric.multiprocess_mode!r} only the newest value counts, which can be set and not changed"
        )


class Histogram(Labelled):
    """A histogram of a project's own, or one of its series; made by `histogram`."""

    __slots__ = ()
    KIND = "histogram"

    def observe(self, amount: float) -> None:
        """Place a number in its bucket.

        Args:
            amount: a finite number.
        """
        if type(amount) in PLAIN and -MOST <= amount <= MOST:
            self._record(amount)
            if len(self._pending) > BOUND:
                self._fold()
        elif (number := self._finite("observe", amount)) is not None:
            self._add(number)

    def time(self) -> Timer:
        """Observe the seconds that a block takes, or each call of the function that this decorates."""
        return Timer(self._store, self, "observe")
