"""The ways in which programs ask through the SDK of Anthropic."""

import gc
from typing import Any

from tests.sdks.asking import CACHED, Way, each, first, got, within

KEPT = {"cache_control": {"type": "ephemeral"}}
ASKED = {
    "model": "asked",
    "max_tokens": 2048,
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "system": [{"type": "text", "text": CACHED, **KEPT}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Ask me anything.", **KEPT},
                {"type": "text", "text": "say these four words"},
            ],
        }
    ],
}


async def create(client: Any) -> Any:
    """Wait for the whole message."""
    return await got(client.messages.create(**ASKED))


async def beta(client: Any) -> Any:
    """Wait for the whole message of the beta API."""
    return await got(client.beta.messages.create(**ASKED))


async def stream(client: Any) -> Any:
    """Read the events of a message."""
    return await each(await got(client.messages.create(**ASKED, stream=True)))


async def stream_within(client: Any) -> Any:
    """Read them in the block of the stream."""
    async with within(await got(client.messages.create(**ASKED, stream=True))) as events:
        return await each(events)


async def beta_stream(client: Any) -> Any:
    """Read the events of a message of the beta API."""
    return await each(await got(client.beta.messages.create(**ASKED, stream=True)))


async def beta_helper(client: Any) -> Any:
    """Have a helper of the beta API return the whole message."""
    async with within(client.beta.messages.stream(**ASKED)) as events:
        return await got(events.get_final_message())


async def helper_events(client: Any) -> Any:
    """Read the events of a helper."""
    async with within(client.messages.stream(**ASKED)) as events:
        return await each(events)


async def helper_text(client: Any) -> Any:
    """Read the text of a helper."""
    async with within(client.messages.stream(**ASKED)) as events:
        return await each(events.text_stream)


async def helper_until_done(client: Any) -> Any:
    """Have a helper read its stream."""
    async with within(client.messages.stream(**ASKED)) as events:
        await got(events.until_done())
        return events.current_message_snapshot


async def helper_final(client: Any) -> Any:
    """Have a helper return the whole message."""
    async with within(client.messages.stream(**ASKED)) as events:
        return await got(events.get_final_message())


async def raw(client: Any) -> Any:
    """Parse a raw response, twice."""
    response = await got(client.messages.with_raw_response.create(**ASKED))
    assert await got(response.parse()) is await got(response.parse())
    return await got(response.parse())


async def raw_chained(client: Any) -> Any:
    """Parse a raw response that nobody else holds."""
    return await got((await got(client.messages.with_raw_response.create(**ASKED))).parse())


async def raw_unparsed(client: Any) -> Any:
    """Read only the status of a raw response."""
    return (await got(client.messages.with_raw_response.create(**ASKED))).status_code


async def raw_stream(client: Any) -> Any:
    """Parse a raw response into a stream."""
    response = await got(client.messages.with_raw_response.create(**ASKED, stream=True))
    return await each(await got(response.parse()))


async def streaming_parse(client: Any) -> Any:
    """Parse a response that is read when it is asked for."""
    async with within(client.messages.with_streaming_response.create(**ASKED)) as response:
        return await got(response.parse())


async def streaming_json(client: Any) -> Any:
    """Read its JSON."""
    async with within(client.messages.with_streaming_response.create(**ASKED)) as response:
        return await got(response.json())


async def streaming_lines(client: Any) -> Any:
    """Read its lines."""
    async with within(client.messages.with_streaming_response.create(**ASKED)) as response:
        return await each(response.iter_lines())


async def streaming_stream(client: Any) -> Any:
    """Parse it into a stream."""
    async with within(client.messages.with_streaming_response.create(**ASKED, stream=True)) as response:
        return await each(await got(response.parse()))


async def streaming_stream_lines(client: Any) -> Any:
    """Read the lines of a stream."""
    async with within(client.messages.with_streaming_response.create(**ASKED, stream=True)) as response:
        return await each(response.iter_lines())


async def streaming_stream_bytes(client: Any) -> Any:
    """Read the bytes of a stream, some at a time."""
    async with within(client.messages.with_streaming_response.create(**ASKED, stream=True)) as response:
        return b"".join(await each(response.iter_bytes(7)))


WAYS = [
    *(Way(ask, "messages") for ask in (create, beta, raw, raw_chained, raw_unparsed)),
    *(Way(ask, "messages", later=True) for ask in (streaming_parse, streaming_json, streaming_lines)),
    *(Way(ask, "messages", streams=True) for ask in (stream, stream_within, beta_stream, raw_stream)),
    *(Way(ask, "messages", streams=True) for ask in (helper_events, helper_text, helper_until_done, helper_final)),
    Way(beta_helper, "messages", streams=True),
    *(Way(ask, "messages", streams=True) for ask in (streaming_stream, streaming_stream_lines, streaming_stream_bytes)),
]


async def closed(client: Any) -> Any:
    """Leave a stream after its first event, and close it."""
    events = await got(client.messages.create(**ASKED, stream=True))
    await first(events)
    await got(events.close())
    return type(events)


async def left_block(client: Any) -> Any:
    """Leave the block of a stream."""
    async with within(await got(client.messages.create(**ASKED, stream=True))) as events:
        return len(await first(events)), type(events)


async def left_helper(client: Any) -> Any:
    """Leave the block of a helper, and keep the stream."""
    async with within(client.messages.stream(**ASKED)) as events:
        await first(events)
    return type(events)


async def left_text(client: Any) -> Any:
    """Leave the text of a helper."""
    async with within(client.messages.stream(**ASKED)) as events:
        return await first(events.text_stream)


async def dropped(client: Any) -> Any:
    """Drop a stream after its first event."""
    await first(await got(client.messages.create(**ASKED, stream=True)))
    gc.collect()


async def never_iterated(client: Any) -> Any:
    """Ask for a stream, and close it unread."""
    await got((await got(client.messages.create(**ASKED, stream=True))).close())


async def never_parsed(client: Any) -> Any:
    """Ask for a raw stream, and never parse it."""
    return (await got(client.messages.with_raw_response.create(**ASKED, stream=True))).status_code


async def never_read(client: Any) -> Any:
    """Ask for a stream that is read when it is asked for, and read nothing."""
    async with within(client.messages.with_streaming_response.create(**ASKED, stream=True)) as response:
        return response.status_code


LEFT = [
    *(Way(ask, "messages", streams=True, reads=False) for ask in (closed, left_block, left_helper, left_text, dropped)),
    *(
        Way(ask, "messages", streams=True, reads=False, told=False)
        for ask in (never_iterated, never_parsed, never_read)
    ),
]
