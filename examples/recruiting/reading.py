"""Reads the text of a file, or raises a `DocumentError` that says why it cannot."""

import logging
from collections.abc import Callable
from io import BytesIO
from pathlib import PurePath
from zipfile import ZipFile

import docx
from docx.table import Table
from pypdf import PasswordType, PdfReader
from pypdf.errors import DependencyError

from examples.recruiting.errors import (
    DamagedDocument,
    DocumentError,
    DocumentTooLarge,
    EmptyDocument,
    EncryptedDocument,
    NoTextFound,
    UnsupportedDocument,
    WrongExtension,
)

MAX_BYTES = 5 * 1024 * 1024
MAX_UNPACKED_BYTES = 20 * 1024 * 1024
MIN_LETTERS = 20

# Damaged files are reported by our own errors; pypdf would also log each repair that it tries.
logging.getLogger("pypdf").setLevel(logging.CRITICAL)


def document_type(filename: str | None) -> str:
    """Return the type of a file by its extension, from a closed set, because it becomes a label."""
    extension = PurePath(filename or "").suffix.lower().lstrip(".")
    return extension if extension in READERS else "other"


def read_text(content: bytes, doc_type: str) -> str:
    """Return the text of a document; raise a `DocumentError` if it has none."""
    if not content:
        raise EmptyDocument("The file is empty.")
    if len(content) > MAX_BYTES:
        raise DocumentTooLarge(f"The file has {len(content)} bytes; at most {MAX_BYTES} are accepted.")
    if doc_type not in READERS:
        raise UnsupportedDocument(f"Only these types are read: {', '.join(READERS)}.")
    text = _readable(content, doc_type)
    if sum(map(str.isalpha, text)) < MIN_LETTERS:
        raise NoTextFound("The file opens but holds no text; a scan must go through OCR first.")
    return text


def _readable(content: bytes, doc_type: str) -> str:
    try:
        return READERS[doc_type](content)
    except DocumentError:
        raise
    except Exception as error:
        # For broken files, the PDF and Word libraries raise exceptions of many kinds.
        raise DamagedDocument(f"The {doc_type} file cannot be read: {error}") from error


def _read_pdf(content: bytes) -> str:
    if b"%PDF-" not in content[:1024]:
        raise WrongExtension("The file is called .pdf but is not a PDF.")
    if b"%%EOF" not in content[-1024:]:
        raise DamagedDocument("The PDF is cut off: its end is missing.")
    reader = PdfReader(BytesIO(content))
    _unlock(reader)
    return "\n".join(page.extract_text() for page in reader.pages)


def _unlock(reader: PdfReader) -> None:
    if not reader.is_encrypted:
        return
    try:
        opened = reader.decrypt("") != PasswordType.NOT_DECRYPTED
    except DependencyError:
        opened = False
    if not opened:
        raise EncryptedDocument("The PDF is protected by a password.")


def _read_docx(content: bytes) -> str:
    if not content.startswith(b"PK"):
        raise WrongExtension("The file is called .docx but is not a Word document.")
    with ZipFile(BytesIO(content)) as archive:
        unpacked_bytes = sum(member.file_size for member in archive.infolist())
    if unpacked_bytes > MAX_UNPACKED_BYTES:
        raise DocumentTooLarge(
            f"The document unpacks to {unpacked_bytes} bytes; at most {MAX_UNPACKED_BYTES} are accepted."
        )
    return "\n".join(_docx_lines(content))


def _docx_lines(content: bytes) -> list[str]:
    lines: list[str] = []
    for block in docx.Document(BytesIO(content)).iter_inner_content():
        if isinstance(block, Table):
            lines.extend(cell.text for row in block.rows for cell in row.cells)
        else:
            lines.append(block.text)
    return lines


def _read_txt(content: bytes) -> str:
    if b"\0" in content:
        raise WrongExtension("The file is called .txt but is not a text.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


READERS: dict[str, Callable[[bytes], str]] = {"pdf": _read_pdf, "docx": _read_docx, "txt": _read_txt}
