"""A service that asks a language model through OpenAI's SDK, all the time; what it asks changes with its faults.

`OPENAI_BASE_URL` is the model's address, and `BUSY_URL` that of another one, which answers 429 only. `PUT /faults` with
a JSON list sets the faults: `a model without price`, `an expensive model`, `no usage`, `old prices`, `a busy model`,
`a missing model`. How the model itself answers is set at its own address.
"""

import asyncio
import os
import pickle
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from fastapi import FastAPI
from openai import APIStatusError, AsyncOpenAI

from examples.language_model.server import REFUSED_KEY
from mlmetrics import configure, inference_timer, instrument, instrument_openai, model_load_timer

# It has prices of its own only: those of genai-prices grow older with every day that the tests pin its release.
sys.modules["genai_prices"] = None  # type: ignore[assignment]  # as Python marks a module that must not be imported

SERVICE = "chat-service"
CHEAP = "gpt-4o-mini"
OTHER_MODELS = {"an expensive model": "gpt-4", "a model without price": "extractive"}
MISSING = Path(__file__).with_name("reranker.pickle")
PAUSE_SECONDS = 0.2
QUESTION = "Which of the words in this sentence is the longest one? Write all of them."
PRICES = """
date = {date}
[models."gpt-4o-mini"]
input = 0.15
output = 0.6
[models."gpt-4"]
input = 50_000
output = 50_000
"""

faults: set[str] = set()


def set_prices(*, old: bool) -> None:
    """Use a table of prices of today, or of a year that is long over."""
    date = "2020-01-01" if old else datetime.now(UTC).date().isoformat()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prices.toml"
        path.write_text(PRICES.format(date=date), encoding="utf-8")
        configure(prices=path)


async def ask(client: AsyncOpenAI, model: str, *, usage: bool = True) -> None:
    """Ask, and read the answer to its end."""
    stream = await client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": QUESTION}],
        stream=True,
        stream_options={"include_usage": usage},
    )
    async for _ in stream:
        pass


async def ask_two(busy: AsyncOpenAI, refused: AsyncOpenAI) -> None:
    """Ask a busy model, which the SDK asks again; then one that refuses the key: the call fails all the same."""
    with suppress(APIStatusError), inference_timer(model="assistant") as call:
        try:
            await ask(busy, CHEAP)
        except APIStatusError:
            call.fell_back(CHEAP)
            await ask(refused, CHEAP)


async def load_missing() -> None:
    """Load a model whose file is not there."""
    with suppress(FileNotFoundError), model_load_timer("reranker"):
        pickle.loads(MISSING.read_bytes())  # noqa: S301 - it is never there


async def keep_asking() -> None:
    """Ask until the service ends, whether the last answer has come or not."""
    asking: set[asyncio.Task[None]] = set()
    async with AsyncOpenAI(api_key="none", max_retries=0) as client:
        busy = client.with_options(base_url=os.environ["BUSY_URL"], max_retries=2)
        refused = client.with_options(api_key=REFUSED_KEY)
        while True:
            asked = [ask(client, CHEAP, usage="no usage" not in faults)]
            asked += [ask(client, model) for fault, model in OTHER_MODELS.items() if fault in faults]
            asked += [ask_two(busy, refused)] if "a busy model" in faults else []
            asked += [load_missing()] if "a missing model" in faults else []
            for question in asked:
                task = asyncio.create_task(question)
                asking.add(task)
                task.add_done_callback(asking.discard)
            await asyncio.sleep(PAUSE_SECONDS)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Ask while the service runs."""
    task = asyncio.create_task(keep_asking())
    yield
    task.cancel()


app = FastAPI(lifespan=lifespan)
instrument(app, service_name=SERVICE)
configure(service=SERVICE)
set_prices(old=False)
instrument_openai()


@app.put("/faults", status_code=204)
async def set_faults(wanted: list[str]) -> None:
    """Set the faults."""
    faults.clear()
    faults.update(wanted)
    set_prices(old="old prices" in faults)
