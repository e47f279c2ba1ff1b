"""The arguments of the middleware and of `instrument`, refused where they are declared if they cannot be right."""

from mlmetrics.errors import ConfigurationError, shown
from mlmetrics.recording.labels import declared_problem


def check_arguments(service_name: str | None, path: object, request_id: object) -> None:
    """Refuse an invalid service name, an invalid path, and what says nothing of the request id."""
    if service_name is not None:
        check_service_name(service_name)
    if not isinstance(path, str) or not path.startswith("/"):
        raise ConfigurationError(f"path={path!r}: expected a path that begins with '/', such as '/metrics'")
    check_request_id(request_id)


def check_service_name(name: object) -> None:
    """Refuse an invalid service name."""
    problem = declared_problem(name)
    if problem is not None:
        raise ConfigurationError(
            f"service_name={shown(name)}: expected a non-empty string, such as 'cv-parser-service'; "
            f"this one is {problem}"
        )


def check_request_id(request_id: object) -> None:
    """Refuse what does not say whether there is a request id."""
    if not (isinstance(request_id, bool) or request_id == "header"):
        raise ConfigurationError(
            f"request_id={shown(request_id)}: expected True, False or 'header', which returns the id to the client "
            "without adding it to log events"
        )
