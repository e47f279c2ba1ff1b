"""The ways in which programs ask through the SDK of OpenAI."""

import gc
from typing import Any

from pydantic import BaseModel

from tests.sdks.asking import Way, each, first, got, within

MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "assistant", "content": "Ask me anything."},
    {"role": "user", "content": "say these four words"},
]
CACHED = "Be brief."
EXTRA = {"extra_body": {"prompt_cache_key": "any", "reasoning_effort": "low"}}
USAGE = {"stream_options": {"include_usage": True}}
STREAM = {"stream": True, **USAGE}


class Words(BaseModel):
    """A form for answers."""

    text: str


def chat(completions: Any, **more: Any) -> Any:
    """Ask for a chat completion."""
    return completions.create(model="asked", messages=MESSAGES, **{**EXTRA, **more})


def helpers(client: Any) -> Any:
    """Return where this release has `parse` and `stream`."""
    chats = client.chat.completions
    return chats if hasattr(chats, "parse") else client.beta.chat.completions


def helper(client: Any, **more: Any) -> Any:
    """Return the manager of a stream of events."""
    return helpers(client).stream(model="asked", messages=MESSAGES, **{**EXTRA, **USAGE, **more})


def respond(responses: Any, **more: Any) -> Any:
    """Ask the Responses API."""
    extra = {"prompt_cache_key": "any", "reasoning": {"effort": "low"}}
    return responses.create(model="asked", instructions=CACHED, input=MESSAGES[1:], extra_body=extra, **more)


def responding(client: Any) -> Any:
    """Return the manager of a stream of the Responses API."""
    return client.responses.stream(model="asked", input="say these four words", reasoning={"effort": "low"})


async def create(client: Any) -> Any:
    """Wait for the whole answer."""
    return await got(chat(client.chat.completions))


async def parse(client: Any) -> Any:
    """Wait for an answer in a form."""
    answer = helpers(client).parse(model="asked", messages=MESSAGES, response_format=Words, **EXTRA)
    return await got(answer)


async def stream(client: Any) -> Any:
    """Read a stream."""
    return await each(await got(chat(client.chat.completions, **STREAM)))


async def stream_within(client: Any) -> Any:
    """Read a stream in its block."""
    async with within(await got(chat(client.chat.completions, **STREAM))) as chunks:
        return await each(chunks)


async def stream_without_usage(client: Any) -> Any:
    """Read a stream whose usage was not asked for."""
    return await each(await got(chat(client.chat.completions, stream=True)))


async def helper_events(client: Any) -> Any:
    """Read the events of a helper."""
    async with within(helper(client)) as events:
        return [event.type for event in await each(events)]


async def helper_until_done(client: Any) -> Any:
    """Have a helper read its stream."""
    async with within(helper(client)) as events:
        await got(events.until_done())
        return events.current_completion_snapshot


async def helper_final(client: Any) -> Any:
    """Have a helper return the whole answer."""
    async with within(helper(client)) as events:
        return await got(events.get_final_completion())


async def raw(client: Any) -> Any:
    """Parse a raw response, twice."""
    response = await got(chat(client.chat.completions.with_raw_response))
    assert response.parse() is response.parse()
    return response.parse()


async def raw_chained(client: Any) -> Any:
    """Parse a raw response that nobody else holds."""
    return (await got(chat(client.chat.completions.with_raw_response))).parse()


async def raw_unparsed(client: Any) -> Any:
    """Read only the status of a raw response."""
    return (await got(chat(client.chat.completions.with_raw_response))).status_code


async def raw_stream(client: Any) -> Any:
    """Parse a raw response into a stream."""
    response = await got(chat(client.chat.completions.with_raw_response, **STREAM))
    assert response.parse() is response.parse()
    return await each(response.parse())


async def streaming_parse(client: Any) -> Any:
    """Parse a response that is read when it is asked for."""
    async with within(chat(client.chat.completions.with_streaming_response)) as response:
        return await got(response.parse())


async def streaming_json(client: Any) -> Any:
    """Read its JSON."""
    async with within(chat(client.chat.completions.with_streaming_response)) as response:
        return await got(response.json())


async def streaming_lines(client: Any) -> Any:
    """Read its lines."""
    async with within(chat(client.chat.completions.with_streaming_response)) as response:
        return await each(response.iter_lines())


async def streaming_bytes(client: Any) -> Any:
    """Read its bytes, some at a time."""
    async with within(chat(client.chat.completions.with_streaming_response)) as response:
        return b"".join(await each(response.iter_bytes(7)))


async def streaming_stream(client: Any) -> Any:
    """Parse it into a stream."""
    async with within(chat(client.chat.completions.with_streaming_response, **STREAM)) as response:
        return await each(await got(response.parse()))


async def streaming_stream_lines(client: Any) -> Any:
    """Read the lines of a stream."""
    async with within(chat(client.chat.completions.with_streaming_response, **STREAM)) as response:
        return await each(response.iter_lines())


async def streaming_stream_text(client: Any) -> Any:
    """Read the text of a stream, a few characters at a time."""
    async with within(chat(client.chat.completions.with_streaming_response, **STREAM)) as response:
        return "".join(await each(response.iter_text(7)))


async def responses(client: Any) -> Any:
    """Wait for a whole response."""
    return await got(respond(client.responses))


async def responses_stream(client: Any) -> Any:
    """Read the events of a response."""
    return await each(await got(respond(client.responses, stream=True)))


async def responses_helper(client: Any) -> Any:
    """Have a helper read the events."""
    async with within(responding(client)) as events:
        await got(events.until_done())


async def responses_helper_final(client: Any) -> Any:
    """Have a helper return the whole response."""
    async with within(responding(client)) as events:
        return await got(events.get_final_response())


async def responses_parse(client: Any) -> Any:
    """Wait for a response in a form."""
    return await got(client.responses.parse(model="asked", input="say these four words", text_format=Words))


async def responses_raw(client: Any) -> Any:
    """Parse a raw response."""
    return (await got(respond(client.responses.with_raw_response))).parse()


async def embeddings(client: Any) -> Any:
    """Ask for two vectors."""
    return await got(client.embeddings.create(model="asked", input=["one text", "and another one"]))


async def completions(client: Any) -> Any:
    """Ask for a completion of the older kind."""
    return await got(client.completions.create(model="asked", prompt="say these four words"))


async def completions_stream(client: Any) -> Any:
    """Read a completion of the older kind."""
    return await each(await got(client.completions.create(model="asked", prompt="say these four words", **STREAM)))


WAYS = [
    *(Way(ask) for ask in (create, parse, raw, raw_chained, raw_unparsed)),
    *(Way(ask, later=True) for ask in (streaming_parse, streaming_json, streaming_lines, streaming_bytes)),
    *(Way(ask, streams=True) for ask in (stream, stream_within, stream_without_usage, raw_stream)),
    *(Way(ask, streams=True) for ask in (helper_events, helper_until_done, helper_final)),
    *(Way(ask, streams=True) for ask in (streaming_stream, streaming_stream_lines, streaming_stream_text)),
    *(Way(ask, "responses") for ask in (responses, responses_parse, responses_raw)),
    *(Way(ask, "responses", streams=True) for ask in (responses_stream, responses_helper, responses_helper_final)),
    Way(embeddings, "embeddings"),
    Way(completions, "completions"),
    Way(completions_stream, "completions", streams=True),
]


async def closed(client: Any) -> Any:
    """Leave a stream after its first chunks, and close it."""
    chunks = await got(chat(client.chat.completions, **STREAM))
    await first(chunks, 2)
    await got(chunks.close())
    return type(chunks)


async def left_block(client: Any) -> Any:
    """Leave the block of a stream."""
    async with within(await got(chat(client.chat.completions, **STREAM))) as chunks:
        return len(await first(chunks, 2)), type(chunks)


async def left_helper(client: Any) -> Any:
    """Leave the block of a helper, and keep the stream."""
    async with within(helper(client)) as events:
        await first(events)
    return type(events), events.close and None


async def left_responses_helper(client: Any) -> Any:
    """Leave the block of a helper of the Responses API."""
    async with within(responding(client)) as events:
        await first(events)
    return type(events)


async def dropped(client: Any) -> Any:
    """Drop a stream after its first chunk."""
    await first(await got(chat(client.chat.completions, **STREAM)))
    gc.collect()


async def never_iterated(client: Any) -> Any:
    """Ask for a stream, and close it unread."""
    chunks = await got(chat(client.chat.completions, **STREAM))
    await got(chunks.close())


async def closed_by_method(client: Any) -> Any:
    """Keep only the method that closes a stream."""
    close = (await got(chat(client.chat.completions, **STREAM))).close
    gc.collect()
    await got(close())


async def never_parsed(client: Any) -> Any:
    """Ask for a raw stream, and never parse it."""
    return (await got(chat(client.chat.completions.with_raw_response, **STREAM))).status_code


async def never_read(client: Any) -> Any:
    """Ask for a stream that is read when it is asked for, and read nothing."""
    async with within(chat(client.chat.completions.with_streaming_response, **STREAM)) as response:
        return response.status_code


async def left_lines(client: Any) -> Any:
    """Read the first lines of a stream."""
    async with within(chat(client.chat.completions.with_streaming_response, **STREAM)) as response:
        return len(await first(response.iter_lines(), 2))


LEFT = [
    Way(ask, streams=True, reads=False)
    for ask in (
        *(closed, left_block, left_helper, dropped, never_iterated, closed_by_method),
        *(never_parsed, never_read, left_lines),
    )
] + [Way(left_responses_helper, "responses", streams=True, reads=False)]
