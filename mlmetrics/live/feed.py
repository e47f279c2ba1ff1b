"""The feed of the page: one tick of a view, evaluated once and serialised once for all its viewers."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from mlmetrics.errors import ConfigurationError, MLMetricsError
from mlmetrics.live.prometheus import PrometheusReader
from mlmetrics.live.reader import TargetReader
from mlmetrics.live.target import Access
from mlmetrics.live.views import View, encoded
from mlmetrics.monitoring.config import Config

__all__ = ["Feed", "TooManyViews", "View", "live_feed"]

INTERVAL_SECONDS = 2.0
MOST_VIEWS = 8
FORGOTTEN_SECONDS = 60.0
FIRST_SECONDS = 2.0
_LOG = logging.getLogger("mlmetrics.live")
_Result = TypeVar("_Result")


class TooManyViews(MLMetricsError, RuntimeError):  # noqa: N818 - says what is wrong, as a viewer reads it
    """So many views are watched already that another one would slow all of them."""


class Reader(Protocol):
    """What reads targets or a Prometheus, and knows the views. Its steps run in one thread, `answers` does not."""

    async def answers(self) -> Any:
        """Return what the targets say, at most a second later."""

    def step(self, answers: Any, /) -> bool:
        """Take answers over; return whether layouts or times have changed, so that viewers need all data again."""

    def open(self, view: View, /) -> None:
        """Make a view, with its past."""

    def forget(self, view: View, /) -> None:
        """Forget a view."""

    def layout(self, view: View, /) -> dict[str, Any]:
        """Return the declarations of the tiles of a view."""

    def data(self, view: View, last: int | None, /) -> dict[str, Any]:
        """Return the data of a view, of all times or of the last only."""

    def close(self) -> None:
        """End connections and threads."""


@dataclass(slots=True)
class Channel:
    """A view that is watched: its newest tick, and how many have come since it was opened."""

    number: int = 0
    tick: bytes = b""
    layouts: int = 0
    viewers: int = 0
    left: float = 0.0
    whole: tuple[int, bytes] = (-1, b"")
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """Wake all viewers."""
        self.changed.set()
        self.changed = asyncio.Event()


class Feed:
    """The data of the page, which is read while the feed is entered.

    `async with feed:` begins to read the targets every two seconds, and ends it.
    """

    def __init__(self, reader: Reader, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._clock = clock
        self._channels: dict[View, Channel] = {}
        self._thread = ThreadPoolExecutor(1, "mlmetrics-live")
        self._task: asyncio.Task[None] | None = None
        self._is_over = False
        self._is_read = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Begin to read the targets."""
        await self._opened(View())
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End all that was begun; iterators of events end too."""
        self._is_over = True
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for channel in self._channels.values():
            channel.wake()
        self._reader.close()
        self._thread.shutdown(wait=False)

    async def layout(self, view: View) -> bytes:
        """Return the declarations of the tiles of a view, as JSON that may stand in a page."""
        await self._opened(view)
        # A page that is asked for before the first answers would be empty, and jump when they come.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._is_read.wait(), FIRST_SECONDS)
        return await self._in_thread(lambda: encoded(self._reader.layout(view)))

    async def events(self, view: View) -> AsyncIterator[bytes]:
        """Return an iterator of whole server-sent events: the history, then ticks, and the layout when it changes.

        Raises:
            TooManyViews: Eight other views are watched.
        """
        if self._is_over:
            return
        channel = await self._opened(view)
        channel.viewers += 1
        try:
            number, layouts = channel.number, channel.layouts
            yield await self._whole(view, channel)
            while not self._is_over:
                if channel.number == number:
                    await channel.changed.wait()
                    continue
                missed, number = channel.number - number, channel.number
                if channel.layouts != layouts:
                    layouts, missed = channel.layouts, 2
                    yield _event("layout", await self._in_thread(lambda: encoded(self._reader.layout(view))))
                # Who is too slow for each tick gets all data at once, and the others do not wait.
                yield channel.tick if missed == 1 else await self._whole(view, channel)
        finally:
            channel.viewers -= 1
            channel.left = self._clock()

    async def _whole(self, view: View, channel: Channel) -> bytes:
        """Return the history of a view, made once for all who ask for it between two ticks."""
        number = channel.number
        if channel.whole[0] != number:
            body = await self._in_thread(lambda: encoded(self._reader.data(view, None)))
            channel.whole = number, _event("history", body)
        return channel.whole[1]

    async def _opened(self, view: View) -> Channel:
        channel = self._channels.get(view)
        if channel is None:
            await self._forget_unwatched()
            if len(self._channels) >= MOST_VIEWS:
                raise TooManyViews(
                    f"{MOST_VIEWS} choices of service and model are watched already; close a page of another choice"
                )
            channel = self._channels[view] = Channel(left=self._clock())
            await self._in_thread(lambda: self._reader.open(view))
        return channel

    async def _run(self) -> None:
        """Read, evaluate and publish every two seconds."""
        due = self._clock()
        while True:
            try:
                await self._refresh()
            except Exception:  # noqa: BLE001 - a fault of ours in one refresh is not to end the page
                _LOG.exception("live.refresh_failed")
            self._is_read.set()
            due = max(due + INTERVAL_SECONDS, self._clock())
            await asyncio.sleep(due - self._clock())

    async def _refresh(self) -> None:
        answers = await self._reader.answers()
        is_new = await self._in_thread(lambda: self._reader.step(answers))
        await self._forget_unwatched()
        views = list(self._channels)
        ticks = await self._in_thread(lambda: {view: self._tick(view) for view in views})
        for view, tick in ticks.items():
            channel = self._channels[view]
            channel.number, channel.tick, channel.layouts = channel.number + 1, tick, channel.layouts + is_new
            channel.wake()

    def _tick(self, view: View) -> bytes:
        data = self._reader.data(view, 1)
        return _event("tick", encoded(data), data["times"][-1] if data["times"] else 0)

    async def _forget_unwatched(self) -> None:
        """Forget views that nobody has watched for a minute; that of everything stays."""
        now = self._clock()
        for view, channel in list(self._channels.items()):
            if view != View() and not channel.viewers and now - channel.left > FORGOTTEN_SECONDS:
                del self._channels[view]
                await self._in_thread(lambda view=view: self._reader.forget(view))  # type: ignore[misc]  # of this view

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _event(kind: str, data: bytes, number: int = 0) -> bytes:
    head = f"id: {number}\nevent: {kind}\n" if number else f"event: {kind}\n"
    return head.encode() + b"data: " + data + b"\n\n"


def live_feed(
    urls: Sequence[str], *, config: Config | None = None, token: str = "", ca_file: str = "", prometheus: str = ""
) -> Feed:
    """Return the feed of targets by their addresses, or of a Prometheus.

    Args:
        urls: addresses of metrics pages; without any, those of the services in the configuration.
        config: thresholds, services and rules; without one, the defaults hold.
        token: the bearer token that every target is sent.
        ca_file: certificates of authorities to trust beside those of the system.
        prometheus: the address of a Prometheus, which is asked instead of the targets.

    Raises:
        ConfigurationError: An address is invalid, or there is nothing to read.
    """
    access = Access(token, ca_file)
    if prometheus:
        return Feed(PrometheusReader(prometheus, access, config))
    services = config.services if config is not None else ()
    addresses = list(urls) or [f"http://{target}/metrics" for service in services for target in service.targets]
    if not addresses:
        raise ConfigurationError("no address to read; expected some such as http://localhost:5051/metrics")
    return Feed(TargetReader(addresses, access, config))
