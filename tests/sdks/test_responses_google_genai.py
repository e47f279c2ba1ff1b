"""The objects of the Google GenAI SDK."""

import pytest
from google.genai.types import GenerateContentResponse

from tests.responses.published import CONTENT, WHOLE
from tests.sdks.responses import check_whole, heard

WHOLES = [name for name in WHOLE if name.startswith("gemini")]


@pytest.mark.parametrize("name", WHOLES)
def test_whole(name: str) -> None:
    """A response says its tokens, its model and its id."""
    said = check_whole(name, GenerateContentResponse.model_validate(WHOLE[name][0]))
    assert CONTENT["responseId"] == said.identity


@pytest.mark.parametrize("name", WHOLES)
def test_written_as_a_dict(name: str) -> None:
    """A response that was written as a dict has the names of Python, and says the same."""
    check_whole(name, GenerateContentResponse.model_validate(WHOLE[name][0]).model_dump())


def test_streams() -> None:
    """A thought is reasoning, a call of a function is content; the usage is that of the last chunk."""
    counts = {"promptTokenCount": 8, "thoughtsTokenCount": 5, "candidatesTokenCount": 0}
    parts = [
        {"text": "Hm", "thought": True},
        {"text": ""},
        {"text": "", "thoughtSignature": "eA=="},
        {"functionCall": {"name": "f", "args": {"a": 1}}},
        {"text": "Hi"},
    ]
    chunks = [
        {
            "candidates": [{"content": {"role": "model", "parts": [part]}}],
            "usageMetadata": counts | {"candidatesTokenCount": number},
        }
        for number, part in enumerate(parts)
    ]
    carried, said = heard(map(GenerateContentResponse.model_validate, chunks))
    assert "R__AA" == carried
    assert {"input": 8, "output": 4, "reasoning": 5} == said.usage
