"""The service of series that do not name one."""

import os
from collections.abc import Callable

from mlmetrics import logs
from mlmetrics.recording.labels import clean


class Naming:
    """Who has named the service of a store, and since when it is fixed."""

    failed: Callable[..., None]
    """Count and log a problem; a method of the store."""

    def __init__(self) -> None:
        super().__init__()
        self.configured_service: str | None = None
        self.middleware_service: str | None = None
        self._service: str | None = None
        self._failed_places: set[str] = set()

    @property
    def service(self) -> str:
        """The service of series that do not name one; fixed when a sample first needs it.

        It is the service given to `configure`, else the middleware's `service_name`, else
        `MLMETRICS_SERVICE`, else `OTEL_SERVICE_NAME`, else `default`. It is read late, because an
        application is often instrumented after its functions were decorated.
        """
        if self._service is not None:
            return self._service
        return self.configured_service or self.middleware_service or self._service_of_environment()

    def _service_of_environment(self) -> str:
        given = os.environ.get("MLMETRICS_SERVICE") or os.environ.get("OTEL_SERVICE_NAME") or "default"
        name, problem = clean(given)
        if problem is not None and given not in self._failed_places:  # this is read many times; report it once
            self._failed_places.add(given)
            self.failed("label.service", f"{problem}, in MLMETRICS_SERVICE or OTEL_SERVICE_NAME", {"service": name})
        return name

    def name_service(self, name: str, *, configured: bool) -> None:
        """Name the service; the first middleware and the last `configure` count."""
        if configured:
            self.configured_service = name
        else:
            self.middleware_service = self.middleware_service or name
        if self._service is not None and self._service != (self.configured_service or self.middleware_service):
            logs.logger().warning("service.named_late", service=name, recorded_as=self._service)

    def settle_service(self) -> str:
        """Return the service, which is fixed from now on."""
        self._service = service = self.service
        return service
