"""Tests of the ports of applications: each kind of place that says them, and the order of trust."""

from pathlib import Path

import pytest

from mlmetrics.cli.init.ports import Port
from mlmetrics.cli.init.survey import survey
from tests.cli.init.projects import IMPORT, PLAIN, write

RUN = PLAIN + "import uvicorn\n"
ARGPARSE = (
    "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument({option})\nargs = parser.parse_args()\n"
)
SETTINGS = "from pydantic_settings import BaseSettings, SettingsConfigDict\n\nclass Settings(BaseSettings):\n"
COMPOSE = "services:\n  web:\n    build: .\n"
IMAGE = 'FROM python\nCMD ["uvicorn", "pkg.main:app", "--port", "80"]\n'


def port(root: Path, files: dict[str, str]) -> Port:
    """Return the port of the one application of a project."""
    write(root, files)
    found = survey(root)
    (app,) = found.apps
    return found.ports[app.key]


class TestCode:
    """Ports in calls of servers."""

    @pytest.mark.parametrize(
        ("files", "expected"),
        [
            ({"pkg/main.py": RUN + "uvicorn.run(app, port=8011)\n"}, 8011),
            ({"pkg/main.py": RUN + "uvicorn.run(app)\n"}, 8000),
            ({"pkg/main.py": PLAIN + "from uvicorn import run as r\nr(app, port=8011)\n"}, 8011),
            ({"pkg/main.py": RUN + "uvicorn.Server(uvicorn.Config(app, port=8011)).run()\n"}, 8011),
            (
                {"pkg/main.py": PLAIN + "from granian import Granian\nGranian('pkg.main:app', port=8011).serve()\n"},
                8011,
            ),
            ({"pkg/main.py": PLAIN, "run.py": "import uvicorn\nuvicorn.run('pkg.main:app', port=8012)\n"}, 8012),
            ({"pkg/main.py": RUN + "uvicorn.run('main:app', port=8011)\n"}, 8011),
            ({"pkg/main.py": RUN + "uvicorn.run(f'{__name__}:app', port=8011)\n"}, 8011),
            ({"pkg/main.py": RUN + "PORT = 8011\nuvicorn.run(app, port=PORT)\n"}, 8011),
            ({"pkg/main.py": RUN + "def main(port=8011):\n    uvicorn.run(app, port=port)\n"}, 8011),
            ({"pkg/main.py": RUN + "def main(port):\n    uvicorn.run(app, port=port)\nmain(port=8011)\n"}, 8011),
            (
                {
                    "pkg/main.py": RUN + "from pkg.conf import PORT\nuvicorn.run(app, port=PORT)\n",
                    "pkg/conf.py": "PORT = 8011\n",
                },
                8011,
            ),
            (
                {
                    "pkg/main.py": RUN + "from . import conf\nuvicorn.run(app, port=conf.PORT)\n",
                    "pkg/conf.py": "PORT = 8011\n",
                },
                8011,
            ),
            ({"pkg/main.py": RUN + "conf = {'port': 8011}\nuvicorn.run(app, port=conf['port'])\n"}, 8011),
            ({"pkg/main.py": RUN + "import os\nuvicorn.run(app, port=int(os.environ.get('PORT', '8011')))\n"}, 8011),
            ({"pkg/main.py": RUN + "import os\nuvicorn.run(app, port=int(os.getenv('PORT') or 8011))\n"}, 8011),
            (
                {
                    "pkg/main.py": RUN + "import os\nuvicorn.run(app, port=int(os.environ['PORT']))\n",
                    ".env": "PORT=8011\n",
                },
                8011,
            ),
            (
                {
                    "pkg/main.py": RUN + "import os\nuvicorn.run(app, port=int(os.getenv('PORT', 1)))\n",
                    ".env": 'export PORT="8011" # x\n',
                },
                8011,
            ),
            ({"pkg/main.py": RUN + "import random\nuvicorn.run(app, port=random.randint(1, 9))\n"}, None),
        ],
    )
    def test_calls(self, tmp_path: Path, files: dict[str, str], expected: int | None) -> None:
        """Literals, names, parameters, imports and the environment are followed; what is computed is not known."""
        assert expected == port(tmp_path, files).number

    @pytest.mark.parametrize(
        ("option", "expected"),
        [
            ("'--port', type=int, default=21001", 21001),
            ("'-p', '--port', default='21001'", 21001),
            ("'--listen', dest='port', default=21001", 21001),
            ("'--port', type=int, required=True", None),
            ("'--other', type=int, default=21001", None),
        ],
    )
    def test_argparse(self, tmp_path: Path, option: str, expected: int | None) -> None:
        """The default of an option of argparse is used, by its destination."""
        source = RUN + ARGPARSE.replace("{option}", option) + "uvicorn.run(app, port=args.port)\n"
        assert expected == port(tmp_path, {"main.py": source}).number

    @pytest.mark.parametrize(
        "source",
        [
            "import click\n@click.command()\n@click.option('--port', '-p', default=5005)\ndef main(port):\n",
            "import click as c\n@c.command()\n@c.option('-p', '--port', default=5005)\ndef main(port: int):\n",
            "import typer\ncli = typer.Typer()\n@cli.command()\ndef main(port: int = typer.Option(5005, '--p')):\n",
            "import typer\ndef main(host: str, port: int = typer.Option(default=5005)):\n",
            "import typer\nfrom typing import Annotated\ndef main(port: Annotated[int, typer.Option()] = 5005):\n",
        ],
    )
    def test_click_and_typer(self, tmp_path: Path, source: str) -> None:
        """The default of an option of click or typer is used."""
        assert 5005 == port(tmp_path, {"serve.py": RUN + source + "    uvicorn.run(app, port=port)\n"}).number

    @pytest.mark.parametrize(
        ("settings", "expression", "expected"),
        [
            (SETTINGS + "    port: int = 8010\nsettings = Settings()\n", "settings.port", 8010),
            (SETTINGS + "    port: int = Field(8010, ge=1)\nsettings = Settings()\n", "settings.port", 8010),
            (SETTINGS + "    port: int = Field(default=8010)\nsettings = Settings()\n", "Settings().port", 8010),
            (SETTINGS + "    port: int = 8010\ndef get() -> Settings:\n    return Settings()\n", "get().port", 8010),
            (
                SETTINGS + "    port: int = 8010\ndef get():\n    return Settings()\nsettings = get()\n",
                "settings.port",
                8010,
            ),
            ("class Base:\n    port = 8010\nclass Settings(Base): ...\nsettings = Settings()\n", "settings.port", 8010),
            (
                "class Settings:\n    def __init__(self):\n        self.port = 8010\nsettings = Settings()\n",
                "settings.port",
                8010,
            ),
            (
                "class Web:\n    port: int = 8010\nclass Settings:\n    web: Web = Web()\nsettings = Settings()\n",
                "settings.web.port",
                8010,
            ),
            (
                SETTINGS
                + "    port: int = 8010\n    class Config:\n        env_prefix = 'SHOP_'\nsettings = Settings()\n",
                "settings.port",
                8077,
            ),
            (
                SETTINGS + "    port: int = Field(8010, alias='SHOP_PORT')\nsettings = Settings()\n",
                "settings.port",
                8077,
            ),
            (SETTINGS + "    port: int\nsettings = Settings()\n", "settings.port", None),
        ],
    )
    def test_settings(self, tmp_path: Path, settings: str, expression: str, expected: int | None) -> None:
        """Fields of settings classes are found through instances, functions, base classes and other classes."""
        source = RUN + "from conf import *\nfrom conf import Settings, get, settings\n"
        files = {
            "main.py": source + f"uvicorn.run(app, port={expression})\n",
            "conf.py": "from pydantic import Field\n" + settings,
            ".env": "SHOP_PORT=8077\n",
        }
        assert expected == port(tmp_path, files).number

    def test_says_where(self, tmp_path: Path) -> None:
        """The file and line of the value are said, and whether it is a default."""
        files = {"main.py": RUN + "from conf import PORT\nuvicorn.run(app, port=PORT)\n", "conf.py": "\nPORT = 8011\n"}
        assert Port(8011, certain=True, why="its code in conf.py:2") == port(tmp_path, files)
        default = {"main.py": RUN + "def main(port=8012):\n    uvicorn.run(app, port=port)\n"}
        assert Port(8012, certain=True, why="a default in main.py:4") == port(tmp_path, default)


class TestCommands:
    """Ports in command lines."""

    @pytest.mark.parametrize(
        ("files", "expected"),
        [
            ({"Procfile": "web: uvicorn pkg.main:app --port 8013\n"}, 8013),
            ({"Dockerfile": 'CMD ["uvicorn", "pkg.main:app", "--port", "8014"]\n'}, 8014),
            ({"Dockerfile": "ENV PORT=8014\nCMD uvicorn pkg.main:app --port $PORT\n"}, 8014),
            ({"Dockerfile": 'ENTRYPOINT ["uvicorn", "pkg.main:app"]\nCMD ["--port", "8014"]\n'}, 8014),
            ({"Dockerfile": 'CMD ["sh", "-c", "exec uvicorn pkg.main:app --port ${PORT:-8014}"]\n'}, 8014),
            ({"docker/Dockerfile": "CMD uvicorn pkg.main:app --port 8014\n"}, 8014),
            ({"start.sh": "gunicorn -k uvicorn.workers.UvicornWorker pkg.main:app --bind 0.0.0.0:8015\n"}, 8015),
            ({"start.sh": "PORT=8015\nexec uvicorn pkg.main:app \\\n  --port $PORT\n"}, 8015),
            ({"start.sh": "cd pkg && uvicorn main:app --port 8015\n"}, 8015),
            ({"start.sh": "hypercorn pkg.main:app -b :8015\n"}, 8015),
            ({"start.sh": "granian --interface asgi --port 8015 pkg.main:app\n"}, 8015),
            ({"start.sh": "uv run fastapi run pkg/main.py --port 8015\n"}, 8015),
            ({"start.sh": "fastapi run pkg/main.py\n"}, 8000),
            ({"start.sh": "python -m uvicorn pkg.main:app --port 8015\n"}, 8015),
            ({"start.sh": "python -m pkg.main --port 8015\n"}, 8015),
            ({"start.sh": "python3 pkg/main.py --port=8015\n"}, 8015),
            ({"pkg/Makefile": "PORT ?= 8016\nrun:\n\tuvicorn main:app --port=$(PORT)\n"}, 8016),
            ({"start.sh": "gunicorn pkg.main:app -c conf.py\n", "conf.py": 'bind = "0.0.0.0:8015"\n'}, 8015),
            ({"start.sh": "uvicorn pkg.main:app --uds /run/app.sock\n"}, None),
            ({"package.json": '{"scripts": {\n  "dev": "uvicorn pkg.main:app --port 8015",\n}}\n'}, 8015),
            ({"supervisord.conf": "[program:web]\ncommand=uvicorn pkg.main:app --port 8015\n"}, 8015),
            ({"pyproject.toml": '[tool.poe.tasks]\nserve = "uvicorn pkg.main:app --port 8015"\n'}, 8015),
            ({"app.service": "[Service]\nExecStart=/opt/venv/bin/uvicorn pkg.main:app --port 8017\n"}, 8017),
            ({"README.md": "Run `uvicorn pkg.main:app --port 8018`.\n"}, 8018),
            ({"README.md": "```\n$ uvicorn pkg.main:app --port 8018\n```\n"}, 8018),
            ({"Procfile": "web: uvicorn pkg.main:app --port $PORT\n", ".env": "PORT=8013\n"}, 8013),
            ({"Procfile": "web: uvicorn other.main:app --port 8017\n"}, None),
            ({"other/Makefile": "run:\n\tuvicorn main:app --port=8018\n"}, None),
            ({"Procfile": "web: uvicorn pkg.main:app --port $PORT\n"}, None),
        ],
    )
    def test_places(self, tmp_path: Path, files: dict[str, str], expected: int | None) -> None:
        """Command lines for this application are used; those for others, and unknown variables, are not."""
        assert expected == port(tmp_path, {"pkg/main.py": PLAIN, **files}).number

    def test_order_of_trust(self, tmp_path: Path) -> None:
        """Code that cannot be told otherwise, then the container, the Procfile, a default, and documents.

        Code and a container that contradict each other leave a guess.
        """
        sources = [
            ("README.md", "uvicorn main:app --port 8005\n", (8005, False)),
            ("main.py", RUN + "def main(port=8004):\n    uvicorn.run(app, port=port)\n", (8004, True)),
            ("Procfile", "web: uvicorn main:app --port 8003\n", (8003, True)),
            ("Dockerfile", "CMD uvicorn main:app --port 8002\n", (8002, True)),
            ("run.py", "import uvicorn\nuvicorn.run('main:app', port=8001)\n", (8001, False)),
        ]
        write(tmp_path, {"main.py": PLAIN})
        for name, text, expected in sources:
            found = port(tmp_path, {name: text})
            assert expected == (found.number, found.certain)
            assert name in found.why

    def test_contradiction_is_a_guess(self, tmp_path: Path) -> None:
        """Two ports that are equally good make a guess, which names both places."""
        files = {"main.py": PLAIN, "a.sh": "uvicorn main:app --port 1111\n", "b.sh": "uvicorn main:app --port 2222\n"}
        found = port(tmp_path, files)
        assert (1111, False) == (found.number, found.certain)
        assert "a.sh:1" in found.why
        assert "2222 in b.sh:1" in found.why

    def test_exposed_port_is_a_guess(self, tmp_path: Path) -> None:
        """EXPOSE alone says what is meant, and not what is served."""
        found = port(tmp_path, {"main.py": PLAIN, "Dockerfile": "FROM x\nEXPOSE 8020\nCMD ./start\n"})
        assert Port(8020, certain=False, why="EXPOSE in Dockerfile:2") == found


class TestCompositions:
    """Ports that Docker Compose publishes."""

    @pytest.mark.parametrize(
        ("service", "expected"),
        [
            ('    ports: ["8080:80"]\n', (8080, True)),
            ("    ports:\n      - 127.0.0.1:8080:80/tcp\n", (8080, True)),
            ("    ports:\n      - {target: 80, published: 8080}\n", (8080, True)),
            ('    ports: ["9999:99", "8080:80"]\n', (8080, True)),
            ('    ports: ["${WEB_PORT:-8080}:80"]\n', (8080, True)),
            ('    ports: ["8080:81"]\n', (8080, False)),
            ('    ports: ["80"]\n', (80, False)),
            ('    expose: ["80"]\n', (80, False)),
            ("    network_mode: host\n", (80, True)),
            ('    command: uvicorn pkg.main:app --port 81\n    ports: ["8080:81"]\n', (8080, True)),
            ('    command: ["uvicorn", "pkg.main:app", "--port", "81"]\n    ports: ["8080:81"]\n', (8080, True)),
        ],
    )
    def test_published(self, tmp_path: Path, service: str, expected: tuple[int, bool]) -> None:
        """Prometheus reaches the port that is published for the one inside; what is not published is a guess."""
        files = {"pkg/main.py": PLAIN, "Dockerfile": IMAGE, "docker-compose.yml": COMPOSE + service}
        found = port(tmp_path, files)
        assert expected == (found.number, found.certain)

    def test_override_and_tags(self, tmp_path: Path) -> None:
        """An override file adds its ports, and tags that only Docker Compose knows do no harm."""
        files = {
            "pkg/main.py": PLAIN,
            "Dockerfile": IMAGE,
            "compose.yaml": COMPOSE + "    volumes: !reset []\n",
            "compose.override.yml": 'services:\n  web:\n    ports: !override ["8081:80"]\n',
        }
        assert Port(8081, certain=True, why="published by web of docker compose in compose.override.yml:3") == port(
            tmp_path, files
        )

    @pytest.mark.parametrize(
        "text", ["services: [", "- a\n", "services:\n  web: nothing\n", "services: {web: {ports: x}}\n"]
    )
    def test_broken(self, tmp_path: Path, text: str) -> None:
        """A composition that cannot be read says nothing."""
        assert port(tmp_path, {"main.py": PLAIN, "compose.yml": text}).number is None

    def test_code_that_a_container_runs(self, tmp_path: Path) -> None:
        """A container that runs a program without naming a port is that of the application which the program serves."""
        files = {
            "pkg/__init__.py": "",
            "pkg/worker.py": RUN + "uvicorn.run(app, port=8011)\n",
            "pkg/other.py": IMPORT + "other = FastAPI()\n",
            "Dockerfile": "CMD python -m pkg.worker\n",
            "compose.yml": COMPOSE + '    ports: ["8080:8011"]\n',
        }
        write(tmp_path, files)
        found = survey(tmp_path)
        assert {"pkg/worker.py:app": 8080, "pkg/other.py:other": None} == {
            key: each.number for key, each in found.ports.items()
        }
