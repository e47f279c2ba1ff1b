"""Published responses and streams, as dicts and as server-sent events."""

import json

import pytest

from mlmetrics.responses.kinds import hear_dict
from mlmetrics.responses.said import Said
from mlmetrics.responses.sse import SSE, is_sse
from tests.responses.published import EXHAUSTED, OVERLOADED, STREAMS, WHOLE, Payload

CARRIES = "_AR"


def as_events(payloads: list[Payload]) -> str:
    """Return payloads as a server sends them: with their type as the name of the event, if they have one."""
    names = [f"event: {each['type']}\n" if "type" in each else "" for each in payloads]
    return "".join(f"{name}data: {json.dumps(each)}\n\n" for name, each in zip(names, payloads, strict=True))


@pytest.mark.parametrize("name", WHOLE)
def test_whole(name: str) -> None:
    """A whole response says its tokens, its model and its id, and carries an answer."""
    payload, tokens = WHOLE[name]
    said = Said()
    assert "A" == CARRIES[hear_dict(payload, said)]
    assert tokens == said.usage
    assert payload.get("model", payload.get("modelVersion")) == said.model
    assert payload.get("id", payload.get("responseId")) == said.identity
    assert (payload.get("service_tier"), None, False) == (said.tier, said.failure, said.broken)


@pytest.mark.parametrize("name", STREAMS)
def test_streams_of_dicts(name: str) -> None:
    """Each chunk carries what it should, and the stream's usage is that of its last report."""
    payloads, carried, tokens = STREAMS[name]
    said = Said()
    assert carried == "".join(CARRIES[hear_dict(each, said)] for each in payloads)
    assert (tokens, None, False) == (said.usage, said.failure, said.broken)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", STREAMS)
def test_streams_of_events(name: str, end: str) -> None:
    """Server-sent events say the same, with any end of a line."""
    payloads, carried, tokens = STREAMS[name]
    said, stream = Said(), SSE()
    sent = [as_events([each]).replace("\n", end) for each in payloads]
    assert is_sse(sent[0])
    # A lone CR at the end of a chunk ends the line at once: nothing waits for a LF that may not come.
    assert carried == "".join(CARRIES[stream.feed(each, said)] for each in sent)
    assert 0 == stream.feed(f"data: [DONE]{end}{end}", said)
    assert (tokens, None, False) == (said.usage, said.failure, said.broken)


@pytest.mark.parametrize(("payload", "failure"), [(OVERLOADED, "overloaded_error"), (EXHAUSTED, "RESOURCE_EXHAUSTED")])
def test_errors(payload: Payload, failure: str) -> None:
    """An error inside a stream is a failure, named as the provider names it."""
    said, of_events = Said(), Said()
    assert 0 == hear_dict(payload, said)
    assert 0 == SSE().feed(as_events([payload]), of_events)
    assert [failure, failure] == [said.failure, of_events.failure]
