"""Command lines that serve an application: `uvicorn app.main:app --port 80`, `fastapi run`, `python serve.py`."""

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from mlmetrics.cli.init.reading.evidence import LAST_PORT, PROGRAM_DEFAULT_PORT

Lookup = Callable[[str], str | None]
"""Returns the value of a variable, None if it is not known."""

_SERVERS = {"uvicorn", "gunicorn", "hypercorn", "granian", "fastapi"}
_PYTHON = re.compile(r"python(?:3(?:\.\d+)?)?")
_SEPARATORS = {"&&", "||", ";", "|", "&"}
_PORT_OPTIONS = {"--port", "-p", "--bind", "-b", "--listen-port"}
_FOLDER_OPTIONS = {"--app-dir", "--chdir", "-C"}
_VARIABLE = re.compile(r"\$+(?:\{(\w+)(?::?-([^}]*))?\}|\((\w+)\)|(\w+))")
_SERVED = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(?:\(.*\))?")


@dataclass(frozen=True, slots=True)
class Command:
    """What a command line serves, and the port: its own, the program's default, or None if it is not known.

    `served` is `module:name` or the path of a Python file, `program` a Python module or file that is run, `folder`
    the folder that the command changes to, and `config` a file that may say the port.
    """

    port: int | None
    served: str = ""
    program: str = ""
    folder: PurePosixPath = field(default_factory=PurePosixPath)
    by_default: bool = False
    config: str = ""


def commands_in(text: str, lookup: Lookup) -> Iterator[Command]:
    """Yield the commands of a line; several are joined by `&&` or `;`."""
    folder = PurePosixPath()
    for words in _simple_commands(_words(text)):
        if words[0] == "cd" and len(words) > 1:
            folder /= words[1]
            continue
        command = _command(words, folder, lookup)
        if command is not None:
            yield command


def _words(text: str) -> list[str]:
    # A list, as in a Dockerfile or in YAML, is read as its words.
    plain = re.sub(r"""["']\s*,\s*["']""", " ", text) if text.lstrip().startswith("[") else text
    if plain is not text:
        plain = plain.strip().strip("[]").strip().strip("\"'")
    plain = re.sub(r"(&&|\|\||;)", r" \1 ", plain)
    try:
        return shlex.split(plain, comments=True)
    except ValueError:
        return plain.split()


def _simple_commands(words: Sequence[str]) -> Iterator[list[str]]:
    current: list[str] = []
    for word in words:
        if word in _SEPARATORS:
            if current:
                yield current
            current = []
        elif " " in word and any(name in word for name in (*_SERVERS, "python")):  # sh -c "..."
            yield from _simple_commands(_words(word))
        else:
            current.append(word)
    if current:
        yield current


def _command(words: list[str], folder: PurePosixPath, lookup: Lookup) -> Command | None:
    for index, word in enumerate(words):
        name = PurePosixPath(word).name
        rest = words[index + 1 :]
        if name in _SERVERS and rest:
            return _of_server(name, rest, folder, lookup)
        if _PYTHON.fullmatch(name) and rest:
            if rest[0] == "-m" and len(rest) > 1 and rest[1] in _SERVERS:
                return _of_server(rest[1], rest[2:], folder, lookup)
            return _of_python(rest, folder, lookup)
    return None


def _of_server(name: str, words: list[str], folder: PurePosixPath, lookup: Lookup) -> Command | None:
    served = next((word for word in words if _SERVED.fullmatch(word) and not word.startswith("http")), "")
    if name == "fastapi":
        if words[0] not in ("run", "dev"):
            return None
        served = next((word for word in words[1:] if word.endswith(".py") or word in (".", "app")), served) or "."
    if not served:
        return None
    for option in _FOLDER_OPTIONS:
        given = _option(words, {option})
        folder = folder / given if given else folder
    text, config = _option(words, _PORT_OPTIONS), _option(words, {"-c", "--config"}) or ""
    known = text is not None or _option(words, {"--uds", "--fd"}) is not None
    port = _port(text, lookup) if text is not None else None if known else PROGRAM_DEFAULT_PORT
    return Command(port, served=served, folder=folder, by_default=not known, config="" if known else config)


def _of_python(words: list[str], folder: PurePosixPath, lookup: Lookup) -> Command | None:
    options = [word for word in words if word in ("-u", "-O", "-B")]
    rest = words[len(options) :]
    if not rest:
        return None
    program = rest[1] if rest[0] == "-m" and len(rest) > 1 else rest[0]
    if not (program.endswith(".py") or rest[0] == "-m"):
        return None
    text = _option(rest, {"--port", "-p"})
    return Command(_port(text, lookup) if text is not None else None, program=program, folder=folder)


def _option(words: Sequence[str], names: set[str]) -> str | None:
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in names and equals:
            return value
        if word in names and index + 1 < len(words):
            return words[index + 1]
    return None


def _port(text: str, lookup: Lookup) -> int | None:
    """Return the number in `8000`, `0.0.0.0:8000`, `$PORT` or `${PORT:-8000}`."""
    number = expanded(text, lookup).rpartition(":")[2]
    return int(number) if re.fullmatch(r"[1-9]\d{0,4}", number) and int(number) <= LAST_PORT else None


def expanded(text: str, lookup: Lookup) -> str:
    """Return a text with its variables replaced by their values or defaults; an unknown one is left."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[3] or match[4]
        known = lookup(name)
        return known if known is not None else match[2] if match[2] is not None else match[0]

    return _VARIABLE.sub(value, text)
