"""Payloads against an SDK's own response models: nothing is coerced, and few fields are unknown."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel, TypeAdapter

# Fields that the oldest supported releases do not know yet; `store` is published, but in no release.
UNDECLARED = {
    *("store", "summary", "sequence_number", "name"),
    *("cache_write_tokens", "input_tokens_details", "background", "logprobs", "num_cached_tokens", "service_tier"),
    *("output_tokens_details", "stop_details", "prompt_tokens_details", "prompt_audio_seconds"),
    *("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"),
}


@cache  # the union of all events takes long to build
def adapter(kind: Any) -> TypeAdapter[Any]:
    """Return what validates payloads of `kind`."""
    return TypeAdapter(kind)


def validated(kind: Any, payload: object) -> Any:
    """Return `payload` as an object of `kind`; fail where it does not fit."""
    found = adapter(kind).validate_json(json.dumps(payload), strict=True)
    unknown = set(extras(found)) - UNDECLARED
    assert not unknown, f"{type(found).__name__} does not know {unknown}"
    return found


def extras(value: object) -> Iterator[str]:
    """Yield the names of the fields that no model declares."""
    if isinstance(value, BaseModel):
        yield from value.model_extra or {}
        for name in type(value).model_fields:
            yield from extras(getattr(value, name))
    elif isinstance(value, list):
        for each in value:
            yield from extras(each)
