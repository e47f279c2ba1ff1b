"""What a declaration reads from the answers of calls: the user's functions, and whether known responses are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from mlmetrics.calls.labels import check_reader
from mlmetrics.errors import DeclarationError, shown

AUTO: Final = "auto"
Usage = Callable[[Any], Mapping[str, Any] | None]
Failure = Callable[[Any], str | None]
Content = Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class Reads:
    """What a declaration reads from answers.

    `failure`, `usage` and `content` are the user's functions of a result or a chunk; `usage` may be `AUTO`.
    `known` says whether the responses of known providers are recognised. `first` says that the response comes from
    `provider` itself, so that its tokens are counted here, and not in what hands it on.
    """

    failure: Failure | None = None
    usage: Usage | Literal["auto"] | None = None
    content: Content | None = None
    known: bool = False
    first: bool = False
    provider: str = ""

    @property
    def asks(self) -> bool:
        """Whether a function of the user's is asked about each chunk."""
        return self.failure is not None or self.content is not None or callable(self.usage)

    @property
    def judges(self) -> bool:
        """Whether a whole result may say how its call ended, or what it used."""
        return self.failure is not None or self.known


def declared_reads(
    *, failure: Any = None, usage: Any = None, content: Any = None, known: bool = False, stream: bool | None = None
) -> Reads | None:
    """Return what a declaration reads from answers; None if that is nothing.

    Raises:
        DeclarationError: something that is no function of one argument, or `content` where nothing is a stream.
    """
    if usage != AUTO and usage is not None and not callable(usage):
        raise DeclarationError(
            f"usage={shown(usage)}: expected a function from the result to tokens by type, or 'auto'"
        )
    for name, read in (("failure", failure), ("usage", usage), ("content", content)):
        if read is not None and read != AUTO:
            if not callable(read):
                raise DeclarationError(f"{name}={shown(read)}: expected a function of the result or of a chunk")
            check_reader(name, read, "the result or a chunk")
    if content is not None and stream is False:
        raise DeclarationError(
            "content=...: it is asked of the chunks of a stream, and stream=False says there is none"
        )
    reads = Reads(failure, usage, content, known)
    return reads if reads.asks or known else None
