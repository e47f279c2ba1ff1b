"""Tests of the names of services."""

from pathlib import Path

import pytest

from mlmetrics.cli.init.survey import survey
from tests.cli.init.projects import IMPORT, PLAIN, write

TITLED = IMPORT + "app = FastAPI(title='Items API')\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"main.py": TITLED}, ["items-api"]),
        ({"main.py": IMPORT + "app = FastAPI(title='My API')\n"}, ["corner-shop"]),
        ({"main.py": PLAIN}, ["corner-shop"]),
        ({"search.py": PLAIN}, ["search"]),
        ({"server/model_worker.py": PLAIN, "server/controller.py": PLAIN}, ["controller", "model-worker"]),
        ({"services/a/app/main.py": PLAIN, "services/b/app/main.py": PLAIN}, ["a", "b"]),
        ({"services/a/app/main.py": TITLED, "services/b/app/main.py": TITLED}, ["items-api-a", "items-api-b"]),
        ({"chat/serve/main.py": PLAIN, "chat/serve/worker.py": PLAIN}, ["chat", "chat-worker"]),
        ({"chat/one.py": PLAIN, "chat/two.py": PLAIN}, ["chat-one", "chat-two"]),
        ({"shop.py": IMPORT + "app = FastAPI()\nadmin = FastAPI()\n"}, ["shop", "shop-admin"]),
        ({"api/main.py": PLAIN, "server/main.py": PLAIN}, ["corner-shop-api", "corner-shop-server"]),
        ({"node/main.py": PLAIN}, ["corner-shop"]),
        (
            {
                "main.py": PLAIN,
                "conf.py": "T = 'Prix été'\n",
                "x.py": IMPORT + "from conf import T\napp = FastAPI(title=T)\n",
            },
            ["corner-shop", "prix-ete"],
        ),
    ],
)
def test_names(tmp_path: Path, files: dict[str, str], expected: list[str]) -> None:
    """The title, else the folder, else the file, without words that say nothing; the next piece tells two apart."""
    root = tmp_path / "corner-shop"
    write(root, files)
    assert expected == sorted(survey(root).names.values())


def test_never_numbered(tmp_path: Path) -> None:
    """Eleven applications in one folder get eleven names without numbers."""
    write(tmp_path, {f"serve/{name}_api.py": PLAIN for name in "abcdefghijk"})
    assert [f"{name}-api" for name in "abcdefghijk"] == sorted(survey(tmp_path).names.values())


def test_name_in_the_code_comes_first(tmp_path: Path) -> None:
    """The name that an application is instrumented with is kept, and another that would have it gets more."""
    ours = "from mlmetrics import instrument\n"
    files = {"till/main.py": PLAIN, "b/x.py": ours + PLAIN + "instrument(app, service_name='till')\n"}
    write(tmp_path, files)
    assert {"till/main.py:app": "till-main", "b/x.py:app": "till"} == survey(tmp_path).names
