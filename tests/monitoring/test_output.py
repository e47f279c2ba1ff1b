"""Files on disk: the status of each, and writing all files or none."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.output import Manifest, has_rendered_header, plan, write
from mlmetrics.monitoring.text import HEADER


def statuses(directory: Path, files: Mapping[str, str], obsolete: Iterable[str] = ()) -> dict[str, str]:
    """Return the status of each file."""
    return {change.name: change.status for change in plan(directory, files, has_rendered_header, obsolete)}


def write_files(directory: Path, files: Mapping[str, str], obsolete: Iterable[str] = ()) -> None:
    """Write files as a rendering does."""
    write(directory, plan(directory, files, has_rendered_header, obsolete))


class TestPlan:
    """`plan` gives each file a status."""

    def test_without_a_manifest(self, tmp_path: Path) -> None:
        """A rendered file is updated; a file with another first line counts as edited."""
        (tmp_path / "old.yml").write_text(f"{HEADER}a: 1\n")
        (tmp_path / "same.yml").write_text(f"{HEADER}a: 2\n")
        (tmp_path / "mine.yml").write_text("a: 3\n")
        (tmp_path / "gone.yml").write_text(f"{HEADER}a: 4\n")
        rendered = dict.fromkeys(("old.yml", "same.yml", "mine.yml", "new.yml"), f"{HEADER}a: 2\n")
        expected = {"old.yml": "updated", "same.yml": "unchanged", "mine.yml": "edited", "new.yml": "new"}
        assert {**expected, "gone.yml": "removed"} == statuses(tmp_path, rendered, ["gone.yml", "never.yml"])

    def test_with_a_manifest(self, tmp_path: Path) -> None:
        """With a manifest, every file that differs from what was written counts as edited."""
        manifest = Manifest("manifest.json")
        files = {"a.json": "{}\n", "b.json": "{}\n", "c.json": "{}\n"}
        write(tmp_path, plan(tmp_path, files, manifest.is_unedited), manifest)
        (tmp_path / "a.json").write_text("{ }\n")
        manifest = Manifest.read(tmp_path, "manifest.json")
        again = dict.fromkeys(("a.json", "b.json"), "{1}\n")
        changes = plan(tmp_path, again, manifest.is_unedited, manifest.hashes)
        assert {"a.json": "edited", "b.json": "updated", "c.json": "removed"} == {
            change.name: change.status for change in changes
        }

    def test_diff(self, tmp_path: Path) -> None:
        """The difference names both sides."""
        (tmp_path / "a.yml").write_text("x\n")
        (change,) = plan(tmp_path, {"a.yml": "y\n"}, has_rendered_header)
        assert "--- a.yml (now)\n+++ a.yml (rendered)\n@@ -1 +1 @@\n-x\n+y\n" == change.diff()


class TestWrite:
    """`write` writes all or nothing."""

    def test_writes_then_has_nothing_to_do(self, tmp_path: Path) -> None:
        """A second run changes and writes nothing."""
        files = {"a.yml": "a\n", "folder/b.yml": "b\n"}
        write_files(tmp_path, files)
        assert files == {name: (tmp_path / name).read_text() for name in files}
        before = [path.stat().st_mtime_ns for path in (tmp_path, tmp_path / "a.yml")]
        write_files(tmp_path, files)
        assert {"a.yml": "unchanged", "folder/b.yml": "unchanged"} == statuses(tmp_path, files)
        assert before == [path.stat().st_mtime_ns for path in (tmp_path, tmp_path / "a.yml")]

    def test_removes_what_is_no_longer_rendered(self, tmp_path: Path) -> None:
        """An obsolete file is removed; a file of the user is kept."""
        write_files(tmp_path, {"a.yml": "a\n", "b.yml": "b\n"})
        (tmp_path / "mine.yml").write_text("mine\n")
        write_files(tmp_path, {"a.yml": "a\n"}, obsolete=["b.yml"])
        assert ["a.yml", "mine.yml"] == sorted(path.name for path in tmp_path.iterdir())

    def test_leaves_edited_files_alone(self, tmp_path: Path) -> None:
        """An edited file is not changed; the others are written."""
        (tmp_path / "mine.yml").write_text("mine\n")
        write_files(tmp_path, {"mine.yml": "ours\n", "a.yml": "a\n"})
        assert ("mine\n", "a\n") == ((tmp_path / "mine.yml").read_text(), (tmp_path / "a.yml").read_text())

    def test_nothing_half_written(self, tmp_path: Path) -> None:
        """An error while writing leaves the folder as it was."""
        write_files(tmp_path, {"a.yml": "old"})
        with pytest.raises(ConfigurationError, match="cannot be written"):
            write_files(tmp_path, {"a.yml": "old\nnew", "a.yml/b.yml": "cannot be, a.yml is a file"})
        assert ["a.yml"] == [path.name for path in tmp_path.iterdir()]
        assert "old" == (tmp_path / "a.yml").read_text()

    def test_nothing_removed_before_an_error(self, tmp_path: Path) -> None:
        """If a folder has the name of a file, nothing is written or removed."""
        write_files(tmp_path, {"a.yml": "a", "b.yml": "b"})
        (tmp_path / "taken.yml").mkdir()
        with pytest.raises(ConfigurationError, match=r"taken\.yml: cannot be written"):
            write_files(tmp_path, {"b.yml": "b", "taken.yml": "t"}, obsolete=["a.yml"])
        assert (tmp_path / "a.yml").exists()

    def test_folder_that_is_a_file(self, tmp_path: Path) -> None:
        """A folder that cannot be made is named."""
        (tmp_path / "taken").write_text("")
        with pytest.raises(ConfigurationError, match="taken: cannot be written"):
            write_files(tmp_path / "taken", {"a.yml": ""})
