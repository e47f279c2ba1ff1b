"""The exceptions that mlmetrics raises. None of them is raised while a call is recorded."""


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
