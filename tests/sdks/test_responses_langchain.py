"""The messages and results of LangChain."""

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, Generation, LLMResult

from mlmetrics.responses.kinds import hearing
from tests.sdks.responses import heard

USAGE = UsageMetadata(
    input_tokens=350,
    output_tokens=240,
    total_tokens=590,
    input_token_details={"audio": 10, "cache_creation": 200, "cache_read": 100},
    output_token_details={"audio": 10, "reasoning": 200},
)
# 350 - 100 - 200 = 50, 240 - 200 = 40
TOKENS = {"input": 50, "cache_read": 100, "cache_write": 200, "output": 40, "reasoning": 200}
ABOUT = {"model_name": "gpt-5", "service_tier": "default", "id": "resp_1"}


def test_messages() -> None:
    """A message says its tokens, and what its provider told of the response."""
    carried, said = heard([AIMessage("Hi", usage_metadata=USAGE, response_metadata=ABOUT)])
    assert "A" == carried
    assert (TOKENS, "gpt-5", "default", "resp_1") == (said.usage, said.model, said.tier, said.identity)


def test_messages_of_users() -> None:
    """A message of a user says nothing."""
    assert hearing(HumanMessage) is None


def test_chunks() -> None:
    """The usages of chunks add up, as LangChain adds the chunks."""
    first = UsageMetadata(input_tokens=9, output_tokens=0, total_tokens=9)
    last = UsageMetadata(input_tokens=0, output_tokens=7, total_tokens=7)
    chunks = [
        AIMessageChunk("", usage_metadata=first),
        AIMessageChunk([{"type": "reasoning", "reasoning": "Hm"}]),
        AIMessageChunk("Hi"),
        AIMessageChunk(
            "", tool_call_chunks=[{"name": "f", "args": "", "id": "c", "index": 0, "type": "tool_call_chunk"}]
        ),
        AIMessageChunk("", usage_metadata=last),
    ]
    carried, said = heard(chunks)
    assert "_RAA_" == carried
    assert {"input": 9, "output": 7} == said.usage
    assert said.usage == heard([sum(chunks[1:], chunks[0])])[1].usage


def test_results() -> None:
    """Each prompt counts once, however many generations repeat its usage."""
    generation = ChatGeneration(message=AIMessage("Hi", usage_metadata=USAGE, response_metadata=ABOUT))
    result = LLMResult(generations=[[generation, generation], [generation]])
    carried, said = heard([result])
    assert ("A", {kind: 2 * count for kind, count in TOKENS.items()}) == (carried, said.usage)
    chunk = ChatGenerationChunk(message=AIMessageChunk("Hi", usage_metadata=USAGE))
    assert ("A", TOKENS) == (heard([chunk])[0], heard([LLMResult(generations=[[chunk]])])[1].usage)


def test_results_of_plain_models() -> None:
    """A model that is no chat model tells its usage beside the generations."""
    output = {"token_usage": {"prompt_tokens": 5, "completion_tokens": 7}, "model_name": "davinci"}
    said = heard([LLMResult(generations=[[Generation(text="Hi")]], llm_output=output)])[1]
    assert ({"input": 5, "output": 7}, "davinci") == (said.usage, said.model)
