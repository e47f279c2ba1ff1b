"""What the tests of each SDK's objects share: reading them by their types."""

from collections.abc import Iterable
from typing import Any

from mlmetrics.responses.kinds import hearing
from mlmetrics.responses.said import Said
from tests.responses.published import STREAMS, WHOLE

CARRIES = "_AR"


def heard(payloads: Iterable[Any]) -> tuple[str, Said]:
    """Return what each object carries, and what all of them say."""
    said, carried = Said(), ""
    for each in payloads:
        hear = hearing(type(each))
        assert hear is not None, type(each)
        carried += CARRIES[hear(each, said)]
    return carried, said


def told(counts: dict[str, float] | None) -> dict[str, float]:
    """Return the counts that are not 0; an SDK has fields, with 0, for what a payload does not tell."""
    return {kind: count for kind, count in (counts or {}).items() if count}


def check_whole(name: str, payload: Any) -> Said:
    """Check that an SDK's object says what the published response does, which is returned."""
    published, tokens = WHOLE[name]
    carried, said = heard([payload])
    assert "A" == carried
    assert told(dict(tokens)) == told(said.usage)
    assert published.get("model", published.get("modelVersion")) == said.model
    assert (published.get("service_tier"), None, False, True) == (said.tier, said.failure, said.broken, said.known)
    return said


def check_stream(name: str, payloads: Iterable[Any]) -> None:
    """Check that an SDK's chunks say what the published stream does."""
    _, expected, tokens = STREAMS[name]
    carried, said = heard(payloads)
    assert expected == carried
    assert (tokens, None, False) == (said.usage, said.failure, said.broken)
