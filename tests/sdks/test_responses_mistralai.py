"""The objects of the Mistral SDK, which shows a missing usage as zeros and a missing text as an object."""

from typing import Any

import pytest

from tests.responses.published import CHAT_STREAM, MISTRAL, WHOLE
from tests.sdks.responses import check_whole, heard

try:
    from mistralai.client import models
except ImportError:  # before 2.0
    from mistralai import models

KINDS: dict[str, Any] = {"mistral": models.ChatCompletionResponse, "mistral embeddings": models.EmbeddingResponse}


@pytest.mark.parametrize("name", KINDS)
def test_whole(name: str) -> None:
    """A response says its tokens, its model and its id."""
    said = check_whole(name, KINDS[name].model_validate(WHOLE[name][0]))
    assert WHOLE[name][0]["id"] == said.identity


def test_missing() -> None:
    """A usage that the server left empty is missing."""
    said = heard([models.ChatCompletionResponse.model_validate(MISTRAL | {"usage": {}})])[1]
    assert (None, True, False) == (said.usage, said.known, said.broken)


def test_streams() -> None:
    """Thinking is reasoning; the role and the end carry nothing; the usage is in the last chunk."""
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": ""},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]},
        {"content": [{"type": "text", "text": "Hi"}]},
        {"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}, "index": 0}]},
        {},
    ]
    kept = {key: CHAT_STREAM[0][key] for key in ("id", "object", "created", "model")}
    chunks = [
        kept | {"choices": [{"index": 0, "delta": each, "finish_reason": None if each else "stop"}]} for each in deltas
    ]
    chunks[-1]["usage"] = MISTRAL["usage"] | {"service_tier": "priority"}
    carried, said = heard([models.CompletionEvent.model_validate({"data": each}) for each in chunks])
    assert "_RAA_" == carried
    assert ({"input": 16, "output": 34}, "priority") == (said.usage, said.tier)
