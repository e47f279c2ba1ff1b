"""The committed documents: where they are, what each one is, and their texts for training."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from examples.recruiting.knowledge import Kind
from examples.recruiting.reading import document_type, read_text

DOCUMENTS = Path(__file__).with_name("documents")
BROKEN = DOCUMENTS / "broken"


@dataclass(frozen=True, slots=True)
class Document:
    """One committed document and what its maker knows about it."""

    file: str
    kind: Kind
    language: str
    role: str
    email: str | None
    phone: str | None
    skills: tuple[str, ...]
    sections: tuple[str, ...]

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        return (DOCUMENTS / self.file).read_bytes()


@cache
def documents() -> tuple[Document, ...]:
    """Return the documents that `index.json` lists."""
    rows = json.loads((DOCUMENTS / "index.json").read_text("utf-8"))
    return tuple(Document(**row | {"skills": tuple(row["skills"]), "sections": tuple(row["sections"])}) for row in rows)


@cache
def texts() -> tuple[str, ...]:
    """Return the text of every document, in the order of `documents`."""
    return tuple(read_text(document.content, document_type(document.file)) for document in documents())
