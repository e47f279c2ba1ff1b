"""job-parser-service: reads a job ad and says what is in it.

It shows two other ways to use mlmetrics: the middleware with your own `/metrics` route, and a timer around a block.
"""

import uvicorn
from fastapi import FastAPI, Response, UploadFile

from examples.recruiting import models
from examples.recruiting.addresses import HOST, JOB_PARSER
from examples.recruiting.errors import DocumentError, UnexpectedKind, refuse
from examples.recruiting.extraction import ParsedDocument, extract
from examples.recruiting.reading import document_type, read_text
from mlmetrics import PrometheusMiddleware, arg, inference_timer, metrics_endpoint, track_inference, track_parsing

app = FastAPI(title="Job parser")
app.add_middleware(PrometheusMiddleware, service_name=JOB_PARSER.name)
app.add_exception_handler(DocumentError, refuse)

kinds = models.train_kind()
languages = models.train_language()


@track_inference(model="document-classifier")
def classify(text: str) -> models.Prediction:
    """Tell a job ad from a CV."""
    return kinds.predict(text)


@track_parsing(doc_type=arg("doc_type"), parser="job", accuracy="confidence", size=len)
def parse_job(content: bytes, doc_type: str) -> ParsedDocument:
    """Read a job ad; raise a `DocumentError` for any other document."""
    text = read_text(content, doc_type)
    kind = classify(text)
    if kind.label != "job":
        raise UnexpectedKind(f"This is not a job ad but a CV (probability {kind.probability:.2f}).")
    parsed = extract(text, "job", kind.probability)
    with inference_timer(model="language-detector"):
        parsed.language = languages.predict(text).label
    return parsed


@app.post("/parse")
def parse(file: UploadFile) -> ParsedDocument:
    """Parse an uploaded job ad: PDF, Word or text."""
    return parse_job(file.file.read(), document_type(file.filename))


@app.get("/metrics")
async def metrics() -> Response:
    """Expose the metrics to Prometheus."""
    return await metrics_endpoint()


@app.get("/health")
def health() -> dict[str, str]:
    """Say that the service is up and its models are trained."""
    return {"status": "ok"}


if __name__ == "__main__":
    uvicorn.run(app, host=HOST, port=JOB_PARSER.port)
