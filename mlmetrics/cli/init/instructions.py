"""The lines to add to the code of a project, and the commands to run next."""

from collections.abc import Sequence

from mlmetrics.cli.init.proposal import Proposal
from mlmetrics.cli.init.rendering import FOLDER
from mlmetrics.monitoring.config import Config
from mlmetrics.version import install_command


def lines_for(service: Proposal) -> list[str]:
    """Return the lines of code that instrument an application."""
    app = service.app
    call = f'instrument({app.variable if app and app.variable else "app"}, service_name="{service.name}")'
    return ["from mlmetrics import instrument", call]


def place_of(service: Proposal) -> str:
    """Return the place in the code where the lines belong."""
    app = service.app
    if app is None:
        return "where its FastAPI application is made"
    where = f"{app.path}, below line {app.line}"
    if not app.variable:
        return f"{app.path}, line {app.line}: name the application `app` before {app.factory}() returns it"
    return f"{where}, in {app.factory}()" if app.factory else where


def instructions(services: Sequence[Proposal], config: Config) -> str:
    """Return the text that is printed at the end."""
    parts = [f"Add to the code ({install_command('fastapi')}):"]
    for service in services:
        if service.app and service.app.instrumented:
            parts.append(f"\n  {service.name}: {service.app.path} is instrumented already")
            continue
        code = "\n".join(f"    {line}" for line in lines_for(service))
        parts.append(f"\n  {service.name}: {place_of(service)}\n{code}")
    parts.append(
        f"\nThen start the servers (Docker), and open {config.grafana}:\n\n"
        f"    cd {FOLDER} && cp .env.example .env && docker compose up --detach"
    )
    return "\n".join(parts)
