"""Tests that applications which are instrumented already are known, wherever that is done."""

from pathlib import Path

import pytest

from mlmetrics.cli.init.reading.applications import Applications
from mlmetrics.cli.init.reading.instrumented import with_instrumentation
from mlmetrics.cli.init.reading.source import Source
from mlmetrics.cli.init.reading.values import Values
from tests.cli.init.projects import IMPORT, PLAIN, write

OURS = "from mlmetrics import PrometheusMiddleware, instrument\n"
FACTORY = IMPORT + "def create_app():\n    app = FastAPI()\n    return app\n"


def instrumented(root: Path, files: dict[str, str]) -> dict[str, str]:
    """Return the names of services by the file of the application, for those that are instrumented."""
    write(root, files)
    source = Source(root)
    apps = with_instrumentation(Applications(source), Values(source))
    return {str(app.path): app.service for app in apps if app.instrumented}


class TestWithInstrumentation:
    """`with_instrumentation` marks applications."""

    @pytest.mark.parametrize(
        "files",
        [
            {"main.py": OURS + PLAIN + "instrument(app, service_name='till')\n"},
            {"main.py": OURS + PLAIN + "app.add_middleware(PrometheusMiddleware, service_name='till')\n"},
            {"main.py": PLAIN, "run.py": OURS + "import main\ninstrument(main.app, service_name='till')\n"},
            {"main.py": PLAIN, "run.py": OURS + "from main import app as a\ninstrument(a, service_name='till')\n"},
            {
                "main.py": PLAIN,
                "run.py": "import mlmetrics as m\nfrom main import app\nm.instrument(app, service_name='till')\n",
            },
            {
                "main.py": PLAIN,
                "run.py": "from mlmetrics import instrument as i\nimport main\ni(main.app, service_name='till')\n",
            },
            {
                "main.py": IMPORT + "from metrics import watch\napp = FastAPI()\nwatch(app)\n",
                "metrics.py": OURS
                + "NAME = 'till'\n\ndef watch(application):\n    instrument(application, service_name=NAME)\n",
            },
            {
                "main.py": FACTORY.replace("    return", "    import metrics\n    metrics.watch(app=app)\n    return"),
                "metrics.py": OURS + "def watch(app):\n    deeper(app)\n\ndef deeper(app):\n"
                "    app.add_middleware(PrometheusMiddleware, service_name='till')\n",
            },
            {
                "main.py": FACTORY,
                "run.py": OURS + "from main import create_app\ninstrument(create_app(), service_name='till')\n",
            },
            {
                "main.py": IMPORT
                + OURS
                + "from starlette.middleware import Middleware\n"
                + "app = FastAPI(middleware=[Middleware(PrometheusMiddleware, service_name='till')])\n"
            },
            {
                "metrics.py": "from mlmetrics import MLMetrics\nmetrics = MLMetrics(service='till')\n",
                "main.py": PLAIN + "from metrics import metrics\nmetrics.instrument(app, service_name='till')\n",
            },
            {
                "observe.py": "from mlmetrics import instrument\n",
                "main.py": PLAIN + "from observe import instrument\ninstrument(app, service_name='till')\n",
            },
        ],
    )
    def test_forms(self, tmp_path: Path, files: dict[str, str]) -> None:
        """Aliases, other files, functions that get the application, factories and middleware are followed."""
        assert {"main.py": "till"} == instrumented(tmp_path, files)

    @pytest.mark.parametrize(
        "files",
        [
            {
                "main.py": "from starlette_exporter import PrometheusMiddleware\n"
                + PLAIN
                + "app.add_middleware(PrometheusMiddleware)\n"
            },
            {"main.py": "from logfire import instrument\n" + PLAIN + "instrument(app)\n"},
            {"main.py": PLAIN + "def instrument(app): ...\ninstrument(app)\n"},
            {"main.py": OURS + PLAIN},
        ],
    )
    def test_others(self, tmp_path: Path, files: dict[str, str]) -> None:
        """Functions and middleware of the same name of other packages are not ours."""
        assert {} == instrumented(tmp_path, files)

    def test_one_of_two(self, tmp_path: Path) -> None:
        """Only the application that is meant is marked, also where another is made in the same file."""
        source = OURS + IMPORT + "app = FastAPI()\nadmin = FastAPI()\ninstrument(admin, service_name='admin')\n"
        write(tmp_path, {"main.py": source})
        files = Source(tmp_path)
        apps = with_instrumentation(Applications(files), Values(files))
        assert {"app": False, "admin": True} == {app.variable: app.instrumented for app in apps}
