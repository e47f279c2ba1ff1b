"""Responses and streams shaped as the providers' documentation shows them; the tests compute their tokens.

Texts are shorter than there. Many identifiers and counts are those of examples of OpenAI, Anthropic and Mistral; the
others, among them all of Gemini's, were made up in their format.
"""

from typing import Any

Payload = dict[str, Any]

# OpenAI, chat completions

CHAT: Payload = {
    "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
    "object": "chat.completion",
    "created": 1741569952,
    "model": "gpt-4.1-2025-04-14",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello!", "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 19,
        "completion_tokens": 10,
        "total_tokens": 29,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    },
    "service_tier": "default",
}
CHAT_CACHED: Payload = CHAT | {
    "usage": {
        "prompt_tokens": 2006,
        "completion_tokens": 300,
        "total_tokens": 2306,
        "prompt_tokens_details": {"cached_tokens": 1920},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
}
CHAT_FUNCTION: Payload = {
    "id": "chatcmpl-abc123",
    "object": "chat.completion",
    "created": 1699896916,
    "model": "gpt-4o-mini",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_abc123",
                        "type": "function",
                        "function": {"name": "get_current_weather", "arguments": '{"location": "Boston, MA"}'},
                    }
                ],
            },
            "logprobs": None,
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {
        "prompt_tokens": 82,
        "completion_tokens": 17,
        "total_tokens": 99,
        "completion_tokens_details": {"reasoning_tokens": 0},
    },
}


def _chunk(delta: Payload, reason: str | None = None) -> Payload:
    """Return a chunk of the chat completion stream in the documentation."""
    return {
        "id": "chatcmpl-123",
        "object": "chat.completion.chunk",
        "created": 1694268190,
        "model": "gpt-4o-mini",
        "system_fingerprint": "fp_44709d6fcb",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}],
        "usage": None,
    }


CHAT_STREAM: list[Payload] = [
    _chunk({"role": "assistant", "content": ""}),
    _chunk({"content": "Hello"}),
    _chunk({}, "stop"),
    _chunk({}) | {"choices": [], "usage": CHAT["usage"]},
]
COMPLETION: Payload = {
    "id": "cmpl-uqkvlQyYK7bGYrRHQ0eXlWi7",
    "object": "text_completion",
    "created": 1589478378,
    "model": "gpt-3.5-turbo-instruct",
    "choices": [{"text": "\n\nThis is a test", "index": 0, "logprobs": None, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12},
}
EMBEDDINGS: Payload = {
    "object": "list",
    "data": [{"object": "embedding", "embedding": [0.0023064255, -0.009327292], "index": 0}],
    "model": "text-embedding-ada-002",
    "usage": {"prompt_tokens": 8, "total_tokens": 8},
}

# OpenAI, responses

RESPONSE: Payload = {
    "id": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
    "object": "response",
    "created_at": 1741476542,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "model": "gpt-4.1-2025-04-14",
    "output": [
        {
            "type": "message",
            "id": "msg_67ccd2bf17f0819081ff3bb2cf6508e60bb6a6b452d3795b",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "In a peaceful grove", "annotations": []}],
        }
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 36,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 87,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 123,
    },
}
RESPONSE_REASONING: Payload = RESPONSE | {
    "usage": {
        "input_tokens": 75,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 1186,
        "output_tokens_details": {"reasoning_tokens": 1024},
        "total_tokens": 1261,
    }
}
_STREAMED: Payload = RESPONSE | {
    "id": "resp_67c9fdcecf488190bdd9a0409de3a1ec07b8b0ad4e5eb654",
    "status": "in_progress",
    "output": [],
    "usage": None,
}
_OF_ITEM: Payload = {"item_id": "msg_67c9fdcf37fc8190ba82116e33fb28c5", "output_index": 0, "content_index": 0}
_ITEM: Payload = {"id": _OF_ITEM["item_id"], "type": "message", "status": "in_progress", "role": "assistant"}
RESPONSE_STREAM: list[Payload] = [
    event | {"sequence_number": number}
    for number, event in enumerate[Payload](
        [
            {"type": "response.created", "response": _STREAMED},
            {"type": "response.in_progress", "response": _STREAMED},
            {"type": "response.output_item.added", "output_index": 0, "item": _ITEM | {"content": []}},
            {
                "type": "response.content_part.added",
                **_OF_ITEM,
                "part": {"type": "output_text", "text": "", "annotations": []},
            },
            {"type": "response.output_text.delta", **_OF_ITEM, "delta": "Hi", "logprobs": []},
            {"type": "response.output_text.done", **_OF_ITEM, "text": "Hi", "logprobs": []},
            {
                "type": "response.completed",
                "response": _STREAMED
                | {
                    "status": "completed",
                    "usage": {
                        "input_tokens": 37,
                        "input_tokens_details": {"cached_tokens": 0},
                        "output_tokens": 11,
                        "output_tokens_details": {"reasoning_tokens": 0},
                        "total_tokens": 48,
                    },
                },
            },
        ]
    )
]

# Anthropic, messages

MESSAGE: Payload = {
    "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "text", "text": "Hello!"}],
    "model": "claude-sonnet-4-5",
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 12, "output_tokens": 6},
}
MESSAGE_WROTE_CACHE: Payload = MESSAGE | {
    "usage": {
        "cache_creation_input_tokens": 188086,
        "cache_read_input_tokens": 0,
        "input_tokens": 21,
        "output_tokens": 393,
    }
}
MESSAGE_MIXED_CACHE: Payload = MESSAGE | {
    "usage": {
        "input_tokens": 2048,
        "cache_read_input_tokens": 1800,
        "cache_creation_input_tokens": 248,
        "output_tokens": 503,
        "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
    }
}


def _begun(usage: Payload | None) -> Payload:
    """Return the first event of a stream of Anthropic."""
    message = MESSAGE | {"id": "msg_1nZdL29xx5MUA1yADyHTEsnR8uuvGzszyY", "content": [], "stop_reason": None}
    if usage is None:
        return {"type": "message_start", "message": {key: each for key, each in message.items() if key != "usage"}}
    return {"type": "message_start", "message": message | {"usage": usage}}


def _delta(delta: Payload) -> Payload:
    """Return an event with a piece of a content block."""
    return {"type": "content_block_delta", "index": 0, "delta": delta}


_ENDED: Payload = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}}
_BLOCK: Payload = {"type": "content_block_start", "index": 0}

MESSAGE_STREAM: list[Payload] = [
    _begun({"input_tokens": 25, "output_tokens": 1}),
    _BLOCK | {"content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    _delta({"type": "text_delta", "text": "Hello"}),
    _delta({"type": "text_delta", "text": "!"}),
    {"type": "content_block_stop", "index": 0},
    _ENDED | {"usage": {"output_tokens": 15}},
    {"type": "message_stop"},
]
MESSAGE_STREAM_SEARCH: list[Payload] = [
    _begun({"input_tokens": 2679, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 3}),
    _delta({"type": "input_json_delta", "partial_json": ""}),
    _delta({"type": "input_json_delta", "partial_json": '{"query'}),
    _ENDED
    | {
        "usage": {
            "input_tokens": 10682,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 510,
            "server_tool_use": {"web_search_requests": 1},
        }
    },
    {"type": "message_stop"},
]
MESSAGE_STREAM_THINKING: list[Payload] = [
    _begun(None),
    _BLOCK | {"content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    _delta({"type": "thinking_delta", "thinking": "I need to find the GCD"}),
    _delta({"type": "signature_delta", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h"}),
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "The greatest"}},
    {"type": "content_block_stop", "index": 1},
    _ENDED,
    {"type": "message_stop"},
]
OVERLOADED: Payload = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}

# Gemini

CONTENT: Payload = {
    "candidates": [{"content": {"parts": [{"text": "4"}], "role": "model"}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 73, "totalTokenCount": 84},
    "modelVersion": "gemini-2.0-flash",
    "responseId": "response-1",
}
CONTENT_CACHED: Payload = CONTENT | {
    "usageMetadata": {
        "promptTokenCount": 696219,
        "cachedContentTokenCount": 696190,
        "candidatesTokenCount": 214,
        "totalTokenCount": 696433,
    }
}
EXHAUSTED: Payload = {"error": {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED"}}

# Mistral

MISTRAL: Payload = {
    "id": "cmpl-e5cc70bb28c444948073e77776eb30ef",
    "object": "chat.completion",
    "model": "mistral-small-latest",
    "usage": {"prompt_tokens": 16, "completion_tokens": 34, "total_tokens": 50},
    "created": 1702256327,
    "choices": [
        {
            "index": 0,
            "message": {"content": "string", "tool_calls": None, "prefix": False, "role": "assistant"},
            "finish_reason": "stop",
        }
    ],
}
MISTRAL_EMBEDDINGS: Payload = {
    "id": "embd-aad6fc62b17349b192ef09225058bc45",
    "object": "list",
    "data": [{"object": "embedding", "embedding": [0.1, 0.2, 0.3], "index": 0}],
    "model": "mistral-embed",
    "usage": {"prompt_tokens": 9, "total_tokens": 9},
}

WHOLE: dict[str, tuple[Payload, dict[str, int]]] = {
    "openai chat": (CHAT, {"input": 19, "cache_read": 0, "output": 10, "reasoning": 0}),
    # 2006 - 1920 = 86
    "openai chat, cached": (CHAT_CACHED, {"input": 86, "cache_read": 1920, "output": 300, "reasoning": 0}),
    "openai chat, function": (CHAT_FUNCTION, {"input": 82, "output": 17, "reasoning": 0}),
    "openai completion": (COMPLETION, {"input": 5, "output": 7}),
    "openai embeddings": (EMBEDDINGS, {"input": 8}),
    "openai response": (RESPONSE, {"input": 36, "cache_read": 0, "output": 87, "reasoning": 0}),
    # 1186 - 1024 = 162
    "openai response, reasoning": (
        RESPONSE_REASONING,
        {"input": 75, "cache_read": 0, "output": 162, "reasoning": 1024},
    ),
    "anthropic": (MESSAGE, {"input": 12, "output": 6}),
    "anthropic, cache written": (
        MESSAGE_WROTE_CACHE,
        {"input": 21, "cache_read": 0, "cache_write": 188086, "output": 393},
    ),
    "anthropic, cache of two ages": (
        MESSAGE_MIXED_CACHE,
        {"input": 2048, "cache_read": 1800, "cache_write": 248, "output": 503},
    ),
    "gemini": (CONTENT, {"input": 11, "output": 73}),
    # 696219 - 696190 = 29
    "gemini, cached": (CONTENT_CACHED, {"input": 29, "cache_read": 696190, "output": 214}),
    "mistral": (MISTRAL, {"input": 16, "output": 34}),
    "mistral embeddings": (MISTRAL_EMBEDDINGS, {"input": 9}),
}
"""Whole responses, and the additive tokens of each, computed by hand."""

STREAMS: dict[str, tuple[list[Payload], str, dict[str, int] | None]] = {
    "openai chat": (CHAT_STREAM, "_A__", {"input": 19, "cache_read": 0, "output": 10, "reasoning": 0}),
    "openai response": (RESPONSE_STREAM, "____A__", {"input": 37, "cache_read": 0, "output": 11, "reasoning": 0}),
    "anthropic": (MESSAGE_STREAM, "___AA___", {"input": 25, "output": 15}),
    "anthropic, search": (
        MESSAGE_STREAM_SEARCH,
        "__A__",
        {"input": 10682, "cache_read": 0, "cache_write": 0, "output": 510},
    ),
    "anthropic, thinking": (MESSAGE_STREAM_THINKING, "__R___A___", None),
}
"""Streams, what each event carries (nothing, an Answer, Reasoning), and the additive tokens of the whole stream."""
