"""Why a document was refused, and the 4xx answer that says so.

The class names are the error types in the metrics, so each one tells what happened.
"""

from fastapi import Request
from fastapi.responses import JSONResponse


class DocumentError(Exception):
    """A document that the service cannot use; `status` is the HTTP answer."""

    status = 422


class EmptyDocument(DocumentError):
    """The file has no content."""


class DamagedDocument(DocumentError):
    """The file is of the right type but broken."""


class EncryptedDocument(DocumentError):
    """The file can be opened with a password only."""


class NoTextFound(DocumentError):
    """The file opens but holds no text, for example a scan."""


class UnexpectedKind(DocumentError):
    """The file is readable but not the kind of document that this service parses."""


class DocumentTooLarge(DocumentError):
    """The file is larger than the service accepts."""

    status = 413


class UnsupportedDocument(DocumentError):
    """The file is of a type that the service does not read."""

    status = 415


class WrongExtension(UnsupportedDocument):
    """The content is not what the file's name says."""


async def refuse(_request: Request, error: Exception) -> JSONResponse:
    """Answer a `DocumentError` with its status, its type and its reason."""
    status = error.status if isinstance(error, DocumentError) else 500
    return JSONResponse({"error": type(error).__name__, "reason": str(error)}, status)
