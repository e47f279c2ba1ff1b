"""The first users' own integration code, of which only the line that imports has changed; a program of its own."""

import asyncio
import sys
import time
from types import SimpleNamespace
from typing import Any

from fastapi import FastAPI, UploadFile
from httpx import ASGITransport, AsyncClient

from mlmetrics import (
    PrometheusMiddleware,
    metrics_endpoint,
    track_file_processing,
    track_ml_inference,
    track_parsing_accuracy,
)

app = FastAPI(title="Mon Service")

app.add_middleware(PrometheusMiddleware, service_name="mon-service")


@app.get("/metrics")
async def get_metrics() -> Any:
    """Answer a scrape."""
    return await metrics_endpoint()


async def ml_process(content: bytes) -> SimpleNamespace:
    """Stand for the users' model: sure of what has text, and lost without any."""
    if not content:
        raise ValueError("nothing to parse")
    return SimpleNamespace(confidence=0.9)


@app.post("/parse")
async def parse_document(file: UploadFile) -> None:
    """Parse a file."""
    start_time = time.time()
    file_content = await file.read()
    track_file_processing(str(file.filename).split(".")[-1], "mon-service", len(file_content))
    try:
        result = await ml_process(file_content)
        duration = time.time() - start_time
        track_ml_inference("gpt-4", "mon-service", duration, success=True)
        if hasattr(result, "confidence"):
            track_parsing_accuracy("document", "pdf", result.confidence)
    except Exception:
        duration = time.time() - start_time
        track_ml_inference("gpt-4", "mon-service", duration, success=False)
        raise


async def main() -> None:
    """Parse two files, and print the metrics."""
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://mon-service") as client:
        for content in (b"%PDF", b""):
            await client.post("/parse", files={"file": ("cv.pdf", content)})
        sys.stdout.write((await client.get("/metrics")).text)


if __name__ == "__main__":
    asyncio.run(main())
