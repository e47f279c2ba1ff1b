"""What becomes of each file: written if it is new or ours, left alone once somebody has edited it.

A manifest beside the files keeps the hash of each text that was written, so that an edit is noticed.
"""

import difflib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mlmetrics.cli.init.project import FOLDER
from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.output import write_files

MANIFEST = f"{FOLDER}/.mlmetrics.json"
Fate = Literal["new", "updated", "unchanged", "edited", "removed"]


@dataclass(frozen=True, slots=True)
class Change:
    """A file, what is there now and what is wanted (None: nothing), and what becomes of it."""

    name: str
    now: str | None
    wanted: str | None
    fate: Fate

    def diff(self) -> str:
        """Return what would differ, empty where nothing would or nothing is wanted instead."""
        if self.wanted is None and self.fate == "edited":
            return ""
        before, after = ((text or "").splitlines(keepends=True) for text in (self.now, self.wanted))
        return "".join(difflib.unified_diff(before, after, f"{self.name} (now)", f"{self.name} (rendered)"))


def read_manifest(directory: Path) -> dict[str, str]:
    """Return the hash of every file as it was written last.

    Raises:
        ConfigurationError: The manifest is there and cannot be read.
    """
    path = directory / MANIFEST
    if not path.exists():
        return {}
    try:
        hashes: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{path}: cannot be read ({error}); expected what `mlmetrics init` wrote; remove it to begin anew"
        raise ConfigurationError(message) from error
    return hashes


def is_edited(directory: Path, name: str) -> bool:
    """Tell whether a file is there and is not as it was written last."""
    now = _read(directory / name)
    return now is not None and read_manifest(directory).get(name) != _hash(now)


def plan(directory: Path, files: Mapping[str, str]) -> list[Change]:
    """Return what becomes of each wanted file, and of those that were written once and are wanted no more."""
    hashes = read_manifest(directory)
    names = sorted({*files, *hashes})
    changes = (_change(name, _read(directory / name), files.get(name), hashes.get(name)) for name in names)
    return [change for change in changes if change is not None]


def _change(name: str, now: str | None, wanted: str | None, written: str | None) -> Change | None:
    if now is None:
        return None if wanted is None else Change(name, now, wanted, "new")
    if now == wanted:
        return Change(name, now, wanted, "unchanged")
    if written != _hash(now):
        return Change(name, now, wanted, "edited")
    return Change(name, now, wanted, "removed" if wanted is None else "updated")


def carry_out(directory: Path, changes: list[Change]) -> None:
    """Write what is new or updated and the manifest, all or nothing, and remove what is wanted no more.

    Raises:
        ConfigurationError: Something cannot be written; then nothing is.
    """
    texts = {change.name: _kept(change) for change in changes if change.fate != "removed"}
    files = {name: text for name, text in texts.items() if text is not None}
    files[MANIFEST] = _manifest_text(directory, changes)
    _refuse_obstacles(directory, files)
    write_files(files, directory)
    for change in changes:
        if change.fate == "removed":
            (directory / change.name).unlink()


def _kept(change: Change) -> str | None:
    # What was edited is handed over as it is, so that the writer knows the file and lets it be.
    return change.now if change.fate == "edited" else change.wanted


def _manifest_text(directory: Path, changes: list[Change]) -> str:
    old = read_manifest(directory)
    hashes = {
        change.name: old.get(change.name, "") if change.fate == "edited" else _hash(change.wanted or "")
        for change in changes
        if change.fate != "removed"
    }
    known = {name: text for name, text in hashes.items() if text}
    return json.dumps({"files": known}, indent=2, sort_keys=True) + "\n"


def _refuse_obstacles(directory: Path, names: Mapping[str, str]) -> None:
    for obstacle in _obstacles(directory, names):
        message = f"{obstacle}: cannot be written; expected a file or folder of yours; nothing was written"
        raise ConfigurationError(message)


def _obstacles(directory: Path, names: Mapping[str, str]) -> Iterator[Path]:
    for name in names:
        path = directory / name
        folders = [folder for folder in path.parents if folder == directory or directory in folder.parents]
        yield from (folder for folder in folders if folder.exists() and not _is_open(folder))
        if path.exists() and not path.is_file():
            yield path


def _is_open(folder: Path) -> bool:
    effective = os.access in os.supports_effective_ids
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK, effective_ids=effective)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8") if path.is_file() else None
    except UnicodeDecodeError:
        # Whoever put bytes there has edited the file.
        return path.read_text(encoding="utf-8", errors="replace")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
