"""The handler of callbacks that is in every run of LangChain, and what content its tokens and events have."""

from typing import Any

from mlmetrics.interruption import interrupted
from mlmetrics.responses.content import filled
from mlmetrics.responses.fields import fields
from mlmetrics.responses.kinds import hearing
from mlmetrics.responses.said import ANSWER, NOTHING, REASONING, Said


def content_of(token: Any, chunk: Any) -> int:
    """Return what content a token has."""
    hear = None if chunk is None else hearing(type(chunk))
    if hear is None:
        return ANSWER if filled(token) else NOTHING
    return hear(chunk, Said())


def content_of_event(event: Any) -> int:
    """Return what content an event of LangChain's protocol has."""
    told = fields(event)
    if told.get("event") != "content-block-delta":
        return NOTHING
    delta = fields(told.get("delta", told.get("content_block")))
    kind = delta.get("type")
    if not filled(delta):
        return NOTHING
    return REASONING if isinstance(kind, str) and "reasoning" in kind else ANSWER


def handler_of(runs: Any) -> Any:
    """Return a handler of callbacks that tells the runs of an instrument; LangChain is imported by now."""
    from langchain_core.callbacks.base import BaseCallbackHandler  # noqa: PLC0415 (importing this takes seconds)

    def tolerating(use: Any, *given: Any) -> None:
        try:
            use(*given)
        except Exception as error:  # nothing of ours reaches the user's call
            if interrupted(error):
                raise
            runs.failed(error)

    class Handler(BaseCallbackHandler):  # type: ignore[misc]  # mypy does not see LangChain
        run_inline = True  # in the context of the run
        ignore_agent = ignore_chain = ignore_retriever = ignore_retry = ignore_custom_event = True

        def on_chat_model_start(self, _serialized: Any, _messages: Any, **about: Any) -> None:
            tolerating(runs.begin, "chat", about)

        def on_llm_start(self, _serialized: Any, _prompts: Any, **about: Any) -> None:
            tolerating(runs.begin, "completions", about)

        def on_llm_new_token(self, token: Any, *, run_id: Any, chunk: Any = None, **_more: Any) -> None:
            tolerating(runs.chunk, run_id, lambda: content_of(token, chunk))

        def on_stream_event(self, event: Any, *, run_id: Any, **_more: Any) -> None:
            tolerating(runs.chunk, run_id, lambda: content_of_event(event))

        def on_llm_end(self, response: Any, *, run_id: Any, **_more: Any) -> None:
            tolerating(runs.end, run_id, response)

        def on_llm_error(self, error: BaseException, *, run_id: Any, response: Any = None, **_more: Any) -> None:
            tolerating(runs.fail, run_id, error, response)

    return Handler()
