"""Tests that applications and ports are found in the code of projects."""

from pathlib import Path

import pytest

from mlmetrics.cli.init.discovery import find_apps
from mlmetrics.cli.init.ports import find_ports, port_of

IMPORT = "from fastapi import FastAPI\n"
PLAIN = IMPORT + "app = FastAPI()\n"


def write(root: Path, files: dict[str, str]) -> None:
    """Write files into a folder."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


class TestFindApps:
    """`find_apps` finds applications."""

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
        ],
    )
    def test_forms(self, tmp_path: Path, source: str, expected: list[tuple[str, str]]) -> None:
        """Names, aliases, annotations and factories are found; other classes are not, and broken files are skipped."""
        write(tmp_path, {"main.py": source})
        assert expected == [(app.variable, app.factory) for app in find_apps(tmp_path)]

    @pytest.mark.parametrize("folder", ["tests", ".venv/lib", "venv/lib", "node_modules/x", "build", "__pycache__"])
    def test_passes_over(self, tmp_path: Path, folder: str) -> None:
        """Files that are not the project's own code are not read."""
        write(tmp_path, {f"{folder}/main.py": PLAIN})
        assert [] == find_apps(tmp_path)

    def test_line_is_where_the_statement_ends(self, tmp_path: Path) -> None:
        """The line of an application is the last line of its statement, so that code can be added below it."""
        write(tmp_path, {"main.py": "from fastapi import FastAPI\napp = FastAPI(\n    title='T',\n)\n"})
        assert [4] == [app.line for app in find_apps(tmp_path)]


class TestPortOf:
    """`port_of` finds the port of an application."""

    @pytest.mark.parametrize(
        ("files", "expected"),
        [
            ({"pkg/main.py": PLAIN + "import uvicorn\nuvicorn.run(app, port=8011)\n"}, 8011),
            ({"run.py": "import uvicorn\nuvicorn.run('pkg.main:app', port=8012)\n"}, 8012),
            ({"Procfile": "web: uvicorn pkg.main:app --port 8013\n"}, 8013),
            ({"Dockerfile": 'CMD ["uvicorn", "pkg.main:app", "--port", "8014"]\n'}, 8014),
            ({"start.sh": "gunicorn -k uvicorn.workers.UvicornWorker pkg.main:app --bind 0.0.0.0:8015\n"}, 8015),
            ({"pkg/Makefile": "run:\n\tuvicorn main:app --port=8016\n"}, 8016),
            ({"Procfile": "web: uvicorn other.main:app --port 8017\n"}, None),
            ({"other/Makefile": "run:\n\tuvicorn main:app --port=8018\n"}, None),
            ({"Procfile": "web: uvicorn pkg.main:app --port $PORT\n"}, None),
        ],
    )
    def test_places(self, tmp_path: Path, files: dict[str, str], expected: int | None) -> None:
        """Calls and command lines for this application are used; those for others, and variables, are not."""
        write(tmp_path, {"pkg/main.py": PLAIN, **files})
        (app,) = find_apps(tmp_path)
        assert expected == port_of(app, find_ports(tmp_path))
