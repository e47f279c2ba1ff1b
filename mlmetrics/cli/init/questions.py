"""The questions that `mlmetrics init` asks on a terminal."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import click

from mlmetrics.cli.init.draft import Draft, Question
from mlmetrics.cli.init.proposal import Proposal, check_name, parse_service
from mlmetrics.errors import ConfigurationError

_LEFT_OUT = "-"
_Result = TypeVar("_Result")


def ask(draft: Draft) -> dict[str, Proposal | None]:
    """Ask for the name and the port of each service that is a guess or clashes; return the answers by key.

    An application named '-' is left out.
    """
    answers: dict[str, Proposal | None] = {}
    asked = {each.proposal.name for each in draft.questions}
    taken = {port: name for port, name in draft.taken.items() if name not in asked}
    names = {each.name for each in draft.services} - asked
    for question in draft.questions:
        if question.proposal.app is not None:
            answer = _ask_about(question, taken, names)
            answers[question.proposal.app.key] = answer
            if answer is not None:
                names.add(answer.name)
                if answer.is_local:
                    taken[answer.port] = answer.name
    return answers


def _ask_about(question: Question, taken: Mapping[int, str], names: set[str]) -> Proposal | None:
    proposal = question.proposal
    click.echo(f"FastAPI application in {proposal.app.path if proposal.app else '?'}")
    click.echo(f"  {question.problem or f'port {proposal.port} is a guess: {proposal.why}'}")

    def name_of(text: str) -> str:
        if text in names:
            raise click.UsageError(f"{text} is the name of another service")
        return text if text == _LEFT_OUT else _tried(lambda: check_name(text))

    name = click.prompt("  service name ('-' leaves it out)", default=proposal.name, value_proc=name_of)
    if name == _LEFT_OUT:
        return None

    def service_of(text: str) -> Proposal:
        named = _tried(lambda: parse_service(f"{name}={text}"))
        if named.is_local and named.port in taken:
            raise click.UsageError(f"port {named.port} is that of {taken[named.port]}")
        return Proposal(named.name, named.target, proposal.app, why=named.why)

    service: Proposal = click.prompt("  port", default=str(proposal.port), value_proc=service_of)
    return service


def _tried(work: Callable[[], _Result]) -> _Result:
    try:
        return work()
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
