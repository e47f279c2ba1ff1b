"""The smallest service with metrics: run it, open /keywords?text=..., then /metrics."""

import uvicorn
from fastapi import FastAPI

from mlmetrics import instrument, track_inference

app = FastAPI()
instrument(app, service_name="quickstart")


@track_inference(model="longest-words")
def find_keywords(text: str) -> list[str]:
    """Pick the longest words; your model goes here."""
    return sorted(set(text.split()), key=len)[-3:]


@app.get("/keywords")
def keywords(text: str) -> list[str]:
    """Return the keywords of a text."""
    return find_keywords(text)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=8000)
