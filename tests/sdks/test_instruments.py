"""Which releases of each SDK are instrumented; none needs to be installed for that."""

import importlib.metadata
import re

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import ConfigurationError, MissingExtraError, MLMetrics

# The lowest release that is known, the first one that is not, and some that are not.
KNOWN: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "openai": ("1.78", "4", ("0.28.1", "1.77.9", "4.0.0", "17.1")),
    "anthropic": ("0.47.2", "3", ("0.47.1", "3.0.0")),
    "google-genai": ("1.52", "4", ("1.51.9", "4.0.0")),
    "mistralai": ("1.9.3", "4", ("1.9.2", "4.0.0")),
    "litellm": ("1.63.14", "2", ("1.63.13", "2.0.0")),
    "langchain": ("0.3.45", "2", ("0.3.44", "2.0.0")),
}
UNKNOWN = [(name, version) for name, (_, _, versions) in KNOWN.items() for version in versions]


def instrument(name: str, registry: CollectorRegistry) -> None:
    """Instrument an SDK by the name of its extra."""
    getattr(MLMetrics(service="tests", registry=registry), f"instrument_{name.replace('-', '_')}")()


@pytest.mark.parametrize(("name", "version"), UNKNOWN)
def test_unknown(name: str, version: str, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not known is refused, and the message says which are."""
    monkeypatch.setattr("mlmetrics.integrations.patches.version_of", lambda _: version)
    lowest, below, _ = KNOWN[name]
    told = rf"{name}\S* {version} is installed, and .* {re.escape(lowest)} up to, .* {below};"
    with pytest.raises(ConfigurationError, match=told):
        instrument(name, registry)


@pytest.mark.parametrize("name", KNOWN)
def test_missing(name: str, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not installed is refused, with how to install it."""

    def refuse(distribution: str) -> str:
        raise importlib.metadata.PackageNotFoundError(distribution)

    monkeypatch.setattr("mlmetrics.integrations.patches.version_of", refuse)
    with pytest.raises(MissingExtraError, match=rf"instrument_{name.replace('-', '_')}\(\) .*\[{name}\]"):
        instrument(name, registry)
