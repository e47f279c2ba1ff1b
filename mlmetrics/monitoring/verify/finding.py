"""What a check has found: one line, and the row of its JSON document."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """An `error` must be corrected; a `note` may be intended, such as an absent metric in a service without models.

    `url` is the page that it is about; empty if it is about all of them, or about files.
    """

    level: Level
    kind: str
    subject: str
    text: str
    url: str = ""
