"""What a check has found: one line, and the row of its JSON document."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """An `error` must be corrected; a `note` may be intended, such as an absent metric in a service without models.

    `url` is that of the page or server that it is about; empty if it is about all pages, or about files alone.
    """

    level: Level
    kind: str
    subject: str
    text: str
    url: str = ""
