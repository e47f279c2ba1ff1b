"""What a project says about a port: where it says it, what is served there, and how far that is to be trusted."""

from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

LAST_PORT = 65535
PROGRAM_DEFAULT_PORT = 8000
"""The port of uvicorn, gunicorn, hypercorn, granian and `fastapi run` if they are given none."""


class Trust(IntEnum):
    """The order of trust; a lower number is trusted more."""

    CODE = 1
    CONTAINER = 2
    COMMAND = 3
    DEFAULT = 4
    DOCUMENTATION = 5
    EXPOSED = 6

    @property
    def certain(self) -> bool:
        """Whether a port of this kind is taken as it is; others are guesses."""
        return self <= Trust.DEFAULT


@dataclass(frozen=True, slots=True)
class Evidence:
    """A port (0 if only what is served is known) and what is served on it, if that is known.

    `app` is the key of an application, `served` what servers import (`module:name`, or a path of a Python file), and
    `program` a Python module or file that serves; with none of them it is about the one application in `folder`.
    """

    port: int
    trust: Trust
    path: Path
    line: int
    words: str
    app: str = ""
    served: str = ""
    program: str = ""
    folder: Path = field(default_factory=Path)

    @property
    def place(self) -> str:
        """The file and the line."""
        return f"{self.path.as_posix()}:{self.line}"
