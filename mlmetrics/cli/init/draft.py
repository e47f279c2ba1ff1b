"""The services that follow from what was found and answered, and what has to be asked: guesses, and what clashes."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mlmetrics.cli.init.answers import Answers
from mlmetrics.cli.init.proposal import ANSWERED, Proposal
from mlmetrics.cli.init.reading.applications import App
from mlmetrics.cli.init.reading.evidence import LAST_PORT
from mlmetrics.cli.init.survey import Survey
from mlmetrics.monitoring.deploy.compose import GRAFANA_PORT, LOOPBACK, PORTS

_FIRST_PORT = 8000


@dataclass(frozen=True, slots=True)
class Question:
    """A service that the user should say more about: a guess or, with a `problem`, one that is not written.

    `remedy` says what flags settle the problem, where the problem does not.
    """

    proposal: Proposal
    problem: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """The services to write, what to ask about them, and who has each port of this machine."""

    services: list[Proposal]
    questions: list[Question] = field(default_factory=list)
    taken: dict[int, str] = field(default_factory=dict)

    @property
    def problems(self) -> list[str]:
        """Why services that were found are not written, each with the flag that settles it."""
        return [f"{each.problem}{each.remedy}" for each in self.questions if each.problem]

    @property
    def keys(self) -> dict[str, str]:
        """The keys of the applications by the names of their services."""
        proposals = [*self.services, *(each.proposal for each in self.questions)]
        return {each.name: each.app.key for each in proposals if each.app is not None}


def draft(survey: Survey, answers: Answers) -> Draft:
    """Return the services; those that were answered stay as they are."""
    if answers.alone:
        return Draft(list(answers.given))
    drafting = _Drafting(survey, answers)
    for app in drafting.open_apps():
        drafting.add(app)
    drafting.make_up_ports()
    return drafting.result()


class _Drafting:
    def __init__(self, survey: Survey, answers: Answers) -> None:
        self._survey, self._answers = survey, answers
        self._taken = {
            **survey.foreign,
            **{port: f"the rendered {name}" for name, port in PORTS.items()},
            GRAFANA_PORT: "the rendered grafana",
        }
        answered = ((app.key, app, answers.services.get(app.key)) for app in survey.apps)
        self._found = {key: replace(each, app=app) for key, app, each in answered if each is not None}
        self._names = {each.name for each in (*self._found.values(), *answers.given)}
        for each in (*self._found.values(), *answers.given):
            if each.is_local:
                self._taken.setdefault(each.port, each.name)
        self._problems: dict[str, Question] = {}
        self._unknown: list[tuple[App, str]] = []

    def open_apps(self) -> list[App]:
        """Return the applications without an answer, those whose ports are certain first."""
        unanswered = [app for app in self._survey.apps if app.key not in self._answers.services]
        return sorted(unanswered, key=lambda app: not self._survey.ports[app.key].certain)

    def add(self, app: App) -> None:
        """Add an application if its name and its port are its own; else keep why they are not."""
        name, port = self._survey.names.get(app.key), self._survey.ports[app.key]
        if name is None or name in self._names:
            self._refuse_name(app, name or app.service)
            return
        self._names.add(name)
        number = port.number or 0
        holder = self._taken.get(number)
        if not number or (holder is not None and not port.certain):
            self._unknown.append((app, port.why if holder is None else f"{port.why}; {holder} has that"))
        elif holder is not None:
            self._refuse(app, name, f"is served on port {number}, which {holder} has too", port.why)
            self._doubt(holder, name)
        else:
            self._taken[number] = name
            self._found[app.key] = Proposal(name, f"{LOOPBACK}:{number}", app, port.certain, port.why)

    def _refuse_name(self, app: App, name: str) -> None:
        problem = (
            f"{name} ({app.path.as_posix()}:{app.line}) has the name of another service; give one of them another "
            f"service_name, or leave it out with --leave-out {name}"
        )
        target = f"{LOOPBACK}:{next(self._free_ports())}"
        self._problems[app.key] = Question(Proposal(name, target, app, confirmed=False), problem)

    def _refuse(self, app: App, name: str, what: str, why: str) -> None:
        target = f"{LOOPBACK}:{next(self._free_ports())}"
        problem = f"{name} ({app.path.as_posix()}:{app.line}) {what} ({why})"
        remedy = f"; settle it with --service {name}=PORT, or leave it out with --leave-out {name}"
        self._problems[app.key] = Question(Proposal(name, target, app, confirmed=False, why=why), problem, remedy)

    def _doubt(self, holder: str, other: str) -> None:
        """Make a guess of a service on whose port another is served too, unless it was answered."""
        for key, each in self._found.items():
            if each.name == holder and each.why != ANSWERED:
                self._found[key] = replace(each, confirmed=False, why=f"{each.why}; {other} is served there too")

    def _free_ports(self) -> Iterator[int]:
        known = {port.number for port in self._survey.ports.values()}
        return (port for port in range(_FIRST_PORT, LAST_PORT) if port not in self._taken and port not in known)

    def make_up_ports(self) -> None:
        """Give each application whose port is not known one that nobody has."""
        free = self._free_ports()
        for app, why in self._unknown:
            name, number = self._survey.names[app.key], next(free)
            self._taken[number] = name
            self._found[app.key] = Proposal(name, f"{LOOPBACK}:{number}", app, confirmed=False, why=f"made up; {why}")

    def result(self) -> Draft:
        """Return the services in the order in which they were found, and the questions."""
        services = [self._found[app.key] for app in self._survey.apps if app.key in self._found]
        guesses = [Question(each) for each in services if not each.confirmed]
        by_key = {each.proposal.app.key: each for each in guesses if each.proposal.app is not None} | self._problems
        questions = [by_key[app.key] for app in self._survey.apps if app.key in by_key]
        return Draft([*services, *self._answers.given], questions, self._taken)
