"""The one small tree of errors that mlmetrics raises, none of them while a call is recorded."""


class MLMetricsError(Exception):
    """Root of every error that mlmetrics raises on purpose."""


class DeclarationError(MLMetricsError, ValueError):
    """A decorator, timer or metric was declared in a way that cannot work."""


class ConfigurationError(MLMetricsError, ValueError):
    """`configure`, `MLMetrics` or a configuration file got a value that cannot work."""


class MissingExtraError(MLMetricsError, ImportError):
    """What was called needs an extra of the package that is not installed."""


class RegistrationError(MLMetricsError, ValueError):
    """The registry already holds a metric under one of the catalogue's names."""
