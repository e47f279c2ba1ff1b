"""Compares rendered files with those on disk, finds files that the user edited, and writes all files or none."""

import difflib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.text import MARK

MANIFEST = ".mlmetrics.json"
"""The name of the manifest: `mlmetrics init` has rendered into a folder with this file."""
Status = Literal["new", "updated", "unchanged", "edited", "removed", "skipped"]


@dataclass(frozen=True, slots=True)
class Change:
    """A file: its present text, its rendered text (None means no file), and its status.

    The status `edited` means that the user changed the present text, so that it is not overwritten; `skipped`, that
    this run is not about the file.
    """

    name: str
    present: str | None
    rendered: str | None
    status: Status

    @property
    def is_left_alone(self) -> bool:
        """Whether the file stays as it is although its rendered text may be another."""
        return self.status in ("edited", "skipped")

    def diff(self) -> str:
        """Return the difference between the two texts; empty if an edited file is no longer rendered."""
        if self.rendered is None and self.status == "edited":
            return ""
        before, after = ((text or "").splitlines(keepends=True) for text in (self.present, self.rendered))
        return "".join(difflib.unified_diff(before, after, f"{self.name} (now)", f"{self.name} (rendered)"))


@dataclass(frozen=True, slots=True)
class Manifest:
    """The hash of every file as it was written last, and what the user answered, kept in a file beside them."""

    name: str
    hashes: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The folder that it is in, as its own path is given."""
        return self.name.rpartition("/")[0]

    @classmethod
    def read(cls, directory: Path, name: str) -> Self:
        """Return the manifest of a folder, empty if it has none.

        Raises:
            ConfigurationError: The manifest is there and cannot be read.
        """
        path = directory / name
        if not path.exists():
            return cls(name)
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            return cls(name, dict(kept["files"]), dict(kept.get("answers", {})))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(
                f"{path}: cannot be read ({error}); expected what `mlmetrics init` wrote; remove it to start again"
            ) from error

    def is_unedited(self, name: str, present: str, _rendered: str | None = None) -> bool:
        """Tell whether a file is as it was written last."""
        return self.hashes.get(name) == _hash(present)

    def text_after(self, changes: Iterable[Change]) -> str:
        """Return the manifest as it is once the changes are written; an edited or skipped file keeps its old hash."""
        hashes = {
            change.name: self.hashes.get(change.name, "") if change.is_left_alone else _hash(change.rendered or "")
            for change in changes
            if change.status != "removed"
        }
        known = {name: text for name, text in hashes.items() if text}
        answers = {"answers": self.answers} if self.answers else {}
        return json.dumps({"files": known, **answers}, indent=2, sort_keys=True) + "\n"


def has_rendered_header(_name: str, present: str, rendered: str | None) -> bool:
    """Tell whether a file begins as its rendered text does: with the mark of YAML files, or with the same line."""
    if rendered is None or (present.startswith(MARK) and rendered.startswith(MARK)):
        return True
    return present.partition("\n")[0] == rendered.partition("\n")[0]


def read_text(path: Path) -> str | None:
    """Return the text of a file, None if there is none; bytes that are not UTF-8 are replaced."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


def plan(
    directory: Path,
    files: Mapping[str, str],
    is_unedited: Callable[[str, str, str | None], bool],
    obsolete: Iterable[str] = (),
) -> list[Change]:
    """Return the change of each rendered file, and of the `obsolete` files that are no longer rendered."""
    changes = (
        _change(name, read_text(directory / name), files.get(name), is_unedited) for name in sorted({*files, *obsolete})
    )
    return [change for change in changes if change is not None]


def _change(
    name: str, present: str | None, rendered: str | None, is_unedited: Callable[[str, str, str | None], bool]
) -> Change | None:
    if present is None:
        return None if rendered is None else Change(name, present, rendered, "new")
    if present == rendered:
        return Change(name, present, rendered, "unchanged")
    if not is_unedited(name, present, rendered):
        return Change(name, present, rendered, "edited")
    return Change(name, present, rendered, "removed" if rendered is None else "updated")


def write(directory: Path, changes: Sequence[Change], manifest: Manifest | None = None) -> None:
    """Write new and updated files and the manifest, and remove obsolete files; leave edited ones alone.

    All files are first written to a temporary folder, so that an error leaves the directory as it was.

    Raises:
        ConfigurationError: A file cannot be written; then none is.
    """
    files = {change.name: change.rendered or "" for change in changes if change.status in ("new", "updated")}
    removed = [change.name for change in changes if change.status == "removed"]
    if manifest is not None and manifest.text_after(changes) != read_text(directory / manifest.name):
        files[manifest.name] = manifest.text_after(changes)
    if not files and not removed:
        return
    _refuse_obstacles(directory, [*files, *removed])
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory, prefix=".render-") as scratch:
            _write_all(files, Path(scratch))
            _move_all(files, Path(scratch), directory)
        for name in removed:
            (directory / name).unlink()
    except OSError as error:
        raise ConfigurationError(
            f"{directory}: cannot be written ({error}); expected a folder that you may write to"
        ) from error


def _write_all(files: Mapping[str, str], directory: Path) -> None:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _move_all(names: Iterable[str], source: Path, target: Path) -> None:
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).replace(target / name)


def _refuse_obstacles(directory: Path, names: Iterable[str]) -> None:
    for obstacle in _obstacles(directory, names):
        raise ConfigurationError(
            f"{obstacle}: cannot be written; expected a path that you may write to; nothing was written"
        )


def _obstacles(directory: Path, names: Iterable[str]) -> Iterator[Path]:
    for name in names:
        path = directory / name
        folders = [folder for folder in path.parents if folder == directory or directory in folder.parents]
        yield from (folder for folder in folders if folder.exists() and not _is_writable(folder))
        if path.exists() and not path.is_file():
            yield path


def _is_writable(folder: Path) -> bool:
    effective = os.access in os.supports_effective_ids
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK, effective_ids=effective)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
