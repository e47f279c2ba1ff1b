"""The decorators and timers of agents and of the tools that they use, as methods of a toolkit."""

from collections.abc import Callable
from typing import Any, TypeVar, overload

from mlmetrics.calls.decorators import Declaration, decorate
from mlmetrics.calls.labels import Label
from mlmetrics.calls.reads import Failure, declared_reads
from mlmetrics.calls.timers import Timer
from mlmetrics.calls.timing import DEFAULT, Timing
from mlmetrics.catalog import AGENT, TOOL, Operation

F = TypeVar("F", bound=Callable[..., Any])


class Agents(Timing):
    """Decorators and context managers for agents and tools."""

    @overload
    def track_tool(self, function: F, /) -> F: ...
    @overload
    def track_tool(
        self,
        function: None = None,
        /,
        *,
        tool: Label | None = None,
        service: str | None = None,
        failure: Failure | None = None,
    ) -> Callable[[F], F]: ...
    def track_tool(
        self,
        function: Any = None,
        /,
        *,
        tool: Label | None = None,
        service: str | None = None,
        failure: Failure | None = None,
    ) -> Any:
        """Record every call of a function, of whatever kind, as one of a tool that a model or an agent uses.

        Args:
            tool: a name, `arg("parameter")`, or a function of the call; the function's name by default.
            service: the service, if it is not the toolkit's.
            failure: as for `track_inference`; for tools that return their errors.

        Raises:
            DeclarationError: as `track_inference`.

        Metrics: `ml_tool_total`, `ml_tool_duration_seconds`, `ml_tool_in_progress`, `ml_tool_errors_total`.

        Example:
            >>> from prometheus_client import CollectorRegistry
            >>> from mlmetrics import MLMetrics
            >>> metrics = MLMetrics(service="docs", registry=CollectorRegistry())
            >>> @metrics.track_tool(tool="search")
            ... def search(query):
            ...     return query.split()
            >>> search("to be")
            ['to', 'be']
        """
        return self._tracked(TOOL, tool, service, failure, function)

    @overload
    def track_agent(self, function: F, /) -> F: ...
    @overload
    def track_agent(
        self,
        function: None = None,
        /,
        *,
        agent: Label | None = None,
        service: str | None = None,
        failure: Failure | None = None,
    ) -> Callable[[F], F]: ...
    def track_agent(
        self,
        function: Any = None,
        /,
        *,
        agent: Label | None = None,
        service: str | None = None,
        failure: Failure | None = None,
    ) -> Any:
        """Record every run of an agent: of a function, of whatever kind, that calls models and tools until it is done.

        Args:
            agent: a name, `arg("parameter")`, or a function of the call; the function's name by default.
            service: the service, if it is not the toolkit's.
            failure: as for `track_inference`.

        Raises:
            DeclarationError: as `track_inference`.

        Metrics: `ml_agent_total`, `ml_agent_duration_seconds`, `ml_agent_in_progress`, `ml_agent_errors_total`.
        """
        return self._tracked(AGENT, agent, service, failure, function)

    def _tracked(
        self, operation: Operation, label: Label | None, service: str | None, failure: Failure | None, function: Any
    ) -> Any:
        reads = declared_reads(failure=failure)
        calls, named = self.calls(operation), self.named(service)
        return decorate(Declaration(calls, named, (label,), None, None, None, reads=reads), function)

    def tool_timer(self, *, tool: str = DEFAULT, service: str | None = None) -> Timer:
        """Record a block as a call of a tool. Metrics: as `track_tool`, and those of the `Call`'s methods.

        Args:
            tool: the tool; `default` if it is left out.
            service: the service, if it is not the toolkit's.
        """
        return Timer(self._timed(TOOL, service, tool))

    def agent_timer(self, *, agent: str = DEFAULT, service: str | None = None) -> Timer:
        """Record a block as a run of an agent. Metrics: as `track_agent`, and those of the `Call`'s methods.

        Args:
            agent: the agent; `default` if it is left out.
            service: the service, if it is not the toolkit's.
        """
        return Timer(self._timed(AGENT, service, agent))
