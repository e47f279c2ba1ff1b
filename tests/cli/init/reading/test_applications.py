"""Tests that applications are found in the code of projects."""

from pathlib import Path

import pytest

from mlmetrics.cli.init.reading.applications import App, Applications
from mlmetrics.cli.init.reading.source import Source
from tests.cli.init.projects import IMPORT, PLAIN, write


def find_apps(root: Path) -> list[App]:
    """Return the applications of a project."""
    return Applications(Source(root)).found


class TestFound:
    """`Applications.found` lists those that are served by themselves."""

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            (PLAIN, [("app", "")]),
            ("import fastapi as f\nweb: f.FastAPI = f.FastAPI(title='T')\n", [("web", "")]),
            (
                "from fastapi import FastAPI\nasync def make():\n    api = FastAPI()\n    return api\n",
                [("api", "make")],
            ),
            (IMPORT + "def make():\n    return FastAPI()\n", [("", "make")]),
            (
                "from fastapi import FastAPI\nclass S:\n    def __init__(self):\n        self.app = FastAPI()\n",
                [("self.app", "__init__")],
            ),
            ("from fastapi import APIRouter\napp = APIRouter()\n", []),
            ("class FastAPI: ...\napp = FastAPI()\n", []),
            ("app = FastAPI(", []),
            (IMPORT + "class Service(FastAPI): ...\nservice = Service()\n", [("service", "")]),
            (
                IMPORT + "import os\nif os.name:\n    app = FastAPI()\nelse:\n    app = FastAPI(title='T')\n",
                [("app", "")],
            ),
            (IMPORT + "app = FastAPI()\nadmin = FastAPI()\napp.mount('/admin', admin)\n", [("app", "")]),
            ("from fastapi.applications import FastAPI\nFastAPI().title\n", []),
        ],
    )
    def test_forms(self, tmp_path: Path, source: str, expected: list[tuple[str, str]]) -> None:
        """Names, aliases, annotations and factories are found; other classes are not, and broken files are skipped."""
        write(tmp_path, {"main.py": source})
        assert expected == [(app.variable, app.factory) for app in find_apps(tmp_path)]

    @pytest.mark.parametrize("name", ["test_main.py", "main_test.py", "conftest.py"])
    def test_passes_over_tests(self, tmp_path: Path, name: str) -> None:
        """Tests beside the code are not read."""
        write(tmp_path, {name: PLAIN})
        assert [] == find_apps(tmp_path)

    def test_passes_over_what_init_rendered(self, tmp_path: Path) -> None:
        """What was rendered into a folder is not read; an application in a folder of that name is."""
        write(tmp_path, {"monitoring/main.py": PLAIN, "monitoring/docker-compose.yml": "services: {}\n"})
        write(tmp_path, {"monitoring/.mlmetrics.json": "{}", "monitoring/runbooks/README.md": "`uvicorn main:app`\n"})
        assert ["monitoring/main.py:app"] == [app.key for app in find_apps(tmp_path)]
        assert [Path("monitoring/main.py")] == Source(tmp_path).paths

    @pytest.mark.parametrize("folder", ["tests", ".venv/lib", "venv/lib", "node_modules/x", "build", "__pycache__"])
    def test_passes_over(self, tmp_path: Path, folder: str) -> None:
        """Files that are not the project's own code are not read."""
        write(tmp_path, {f"{folder}/main.py": PLAIN})
        assert [] == find_apps(tmp_path)

    def test_line_is_where_the_statement_ends(self, tmp_path: Path) -> None:
        """The line of an application is the last line of its statement, so that code can be added below it."""
        write(tmp_path, {"main.py": "from fastapi import FastAPI\napp = FastAPI(\n    title='T',\n)\n"})
        assert [4] == [app.line for app in find_apps(tmp_path)]


class TestMeant:
    """`Applications` knows which application servers and code mean."""

    @pytest.mark.parametrize(
        ("files", "served", "expected"),
        [
            ({"pkg/main.py": PLAIN}, "pkg.main:app", "pkg/main.py:app"),
            ({"src/pkg/main.py": PLAIN}, "pkg.main:app", "src/pkg/main.py:app"),
            ({"pkg/__init__.py": "from .main import app\n", "pkg/main.py": PLAIN}, "pkg:app", "pkg/main.py:app"),
            ({"a.py": PLAIN, "b.py": "from a import app as api\n"}, "b:api", "a.py:app"),
            ({"a.py": PLAIN, "b.py": "import a\napi = a.app\n"}, "b:api", "a.py:app"),
            ({"a.py": IMPORT + "def make():\n    return FastAPI()\n"}, "a:make", "a.py:make()"),
            (
                {
                    "a.py": IMPORT + "def make():\n    x = FastAPI()\n    return x\n",
                    "b.py": "import a\napp = a.make()\n",
                },
                "b:app",
                "a.py:x",
            ),
            (
                {"a.py": PLAIN, "b.py": "from a import app\n\ndef get():\n    return app\n"},
                "b:get",
                "a.py:app",
            ),
            ({"a.py": PLAIN}, "a:other", None),
            ({"a.py": "from b import app\n", "b.py": "from a import app\n"}, "a:app", None),
        ],
    )
    def test_forms(self, tmp_path: Path, files: dict[str, str], served: str, expected: str | None) -> None:
        """Imports, re-exports, aliases and factories are followed, and a circle of imports ends."""
        write(tmp_path, files)
        app = Applications(Source(tmp_path)).imported_as(served, Path("run.py"))
        assert expected == (app.key if app else None)
