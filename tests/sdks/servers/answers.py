"""What a server answers, and how many tokens that takes: both follow from the request, and a token is a word."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.sdks.servers.ledger import Tokens

Body = Mapping[str, Any]

REFUSAL = "I cannot help with that."
THOUGHTS = "The question asks for its own words."
_WORD = re.compile(r"\S+\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request asks for, whatever its protocol.

    `texts` are the parts of the prompt; the last one is answered. The first `readable` of them may be read from the
    cache, and are written to it if `writes`. `function` is a name and the schema of its arguments. `cached_content` and
    `tool_results` are tokens that the prompt has beside its texts.
    """

    model: str
    texts: Sequence[str]
    streams: bool = False
    readable: int = 0
    writes: bool = False
    thinks: bool = False
    limit: int | None = None
    schema: Body | None = None
    function: tuple[str, Body] | None = None
    cached_content: int = 0
    tool_results: int = 0
    body: Body = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answers: pieces whose concatenation is the text, and their tokens."""

    model: str
    pieces: Sequence[str]
    thoughts: Sequence[str]
    tokens: Tokens
    shortened: bool = False
    refused: bool = False
    function: str | None = None

    @property
    def text(self) -> str:
        """The whole text; with `function`, its arguments as JSON."""
        return "".join(self.pieces)

    @property
    def reasoning(self) -> str:
        """The whole reasoning."""
        return "".join(self.thoughts)


def answer(asked: Asked, cached: set[str], *, refused: bool = False) -> Answer:
    """Return the answer to `asked`: the words of its last text, as JSON where a schema or a function is given."""
    text = " ".join(asked.texts[-1].split() if asked.texts else ()) or "Nothing was asked."
    schema = asked.function[1] if asked.function else asked.schema
    if refused:
        text = REFUSAL
    elif schema is not None:
        text = json.dumps(fitting(schema, text, schema.get("$defs", {})))
    pieces = words(text)
    shortened = asked.limit is not None and len(pieces) > asked.limit and schema is None  # JSON is left whole
    pieces = pieces[: asked.limit] if shortened else pieces
    thoughts = words(THOUGHTS) if asked.thinks else []
    read = replace(prompt_tokens(asked, cached), output=len(pieces), reasoning=len(thoughts))
    return Answer(
        model=asked.model,
        pieces=pieces,
        thoughts=thoughts,
        tokens=read,
        shortened=shortened,
        refused=refused,
        function=asked.function[0] if asked.function and not refused else None,
    )


def words(text: str) -> list[str]:
    """Return the words of `text`, each with the space that follows it."""
    return _WORD.findall(text)


def count(text: str) -> int:
    """Return the number of words."""
    return len(text.split())


def prompt_tokens(asked: Asked, cached: set[str]) -> Tokens:
    """Return the tokens of the prompt, and keep in `cached` what is written: the cache has whole leading parts."""
    read = written = 0
    hit = True
    for text in asked.texts[: asked.readable]:
        hit = hit and text in cached
        if hit:
            read += count(text)
        elif asked.writes:
            cached.add(text)
            written += count(text)
    everything = sum(count(text) for text in asked.texts)
    return Tokens(
        input=everything - read - written + asked.tool_results,
        cache_read=read + asked.cached_content,
        cache_write=written,
    )


def fitting(schema: Body, text: str, definitions: Mapping[str, Body]) -> Any:
    """Return a value that fits a JSON schema, with `text` where it wants a string."""
    if "$ref" in schema:
        return fitting(definitions[schema["$ref"].rpartition("/")[2]], text, definitions)
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return fitting(schema["anyOf"][0], text, definitions)
    kind = str(schema.get("type", "object")).lower()
    if kind == "object":
        properties: Mapping[str, Body] = schema.get("properties") or {}
        return {name: fitting(each, text, definitions) for name, each in properties.items()}
    plain = {"string": text, "integer": count(text), "number": float(count(text)), "boolean": True, "array": []}
    return plain.get(kind)


def texts_of(content: Any) -> list[str]:
    """Return the texts of a message's content: a string, or parts of which some have a text."""
    if isinstance(content, str):
        return [content]
    parts = content if isinstance(content, list) else []
    return [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]


def joined(content: Any) -> str:
    """Return the texts of a message's content as one."""
    return " ".join(texts_of(content))


def finish(said: Answer) -> str:
    """Return why an answer ends, as a chat completion says it."""
    if said.function:
        return "tool_calls"
    return "length" if said.shortened else "stop"
