"""LangChain talks to OpenAI's server, and gets what the ledger says."""

from importlib.util import find_spec
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel

from tests.sdks.servers import OpenAIServer

SPENT = {"input": 4, "output": 4}


@pytest.fixture(params=[name for name in ("langchain_openai", "langchain_litellm") if find_spec(name)])
def model(request: pytest.FixtureRequest, openai_server: OpenAIServer) -> BaseChatModel:
    """Give a chat model of OpenAI's server, of each package that is installed."""
    if request.param == "langchain_openai":
        from langchain_openai import ChatOpenAI  # noqa: PLC0415  # installed in some environments

        return ChatOpenAI(model="asked", base_url=f"{openai_server.url}/v1", api_key="any", stream_usage=True)
    from langchain_litellm import ChatLiteLLM  # noqa: PLC0415  # as above

    options: Any = {"stream_options": {"include_usage": True}}
    return ChatLiteLLM(model="openai/asked", api_base=f"{openai_server.url}/v1", api_key="any", model_kwargs=options)


class TestChatModel:
    """A chat model."""

    def test_invoke(self, model: BaseChatModel, openai_server: OpenAIServer) -> None:
        """An answer has the usage of the ledger."""
        said = model.invoke("say these four words")
        assert ("say these four words", 8) == (said.content, said.usage_metadata["total_tokens"])
        assert SPENT == openai_server.ledger.tokens("asked")

    async def test_stream(self, model: BaseChatModel, openai_server: OpenAIServer) -> None:
        """A stream is read to its end."""
        said = "".join([str(chunk.content) async for chunk in model.astream("say these four words")])
        assert "say these four words" == said
        assert [4] == [row.chunks for row in openai_server.ledger.rows]
