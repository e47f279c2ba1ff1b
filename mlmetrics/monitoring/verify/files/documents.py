"""Parts of documents that others wrote: what is not of the expected kind is read as empty."""

from typing import Any


def mapping(value: Any) -> dict[str, Any]:
    """Return an object of a document; an empty one if it is something else."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a list of a document."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
