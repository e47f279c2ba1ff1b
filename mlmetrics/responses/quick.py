"""Answers of SDKs that are as documented, read in less time: the usage of whole ones, and the deltas of streams.

Whatever is not as expected, such as a field that the SDK does not declare, is left to the reader of the format.
"""

from typing import Any

from mlmetrics.responses.anthropic import hear_event as hear_anthropic_event
from mlmetrics.responses.anthropic import hear_message
from mlmetrics.responses.openai import hear_completion
from mlmetrics.responses.openai_responses import hear_event as hear_openai_event
from mlmetrics.responses.openai_responses import hear_response
from mlmetrics.responses.said import ANSWER, LONGEST_NAME, MOST_TOKENS, NOTHING, REASONING, Hear, Said, name, text

_OTHERWISE = (AttributeError, LookupError, TypeError, ValueError)
"""What reading raises where an SDK has constructed an object of whatever the server sent."""


def quick_completion(answer: Any, said: Said) -> int:
    """Read a chat completion of one choice that has a text."""
    try:
        body, more = answer.__dict__, answer.__pydantic_extra__
        (choice,) = body["choices"]
        choice, told = choice.__dict__, _declared(body["usage"])
        sent, made = told["prompt_tokens_details"], told["completion_tokens_details"]
        words = choice["message"].__dict__["content"]
        if type(words) is str and words and choice["finish_reason"] != "error" and not (more and "error" in more):
            sent = _NONE if sent is None else _declared(sent)
            thought = None if made is None else made.__dict__["reasoning_tokens"]
            read, written = sent.get("cached_tokens"), sent.get("cache_write_tokens")
            prompt, completion, altogether = told["prompt_tokens"], told["completion_tokens"], told["total_tokens"]
            if _keep(said, body, body["service_tier"], prompt, read, written, completion, thought, altogether):
                return ANSWER
    except _OTHERWISE:
        pass
    return hear_completion(answer, said)


def quick_response(answer: Any, said: Said) -> int:
    """Read a response whose last item is a text."""
    try:
        body = answer.__dict__
        told, words = _declared(body["usage"]), body["output"][-1].__dict__["content"][0].__dict__["text"]
        if words and body["status"] != "failed" and body["error"] is None:
            sent, made = _declared(told["input_tokens_details"]), _declared(told["output_tokens_details"])
            read, written, thought = sent["cached_tokens"], sent.get("cache_write_tokens"), made["reasoning_tokens"]
            prompt, completion, altogether = told["input_tokens"], told["output_tokens"], told["total_tokens"]
            if _keep(said, body, body["service_tier"], prompt, read, written, completion, thought, altogether):
                return ANSWER
    except _OTHERWISE:
        pass
    return hear_response(answer, said)


def quick_message(answer: Any, said: Said) -> int:
    """Read a message of Anthropic whose last block is a text; its input does not contain what was cached."""
    try:
        body = answer.__dict__
        told, words = _declared(body["usage"]), body["content"][-1].__dict__["text"]
        read, written = told["cache_read_input_tokens"], told["cache_creation_input_tokens"]
        completion, made = told["output_tokens"], told.get("output_tokens_details")
        prompt = told["input_tokens"] + (read or 0) + (written or 0)
        thought = None if made is None else made.__dict__["thinking_tokens"]
        if words and told.get("iterations") is None:
            altogether = prompt + completion
            if _keep(said, body, told["service_tier"], prompt, read, written, completion, thought, altogether):
                return ANSWER
    except _OTHERWISE:
        pass
    return hear_message(answer, said)


def delta_of(kind: str, carried: int) -> Hear:
    """Return what reads the deltas of the Responses API that are of this kind."""

    def hear(event: Any, said: Said) -> int:
        try:
            body = event.__dict__
            if body["type"] == kind and type(body["delta"]) is str and body["delta"]:
                said.known = True
                return carried
        except _OTHERWISE:
            pass
        return hear_openai_event(event, said)

    return hear


def quick_delta(event: Any, said: Said) -> int:
    """Read a `content_block_delta` of Anthropic."""
    try:
        delta = event.__dict__["delta"].__dict__
        kind = delta["type"]
        if kind == "text_delta":
            return ANSWER if delta["text"] else NOTHING
        if kind == "thinking_delta":
            return REASONING if delta["thinking"] else NOTHING
    except _OTHERWISE:
        pass
    return hear_anthropic_event(event, said)


def _declared(model: Any) -> dict[str, Any]:
    """Return the fields of a model that was given no others."""
    if model.__pydantic_extra__:
        raise ValueError
    return model.__dict__  # type: ignore[no-any-return]  # a dict, or it has none


def _keep(  # noqa: PLR0917 (the counts of a usage)
    said: Said,
    body: dict[str, Any],
    tier: Any,
    prompt: Any,
    read: Any,
    written: Any,
    completion: Any,
    thought: Any,
    altogether: Any,
) -> bool:
    """Keep how a response names itself, and its usage; or return False if the usage is not as expected.

    The prompt contains what was cached: `read` from the cache, and `written` to it. The completion contains `thought`.
    """
    if type(prompt) is not int or type(completion) is not int:
        return False
    if not (type(read) in _COUNTS and type(written) in _COUNTS and type(thought) in _COUNTS):
        return False
    cached, stored, reasoning = read or 0, written or 0, thought or 0
    rest, answer = prompt - cached - stored, completion - reasoning
    if not (0 < altogether == prompt + completion <= MOST_TOKENS and rest >= 0 <= answer):
        return False
    if cached < 0 or stored < 0 or reasoning < 0 or completion < 0:
        return False
    usage = said.usage = {"input": rest, "output": answer}
    if read is not None:
        usage["cache_read"] = read
    if written is not None:
        usage["cache_write"] = written
    if thought is not None:
        usage["reasoning"] = thought
    _name(said, body["id"], body["model"], tier)
    return True


def _name(said: Said, identity: Any, model: Any, tier: Any) -> None:
    """Keep how a response names itself."""
    if type(identity) is type(model) is str and 0 < len(identity) <= LONGEST_NAME and 0 < len(model) <= LONGEST_NAME:
        said.known, said.identity, said.model = True, identity, model
        if tier is not None:
            said.tier = text(tier) or said.tier
    else:
        name(said, identity, model, tier)


_NONE: dict[str, Any] = {}
_COUNTS = frozenset({int, type(None)})
QUICK: dict[tuple[str, str], Hear] = {
    ("anthropic", "BetaMessage"): quick_message,
    ("anthropic", "BetaRawContentBlockDeltaEvent"): quick_delta,
    ("anthropic", "Message"): quick_message,
    ("anthropic", "RawContentBlockDeltaEvent"): quick_delta,
    ("openai", "ChatCompletion"): quick_completion,
    ("openai", "Response"): quick_response,
    ("openai", "ResponseFunctionCallArgumentsDeltaEvent"): delta_of("response.function_call_arguments.delta", ANSWER),
    ("openai", "ResponseReasoningSummaryTextDeltaEvent"): delta_of("response.reasoning_summary_text.delta", REASONING),
    ("openai", "ResponseReasoningTextDeltaEvent"): delta_of("response.reasoning_text.delta", REASONING),
    ("openai", "ResponseTextDeltaEvent"): delta_of("response.output_text.delta", ANSWER),
}
"""By top-level package and class; not for a user's subclass, which may have properties."""
