"""Rendered files on the disk: what would change, and writing all of it or nothing."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.text import HEADER


def write_files(files: Mapping[str, str], directory: Path) -> list[str]:
    """Write files into a folder and remove the rendered ones that are no longer wanted.

    All of them are written to a temporary folder first, so an error leaves the folder as it was.

    Returns:
        The names that are new or have changed, and those removed.

    Raises:
        ConfigurationError: The folder cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        changed = stale_files(files, directory)
        with tempfile.TemporaryDirectory(dir=directory, prefix=".render-") as scratch:
            _write_all(files, Path(scratch))
            _move_all(files, changed, Path(scratch), directory)
    except OSError as error:
        message = f"{directory}: cannot be written ({error}); expected a folder of yours"
        raise ConfigurationError(message) from error
    return changed


def stale_files(files: Mapping[str, str], directory: Path) -> list[str]:
    """Return the names of files in a folder that differ from what would be written there."""
    differing = [name for name, text in files.items() if _read(directory / name) != text]
    gone = [str(path.relative_to(directory)) for path in _rendered(directory)]
    return sorted({*differing, *(name for name in gone if name not in files)})


def _rendered(directory: Path) -> list[Path]:
    """Return the files in a folder that a rendering wrote, baselines excepted."""
    found = [path for pattern in ("*.y*ml", "rules/*.yml") for path in directory.glob(pattern)]
    return [path for path in found if (_read(path) or "").startswith(HEADER)]


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _write_all(files: Mapping[str, str], directory: Path) -> None:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _move_all(files: Mapping[str, str], changed: list[str], source: Path, target: Path) -> None:
    for name in changed:
        if name in files:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).replace(target / name)
        else:
            (target / name).unlink()
