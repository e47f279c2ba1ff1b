"""Payloads shaped as the examples in the providers' documentation, beside those of `tests.responses.published`.

They are shortened where a list or a text is long, and models may be later ones. OpenAI: its API reference. Anthropic:
"Streaming messages". Gemini: Firebase AI Logic, "Server prompt templates". Mistral: its API reference and guides.
"""

import json
from typing import Any

Payload = dict[str, Any]


def payloads(text: str) -> list[Payload]:
    """Return the JSON objects of an example: of a stream, those after `data:`; of other examples, one a line."""
    lines = (line.removeprefix("data:").strip() for line in text.splitlines())
    return [json.loads(line) for line in lines if line.startswith("{")]


OPENAI_CHAT_STREAM = """
{"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o-mini", \
"system_fingerprint": "fp_44709d6fcb", "choices":[{"index":0,"delta":{"role":"assistant","content":""}, \
"logprobs":null,"finish_reason":null}]}
{"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o-mini", \
"system_fingerprint": "fp_44709d6fcb", "choices":[{"index":0,"delta":{"content":"Hello"},"logprobs":null, \
"finish_reason":null}]}
{"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o-mini", \
"system_fingerprint": "fp_44709d6fcb", "choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}
"""

OPENAI_RESPONSES_STREAM = """
data: {"type":"response.created","response":{"id":"resp_67c9fdcecf488190bdd9a0409de3a1ec07b8b0ad4e5eb654",\
"object":"response","created_at":1741290958,"status":"in_progress","error":null,"incomplete_details":null,\
"instructions":"You are a helpful assistant.","max_output_tokens":null,"model":"gpt-5.4","output":[],\
"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},"store":true,\
"temperature":1.0,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":1.0,\
"truncation":"disabled","usage":null,"user":null,"metadata":{}}}
data: {"type":"response.output_item.added","output_index":0,"item":\
{"id":"msg_67c9fdcf37fc8190ba82116e33fb28c507b8b0ad4e5eb654","type":"message","status":"in_progress",\
"role":"assistant","content":[]}}
data: {"type":"response.content_part.added","item_id":"msg_67c9fdcf37fc8190ba82116e33fb28c507b8b0ad4e5eb654",\
"output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}}
data: {"type":"response.output_text.delta","item_id":"msg_67c9fdcf37fc8190ba82116e33fb28c507b8b0ad4e5eb654",\
"output_index":0,"content_index":0,"delta":"Hi"}
data: {"type":"response.completed","response":{"id":"resp_67c9fdcecf488190bdd9a0409de3a1ec07b8b0ad4e5eb654",\
"object":"response","created_at":1741290958,"status":"completed","error":null,"incomplete_details":null,\
"instructions":"You are a helpful assistant.","max_output_tokens":null,"model":"gpt-5.4","output":[\
{"id":"msg_67c9fdcf37fc8190ba82116e33fb28c507b8b0ad4e5eb654","type":"message","status":"completed",\
"role":"assistant","content":[{"type":"output_text","text":"Hi there! How can I assist you today?",\
"annotations":[]}]}],"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":null,\
"summary":null},"store":true,"temperature":1.0,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],\
"top_p":1.0,"truncation":"disabled","usage":{"input_tokens":37,"output_tokens":11,"output_tokens_details":\
{"reasoning_tokens":0},"total_tokens":48},"user":null,"metadata":{}}}
"""

ANTHROPIC_STREAM = """
data: {"type": "message_start", "message": {"id": "msg_1nZdL29xx5MUA1yADyHTEsnR8uuvGzszyY", "type": "message", \
"role": "assistant", "content": [], "model": "claude-opus-4-6", "stop_reason": null, "stop_sequence": null, \
"usage": {"input_tokens": 25, "output_tokens": 1}}}
data: {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
data: {"type": "ping"}
data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}}
data: {"type": "content_block_stop", "index": 0}
data: {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence":null}, \
"usage": {"output_tokens": 15}}
data: {"type": "message_stop"}
"""

GEMINI = """
{"candidates": [{"content": {"parts": [{"text": "Thank you for your business!"}], "role": "model"}, \
"finishReason": "STOP", "index": 0}], "usageMetadata": {"promptTokenCount": 34, "candidatesTokenCount": 418, \
"totalTokenCount": 890, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 34}], \
"thoughtsTokenCount": 438}, "modelVersion": "gemini-3-flash-preview", "responseId": "3w4Vad6yF-y1vdIP_q_zgAw"}
"""

MISTRAL_CHAT = """
{"id": "7c163b08d98e4eebb35564ae14ffe6e4", "created": 1756130273, "model": "mistral-medium-latest", "usage": \
{"prompt_tokens": 10, "total_tokens": 1160, "completion_tokens": 1150}, "object": "chat.completion", "choices": [\
{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "tool_calls": null, \
"content": "The best French cheese is highly subjective."}}]}
"""

MISTRAL_EMBEDDINGS = """
{"data": [{"embedding": [-0.016632080078125, 0.0701904296875], "index": 0, "object": "embedding"}], \
"model": "mistral-embed", "object": "list", "usage": {"prompt_tokens": 15, "completion_tokens": 0, \
"total_tokens": 15, "prompt_audio_seconds": null}}
"""
