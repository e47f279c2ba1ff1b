"""Iterators and awaitables that are returned: which are handed back, and how good a stand-in is for the others."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import codecs
import collections.abc
import copy
import gc
import io
import itertools
import multiprocessing.pool
import pickle
import sqlite3
import types
import weakref
from collections.abc import Awaitable, Callable, Container, Generator, Hashable, Iterator, Sized
from pathlib import Path
from typing import Any, Self

import pytest
import wrapt
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests.conftest import Clock
from tests.recorded import errors, in_progress, outcomes, value

DURATION = "ml_inference_duration_seconds_sum"


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock) -> MLMetrics:
    """Return a toolkit on a registry and a clock of its own."""
    return MLMetrics(service="s", registry=registry, clock=clock)


def returned(metrics: MLMetrics, result: Any) -> Any:
    """Return what a recorded function gives that returns this."""
    return metrics.track_inference(model="m")(lambda: result)()


class Letters:
    """An iterator of Python's, with more to it than that."""

    def __init__(self, letters: str = "ab") -> None:
        self.left = list(letters)
        self.mood = "calm"

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        if not self.left:
            raise StopIteration
        return self.left.pop(0)

    def read(self) -> str:
        """Read all at once."""
        letters, self.left = "".join(self.left), []
        return letters


class Rich(Letters):
    """One with special methods of many sorts."""

    __hash__ = None  # type: ignore[assignment]  # as of a class that only compares

    def __len__(self) -> int:
        return len(self.left)

    def __contains__(self, letter: object) -> bool:
        return letter in self.left

    def __bytes__(self) -> bytes:
        return b"rich"

    def __call__(self, *args: object) -> object:
        """Give back what is given."""
        return args

    def __await__(self) -> Generator[Any, Any, str]:
        yield from ()
        return "awaited"

    def __add__(self, other: object) -> object:
        return NotImplemented if other is None else ("sum", other)

    def __getitem__(self, index: Any) -> Any:
        return self.left[index]

    def __lt__(self, other: object) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return other == "rich" or other is self

    def __index__(self) -> int:
        return 7


def numbers() -> Iterator[int]:
    """Yield two numbers."""
    yield 1
    yield 2


class TestHandedBack:
    """Objects of C types, which are used in other ways than by iterating."""

    @pytest.mark.parametrize(
        "make",
        [
            *(lambda: iter([1]), lambda: iter("a"), lambda: itertools.chain([1]), itertools.count),
            *(lambda: enumerate("a"), lambda: reversed([1]), lambda: io.StringIO("a"), lambda: iter({1: 2}.items())),
        ],
    )
    def test_the_very_object(
        self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock, make: Callable[[], Any]
    ) -> None:
        """It is returned as it is, and its call has ended with the return."""
        made = make()

        def ask() -> Any:
            clock.advance(3)
            return made

        assert made is metrics.track_inference(model="m")(ask)()
        assert {"success": 1} == outcomes(registry)
        assert 3 == value(registry, DURATION)

    def test_cursor(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A cursor can be fetched from, and makes rows, which take no other type."""
        connection = sqlite3.connect(":memory:")
        cursor = metrics.track_inference(model="m")(connection.execute)("select 1 as a union select 2")
        assert (1,) == tuple(sqlite3.Row(cursor, (1,)))
        assert [(1,), (2,)] == cursor.fetchall()
        connection.close()
        assert {"success": 1} == outcomes(registry)

    def test_told_to_be_a_stream(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """`stream=True` is heard of objects of C types too."""
        stream = metrics.track_inference(model="m", stream=True)(lambda: iter([1, 2]))()
        assert {} == outcomes(registry)
        assert [1, 2] == list(stream)
        assert {"success": 1} == outcomes(registry)
        assert 1 == value(registry, "ml_inference_first_chunk_seconds_count")

    @pytest.mark.parametrize(
        "make", [lambda: map(str, "ab"), lambda: filter(None, "ab"), lambda: zip("ab", strict=True)]
    )
    def test_lazy_builtins_are_streams(
        self, registry: CollectorRegistry, metrics: MLMetrics, make: Callable[[], Any]
    ) -> None:
        """`map`, `filter` and `zip` do their work when they are iterated, so the call goes on until then."""
        stream = returned(metrics, make())
        next(stream)
        assert in_progress(registry) == 1
        list(stream)
        assert {"success": 1} == outcomes(registry)

    def test_lazy_objects_stay_lazy(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """What is evaluated when it is looked at is not looked at: its type alone says what it is."""
        looked: list[str] = []

        class Lazy:
            @property  # type: ignore[misc]  # as mocks and lazy strings have it
            def __class__(self) -> Any:
                looked.append("class")
                return Letters

        def evaluate() -> list[int]:
            looked.append("value")
            return [1]

        for lazy in (Lazy(), wrapt.LazyObjectProxy(evaluate)):
            assert lazy is returned(metrics, lazy)
        assert [] == looked
        assert {"success": 2} == outcomes(registry)


class TestOtherwiseUsed:
    """Iterators that are used otherwise than by iterating keep their call."""

    def used(self, metrics: MLMetrics, clock: Clock, make: Callable[[], Any], use: Callable[[Any], Any]) -> Any:
        """Return what a use of a recorded result gives, which takes 5 s after a call of 3 s."""

        def ask() -> Any:
            clock.advance(3)
            return make()

        result = metrics.track_inference(model="m")(ask)()
        clock.advance(5)
        assert in_progress(metrics.registry) == 0
        return use(result)

    @pytest.mark.parametrize(
        ("make", "use", "expected"),
        [
            (Letters, lambda letters: letters.read(), "ab"),
            (lambda: codecs.getreader("utf-8")(io.BytesIO(b"text")), lambda reader: reader.read(), "text"),
            (Rich, lambda rich: "b" in rich, True),
            (Rich, bytes, b"rich"),
            (Letters, lambda letters: letters.mood, "calm"),
        ],
    )
    def test_dropped(  # noqa: PLR0917 (fixtures and parameters)
        self,
        registry: CollectorRegistry,
        metrics: MLMetrics,
        clock: Clock,
        make: Callable[[], Any],
        use: Callable[[Any], Any],
        expected: object,
    ) -> None:
        """Dropped after other uses, it is one success that took until it was returned."""
        assert expected == self.used(metrics, clock, make, use)
        gc.collect()
        assert {"success": 1} == outcomes(registry)
        assert 3 == value(registry, DURATION)
        assert in_progress(registry) == 0

    def test_with(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock, tmp_path: Path) -> None:
        """The end of its block is the end of its call."""
        (tmp_path / "page").write_text("text")

        def read(file: Any) -> object:
            with file as opened:
                assert opened is file
                return opened.read()

        path = str(tmp_path / "page")
        assert "text" == self.used(metrics, clock, lambda: codecs.open(path, encoding="utf-8"), read)  # noqa: SIM115 (`read` closes it)
        assert {"success": 1} == outcomes(registry)
        assert 3 == value(registry, DURATION)

    def test_closed(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """`close` ends it once, and iterating it after that adds nothing."""
        reader = codecs.getreader("utf-8")(io.BytesIO(b"text"))
        stream = self.used(metrics, clock, lambda: reader, lambda reader: reader)
        stream.close()
        assert {"success": 1} == outcomes(registry)
        with pytest.raises(ValueError, match="closed"):
            next(stream)
        del stream
        assert {"success": 1} == outcomes(registry)
        assert in_progress(registry) == 0

    def test_pool(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The results of a pool can be asked for with a time-out."""
        with multiprocessing.pool.ThreadPool(1) as pool:
            results = metrics.track_inference(model="m")(pool.imap)(str, [1])
            assert "1" == results.next(60)
        del results
        gc.collect()
        assert {"success": 1} == outcomes(registry)

    def test_never_begun_generator_is_no_call(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A generator that is closed before it began, and then asked, has not run: it is no success."""
        stream = returned(metrics, numbers())
        stream.close()
        with pytest.raises(StopIteration):
            next(stream)
        del stream
        stream = returned(metrics, numbers())
        with pytest.raises(KeyError):
            stream.throw(KeyError)
        assert [] == list(stream)
        assert {} == outcomes(registry)
        assert in_progress(registry) == 0

    def test_membership_iterates(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """`in` and `bytes` iterate what has no methods of its own for them, and that is recorded."""
        assert 2 in returned(metrics, numbers())
        assert b"\x01\x02" == bytes(returned(metrics, numbers()))
        gc.collect()
        assert {"cancelled": 1, "success": 1} == outcomes(registry)


ABCS = [
    *(Awaitable, Callable, Container, Hashable, Sized, collections.abc.Generator, collections.abc.Coroutine),
    *(collections.abc.Iterator, collections.abc.Reversible, collections.abc.Sequence, collections.abc.AsyncIterator),
]


class TestStandIns:
    """What is replaced cannot be told from its original but by its type."""

    @pytest.mark.parametrize("make", [numbers, Letters, Rich, lambda: map(str, "ab")])
    def test_is_what_it_was(self, metrics: MLMetrics, make: Callable[[], Any]) -> None:
        """It is an instance of what its original was one of, and of nothing more; what it cannot, it cannot."""
        original, other = make(), returned(metrics, make())
        for kind in (*ABCS, type(original), types.GeneratorType):
            assert isinstance(original, kind) == isinstance(other, kind), kind  # type: ignore[arg-type]  # all are types
        assert dir(original) == dir(other)
        assert callable(original) == callable(other)
        assert iter(other) is other
        assert original.__doc__ == other.__doc__
        for use in (
            len,
            hash,
            bool,
            int,
            float,
            reversed,
            lambda x: x[0],
            lambda x: x + 1,
            lambda x: x < 1,
            pickle.dumps,
        ):
            assert outcome_of(use, original) == outcome_of(use, other), use

    def test_every_special_method(self, metrics: MLMetrics) -> None:
        """Length, membership, calls, sums, items and comparisons are the original's."""
        rich = returned(metrics, Rich())
        assert 2 == len(rich)
        assert (1, 2) == rich(1, 2)
        assert ("sum", 1) == rich + 1
        assert "b" == rich[1]
        assert rich < 0
        assert rich == "rich"
        assert "hhhhhhh" == "h" * rich
        with pytest.raises(StopIteration, match="awaited"):
            rich.__await__().send(None)

    def test_attributes(self, metrics: MLMetrics) -> None:
        """Attributes are read, set and deleted on the original, and `vars` are its own."""
        original = Letters()
        letters = returned(metrics, original)
        letters.mood = "wild"
        assert "wild" == original.mood
        assert vars(original) is vars(letters)
        del letters.mood
        assert not hasattr(original, "mood")
        assert original == letters
        assert {original: 1}[letters]
        assert repr(original) == repr(letters) == f"{letters}"
        assert letters is weakref.ref(letters)()

    def test_copies_are_the_originals(self, metrics: MLMetrics) -> None:
        """A copy, and what comes out of pickle, is what a copy of the original is."""
        letters = returned(metrics, Letters())
        for other in (copy.copy(letters), copy.deepcopy(letters), pickle.loads(pickle.dumps(letters))):  # noqa: S301 (our own)
            assert type(other) is Letters
            assert ["a", "b"] == other.left

    def test_classes_of_types_that_are_gone_are_gone(self, metrics: MLMetrics) -> None:
        """A program that makes iterator classes without end keeps none of them alive."""
        kind = type("Made", (Letters,), {})
        gone = weakref.ref(kind)
        assert ["a", "b"] == list(returned(metrics, kind()))
        del kind
        gc.collect()
        assert gone() is None

    def test_methods_named_as_a_generators(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """`send` of what is no generator, such as a connection, is no step of a stream."""

        class Connection(Letters):
            def send(self, message: str) -> str:
                return f"sent {message}"

        connection = returned(metrics, Connection())
        assert "sent hello" == connection.send("hello")
        assert in_progress(registry) == 0
        assert {} == errors(registry)


def outcome_of(use: Callable[[Any], Any], thing: Any) -> object:
    """Return what a use gives, or the type of what it raises."""
    try:
        result = use(thing)
    except Exception as error:  # noqa: BLE001 (that is what is compared)
        return type(error)
    return type(result)
