"""The version, and how it is installed; apart so that the build can read it without importing anything."""

__version__ = "0.1.0"


def install_command(extra: str) -> str:
    """Return how to install the package with an extra.

    No package registry has a release yet: there are a checkout, and the wheel that `python -m build` makes in it.
    Here, and nowhere else, a release changes what the command line, the errors and `init` tell.
    """
    wheel = f"dist/mlmetrics_toolkit-{__version__}-py3-none-any.whl"
    return f"pip install '.[{extra}]' in a checkout of mlmetrics, or of a wheel pip install '{wheel}[{extra}]'"
