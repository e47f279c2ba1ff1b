"""Five projects, each laid out as real ones are: a package of many servers, two services side by side, and so on.

`{name}` in a file stands for the port of a service.
"""

from tests.cli.init.projects import Project

HELLO = """

@app.get("/hello")
def hello() -> str:
    return "hello"
"""
ARGUMENTS = """
import argparse
import uvicorn
from fastapi import FastAPI

app = FastAPI()
""" + HELLO  # fmt: skip
RUN = """

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", type=str, default="127.0.0.1")
    parser.add_argument("--port", type=int, default={port})
    parser.add_argument("--dispatch-method", choices=["lottery", "shortest_queue"])
    args = parser.parse_args()
    uvicorn.run(app, host=args.host, port=args.port, log_level="warning")
"""
WORKER = """
import argparse
import uvicorn
from server.worker_base import Heartbeat, app


def create_worker():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default={worker-base})
    parser.add_argument("--worker-address", default="http://127.0.0.1:{worker-base}")
    args = parser.parse_args()
    return args, Heartbeat()


if __name__ == "__main__":
    args, heartbeat = create_worker()
    uvicorn.run(app, host=args.host, port=args.port, log_level="warning")
"""
FRONT_END = """
import argparse
import fastapi
import uvicorn
from server import settings

app = fastapi.FastAPI(debug=settings.DEBUG)
""" + HELLO + """

def create_openai_api_server():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=settings.OPENAI_PORT, help="port number")
    return parser.parse_args()


def main() -> None:
    args = create_openai_api_server()
    serve(args.port)


def serve(port: int) -> None:
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning")
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
"""  # fmt: skip
CHAT = Project(
    {
        "README.md": "# Chat\n\n```bash\npython3 -m server.model_worker --port 31000\n```\n",
        "server/__init__.py": "",
        "server/settings.py": "DEBUG = False\nOPENAI_PORT = {openai-api-server}\n",
        "server/controller.py": ARGUMENTS + RUN.replace("{port}", "{controller}"),
        "server/worker_base.py": "from fastapi import FastAPI\n\napp = FastAPI()\n\n\nclass Heartbeat: ...\n" + HELLO,
        "server/model_worker.py": WORKER,
        "server/openai_api_server.py": FRONT_END,
        "server/monitor/__init__.py": "",
        "server/monitor/leaderboard.py": "from fastapi import FastAPI\n\napp = FastAPI(title='Service')\n" + HELLO,
        "server/huggingface_api.py": "print('a client')\n",
        "tests/test_openai.py": "from fastapi import FastAPI\napp = FastAPI()\n",
    },
    {
        "controller": ("-m", ".", ("server.controller",)),
        "worker-base": ("-m", ".", ("server.model_worker",)),
        "openai-api-server": ("-m", ".", ("server.openai_api_server",)),
        "monitor": ("server.monitor.leaderboard:app", ".", ()),
    },
)
SIDE_BY_SIDE = Project(
    {
        "docker-compose.yml": """
services:
  billing:
    build: ./services/billing
    ports: ["{billing}:80"]
  search:
    build:
      context: services/search
    ports:
      - target: 8000
        published: "{search}"
  cache:
    image: redis:7
    ports: ["6379:6379"]
""",
        "services/billing/Dockerfile": 'FROM python:3.12\nEXPOSE 80\nCMD ["uvicorn", "app.main:app", "--port", "80"]\n',
        "services/billing/app/__init__.py": "",
        "services/billing/app/main.py": "from fastapi import FastAPI\napp = FastAPI()\n" + HELLO,
        "services/search/Dockerfile": "FROM python:3.12\nWORKDIR /code\nCMD uvicorn app.main:app --host 0.0.0.0\n",
        "services/search/app/__init__.py": "",
        "services/search/app/main.py": "from fastapi import FastAPI\napp = FastAPI()\n" + HELLO,
    },
    {
        "billing": ("app.main:app", "services/billing", ()),
        "search": ("app.main:app", "services/search", ()),
    },
)
FULL_STACK = Project(
    {
        "compose.yml": """
services:
  db: {image: postgres:17}
  prestart:
    build: {context: ./backend}
    command: bash scripts/prestart.sh
  backend:
    build: {context: ./backend}
    environment:
      - DOMAIN=${DOMAIN}
  frontend:
    build: {context: ./frontend}
""",
        "compose.override.yml": """
services:
  db: {restart: "no", ports: ["5432:5432"]}
  backend:
    ports: ["{shop-front}:8000"]
    command: [fastapi, run, --reload, app/main.py]
    volumes: !reset []
  frontend:
    ports: ["5173:80"]
""",
        "backend/Dockerfile": 'WORKDIR /app\nCMD ["fastapi", "run", "--workers", "4", "app/main.py"]\n',
        "backend/app/__init__.py": "",
        "backend/app/core/__init__.py": "",
        "backend/app/core/config.py": (
            "from pydantic import BaseModel\n\n\nclass Settings(BaseModel):\n"
            "    PROJECT_NAME: str = 'Shop Front'\n    API_V1_STR: str = '/api/v1'\n\n\nsettings = Settings()\n"
        ),
        "backend/app/main.py": (
            "from fastapi import FastAPI\n\nfrom app.core.config import settings\n\n"
            "app = FastAPI(\n    title=settings.PROJECT_NAME,\n    openapi_url=f'{settings.API_V1_STR}/o.json',\n)\n"
        )
        + HELLO,
        "backend/app/tests/test_main.py": "from fastapi import FastAPI\napp = FastAPI()\n",
        "frontend/package.json": "{}\n",
    },
    {"shop-front": ("app.main:app", "backend", ())},
)
FLAT = Project(
    {
        "Procfile": "web: python serve.py\n",
        "requirements.txt": "fastapi\nscikit-learn\n",
        "train.py": "print('training')\n",
        "serve.py": "import click\nimport uvicorn\nfrom fastapi import FastAPI\n\napp = FastAPI()\n"
        + HELLO
        + """

@click.command()
@click.option("--model", default="model.pkl")
@click.option("--port", "-p", type=int, default={iris}, show_default=True)
def main(model, port):
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    main()
""",
    },
    {"iris": ("serve.py", ".", ())},
)
FACTORY = Project(
    {
        "pyproject.toml": "[project]\nname = 'ledger'\n",
        "src/ledger/__init__.py": "",
        "src/ledger/settings.py": """
import os
from dataclasses import dataclass, field


@dataclass
class Server:
    host: str = "127.0.0.1"
    port: int = field(default_factory=lambda: 1)


@dataclass
class Settings:
    debug: bool = False
    host: str = "127.0.0.1"
    port: int = int(os.getenv("LEDGER_PORT", "{ledger}"))


def get_settings() -> Settings:
    return Settings()
""",
        "src/ledger/api.py": """
from fastapi import FastAPI


def create_app() -> FastAPI:
    app = FastAPI()

    @app.get("/hello")
    def hello() -> str:
        return "hello"

    return app
""",
        "src/ledger/__main__.py": """
import uvicorn

from .settings import get_settings

if __name__ == "__main__":
    settings = get_settings()
    uvicorn.run("ledger.api:create_app", factory=True, host=settings.host, port=settings.port, log_level="warning")
""",
    },
    {"ledger": ("-m", "src", ("ledger",))},
)
LAYOUTS = {
    "chat": CHAT,
    "side-by-side": SIDE_BY_SIDE,
    "full-stack": FULL_STACK,
    "iris": FLAT,
    "ledger-service": FACTORY,
}
