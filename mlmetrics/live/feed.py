"""The feed of the page: one tick of a view, evaluated once and serialised once for all its viewers."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from mlmetrics.errors import MLMetricsError
from mlmetrics.monitoring.config import Config


class TooManyViews(MLMetricsError, RuntimeError):  # noqa: N818 - says what is wrong, as a viewer reads it
    """So many views are watched already that another one would slow all of them."""


@dataclass(frozen=True, slots=True)
class View:
    """What a viewer has chosen: a service and a model; an empty text stands for all."""

    service: str = ""
    model: str = ""


class Feed:
    """The data of the page, which is read while the feed is entered.

    `async with feed:` begins to read the targets every two seconds, and ends it.
    """

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Begin to read the targets."""
        raise NotImplementedError

    async def stop(self) -> None:
        """End all that was begun; iterators of events end too."""
        raise NotImplementedError

    async def layout(self, view: View) -> bytes:
        """Return the declarations of the tiles of a view, as JSON that may stand in a page."""
        raise NotImplementedError

    def events(self, view: View) -> AsyncIterator[bytes]:
        """Return an iterator of whole server-sent events: the history, then ticks, and the layout when it changes.

        Raises:
            TooManyViews: Eight other views are watched.
        """
        raise NotImplementedError


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
    raise NotImplementedError
