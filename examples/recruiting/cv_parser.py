"""cv-parser-service: reads a CV and says what is in it.

Its endpoint is a plain `def`, so FastAPI runs it in a thread and parsing never blocks the event loop. Who the CV is
about is asked of a language model through OpenAI's SDK; `instrument_openai` measures that call, its tokens and cost.
"""

import uvicorn
from fastapi import FastAPI, UploadFile

from examples.recruiting import models
from examples.recruiting.addresses import CV_PARSER, HOST
from examples.recruiting.candidate import connect, describe
from examples.recruiting.errors import DocumentError, UnexpectedKind, refuse
from examples.recruiting.extraction import ParsedDocument, extract
from examples.recruiting.reading import document_type, read_text
from mlmetrics import arg, instrument, instrument_openai, track_inference, track_parsing

app = FastAPI(title="CV parser")
instrument(app, service_name=CV_PARSER.name)
instrument_openai()
app.add_exception_handler(DocumentError, refuse)

kinds = models.train_kind()
roles = models.train_role()
language_model = connect()


@track_inference(model="document-classifier")
def classify(text: str) -> models.Prediction:
    """Tell a CV from a job ad."""
    return kinds.predict(text)


@track_inference(model="role-classifier")
def guess_role(text: str) -> models.Prediction:
    """Name the candidate's occupation."""
    return roles.predict(text)


@track_parsing(doc_type=arg("doc_type"), parser="cv", accuracy="confidence", size=len)
def parse_cv(content: bytes, doc_type: str) -> ParsedDocument:
    """Read a CV; raise a `DocumentError` for any other document."""
    text = read_text(content, doc_type)
    kind = classify(text)
    if kind.label != "cv":
        raise UnexpectedKind(f"This is not a CV but a job ad (probability {kind.probability:.2f}).")
    parsed = extract(text, "cv", kind.probability)
    parsed.role = guess_role(text).label
    parsed.candidate = describe(language_model, text)
    return parsed


@app.post("/parse")
def parse(file: UploadFile) -> ParsedDocument:
    """Parse an uploaded CV: PDF, Word or text."""
    return parse_cv(file.file.read(), document_type(file.filename))


@app.get("/health")
def health() -> dict[str, str]:
    """Say that the service is up and its models are trained."""
    return {"status": "ok"}


if __name__ == "__main__":
    uvicorn.run(app, host=HOST, port=CV_PARSER.port)
