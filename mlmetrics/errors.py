"""The exceptions that mlmetrics raises. None of them is raised while a call is recorded."""

from collections.abc import Callable

from mlmetrics.interruption import interrupted

name_of_type: Callable[[type], str] = type.__dict__["__name__"].__get__
"""Reads the name of a class without its metaclass, which may raise."""


class MLMetricsError(Exception):
    """Base class of every error that mlmetrics raises on purpose."""


class DeclarationError(MLMetricsError, ValueError):
    """A decorator, timer or metric was declared in a way that cannot work."""


class ConfigurationError(MLMetricsError, ValueError):
    """`configure`, `MLMetrics` or a configuration file was given a value that cannot work."""


class MissingExtraError(MLMetricsError, ImportError):
    """The function needs an extra of the package that is not installed."""


class RegistrationError(MLMetricsError, ValueError):
    """The registry already holds a metric under one of the catalogue's names."""


def shown(value: object) -> str:
    """Return the value as text for an error message, even if its `repr` raises."""
    try:
        return f"{value!r:.100}"
    except Exception as error:  # any object may come
        if interrupted(error):
            raise
        return f"<{name_of_type(type(value))} whose repr raised {name_of_type(type(error))}>"
