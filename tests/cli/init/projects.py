"""Three projects with different layouts and without metrics, as `mlmetrics init` finds them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

IMPORT = "from fastapi import FastAPI\n"
PLAIN = IMPORT + "app = FastAPI()\n"
SINGLE = '''"""Say hello."""

import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.get("/hello")
def hello() -> str:
    return "hello"


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port={port})
'''
FACTORY = """from __future__ import annotations

from fastapi import FastAPI as Application


def create_app(debug: bool = False) -> Application:
    application = Application(
        title="Boutique d'Été",
        debug=debug,
    )

    @application.get("/hello")
    def hello() -> str:
        return "hello"

    return application
"""
BILLING = """import fastapi

api: fastapi.FastAPI = fastapi.FastAPI()


@api.get("/hello")
async def hello() -> str:
    return "hello"
"""
SEARCH = """from fastapi import FastAPI

app = FastAPI()
app.add_api_route("/hello", lambda: "hello")
"""


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write files into a folder."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Project:
    """A project: its files, with `{name}` in the place of a port, and the command that starts each service."""

    files: Mapping[str, str]
    starts: Mapping[str, tuple[str, str, tuple[str, ...]]]

    def write(self, root: Path, port: Callable[[], int]) -> dict[str, int]:
        """Write the project, each service on a port of its own; return the ports."""
        ports = {name: port() for name in self.starts}
        for name, text in self.files.items():
            written = text
            for service, number in ports.items():
                written = written.replace("{" + service + "}", str(number))
            write(root, {name: written})
        return ports


PROJECTS = {
    "greeter": Project(
        {"main.py": SINGLE.replace("{port}", "{greeter}")},
        {"greeter": ("main:app", ".", ())},
    ),
    "storefront": Project(
        {
            "src/shop/__init__.py": "",
            "src/shop/web.py": FACTORY,
            "tests/test_web.py": "from fastapi import FastAPI\napp = FastAPI()\n",
            "Dockerfile": 'CMD ["uvicorn", "shop.web:create_app", "--factory", "--port", "{boutique-d-ete}"]\n',
        },
        {"boutique-d-ete": ("shop.web:create_app", "src", ("--factory",))},
    ),
    "platform": Project(
        {
            "services/billing/app/main.py": BILLING,
            "services/billing/Procfile": "web: uvicorn app.main:api --host 127.0.0.1 --port {billing}\n",
            "services/search/main.py": SEARCH,
            "services/search/Makefile": "run:\n\tuvicorn main:app --port={search}\n",
            "libs/common/text.py": "def shout(text: str) -> str:\n    return text.upper()\n",
            "scripts/old.py": "print 'Python 2'\n",
        },
        {
            "billing": ("app.main:api", "services/billing", ()),
            "search": ("main:app", "services/search", ()),
        },
    ),
}
