"""All requests that one store records for one service: their series by method and by route."""

from typing import cast

from mlmetrics import exemplars
from mlmetrics.http.appended import AppendedMethod, AppendedRoute
from mlmetrics.http.placed import PlacedMethod, PlacedRoute
from mlmetrics.http.series import IN_PROGRESS, METHODS, TOTAL, UNMATCHED, MethodSeries, RouteSeries
from mlmetrics.recording.labels import COMBINATION, OTHER, clean
from mlmetrics.recording.store import Store

MOST_OWN_ROUTES = 10_000
"""The most routes without limit, for programs that keep creating applications."""


class ServiceRequests:
    """All requests that one store records for one service, even of several applications."""

    def __init__(self, store: Store, service: str | None) -> None:
        self.store = store
        self.service = service
        self.traced = store.trace_ids is not None or exemplars.possible()  # the first request sees whether it is so
        self._methods: dict[str, MethodSeries] = {}
        self._routes: dict[tuple[str, str, tuple[str, ...]], RouteSeries] = {}
        self._own: set[str] = set()

    def method(self, name: str) -> MethodSeries:
        """Return the series of a method; `OTHER` for unknown methods."""
        name = name if name in METHODS else OTHER.upper()
        series = self._methods.get(name)
        if series is None:
            made = self._new_method(name)
            self.store.add(made, IN_PROGRESS)
            series = self._methods.setdefault(name, made)
        return series

    def route(self, method: str, template: str, *, own: bool = False) -> RouteSeries:
        """Return the series of a method and a route template; the application's own templates are not limited."""
        return self.series(*self.place(method, template, own=own))

    def place(self, method: str, template: str, *, own: bool) -> tuple[str, str]:
        """Return the labels of a method and a route template."""
        method = method if method in METHODS else OTHER.upper()
        free = template == UNMATCHED or (own and self.owns(template))
        return method, template if free else str(self.store.admit(TOTAL, (self.service, method), (template,))[-1])

    def series(self, method: str, route: str, added: tuple[str, ...] = ()) -> RouteSeries:
        """Return the series of a place, and of values of the application's own labels."""
        series = self._routes.get((method, route, added))
        if series is None:
            self.store.declare_overflow(TOTAL, ("status", COMBINATION))
            made = self._new_route(method, route, added)
            self.store.add(made, TOTAL)
            series = self._routes.setdefault((method, route, added), made)
        return series

    def _new_method(self, name: str) -> AppendedMethod | PlacedMethod:
        host = self.store.host
        if host is None:
            return AppendedMethod(self.store, self.service, name)
        return PlacedMethod(host, self.service, name)

    def _new_route(self, method: str, route: str, added: tuple[str, ...]) -> AppendedRoute | PlacedRoute:
        host = self.store.host
        if host is None:
            return AppendedRoute(self, method, route, added)
        return PlacedRoute(self, host, method, route, added)

    def owns(self, template: str) -> bool:
        """Whether a template is exempt from the limit; one that is not valid label text is not."""
        if len(self._own) < MOST_OWN_ROUTES and clean(template) == (template, None):
            self._own.add(template)
        return template in self._own


def requests_of(store: Store, service: str | None) -> ServiceRequests:
    """Return the one `ServiceRequests` of a store and a service, which an application that is built again continues."""
    (service,) = store.admit_service(TOTAL, service)
    key = f"requests of {service!r}"
    known = store.declared.get(key)
    if isinstance(known, ServiceRequests):
        return known
    return cast("ServiceRequests", store.declared.setdefault(key, ServiceRequests(store, service)))
