"""What is printed at the end: where each port is from, the lines to add to the code, and the commands to run next."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlmetrics.cli.init.proposal import Proposal
from mlmetrics.cli.init.rendering import FOLDER
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.deploy.compose import LOOPBACK, PORTS
from mlmetrics.version import install_command

_ALERTMANAGER = f"{LOOPBACK}:{PORTS['alertmanager']}"


def lines_for(service: Proposal) -> list[str]:
    """Return the lines of code that instrument an application, none if it is instrumented."""
    app = service.app
    if app is not None and app.instrumented:
        return []
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


def instructions(services: Sequence[Proposal], config: Config, directory: Path, *, is_kept: bool) -> str:
    """Return the text that is printed at the end; a configuration that `is_kept` is the user's own.

    Commands work in the current folder; `directory` is that of the project.
    """
    return "\n".join([*_addresses(services, is_kept=is_kept), *_code(services), *_commands(config, directory)])


def _addresses(services: Sequence[Proposal], *, is_kept: bool) -> Iterator[str]:
    width = max(len(each.name) for each in services)
    yield "Services:"
    for each in services:
        why = each.why if each.confirmed else f"a guess: {each.why or 'not confirmed yet'}"
        yield f"  {each.name:{width}}  {each.target}  {why}".rstrip()
    guess = next((each for each in services if not each.confirmed), None)
    if guess is not None:
        flag = "" if is_kept else f"with `mlmetrics init --service {guess.name}=PORT`, or "
        yield (
            "A guess is no reason to wake anybody: its ServiceDown is a warning. Correct and confirm it "
            f"{flag}by deleting `confirmed = false` in the configuration."
        )


def _code(services: Sequence[Proposal]) -> Iterator[str]:
    open_services = [each for each in services if lines_for(each)]
    if open_services:
        yield f"\nAdd to the code ({install_command('fastapi')}):"
    for service in open_services:
        code = "\n".join(f"    {line}" for line in lines_for(service))
        yield f"\n  {service.name}: {place_of(service)}\n{code}"


def _commands(config: Config, directory: Path) -> Iterator[str]:
    folder = shlex.quote((directory / (config.output or FOLDER)).as_posix())
    there = "" if directory == Path() else f"cd {shlex.quote(directory.as_posix())} && "
    yield (
        f"\nStart the servers (Docker), and open {config.grafana}:\n\n"
        f"    cd {folder} && cp .env.example .env && docker compose up --detach\n\n"
        f"Or look at the services now, without servers ({install_command('live')}):\n\n    {there}mlmetrics live\n\n"
        "In CI, to see that nothing is out of date:\n\n"
        f"    {there}mlmetrics render --check"
    )
    if any(config.receivers.named()):
        address = next(iter(config.alertmanagers), _ALERTMANAGER)
        yield f"\nTry the receivers:\n\n    {there}mlmetrics check --alertmanager http://{address} --send-test\n"
