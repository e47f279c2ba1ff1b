"""Tests of this folder run where the SDKs are installed; those of one SDK, where it is."""

from importlib.util import find_spec

_NEEDED = {
    "test_*": "openai",
    "test_*anthropic*": "anthropic",
    "test_*google*": "google.genai",
    "test_*langchain*": "langchain_core",
    "test_*litellm*": "litellm",
    "test_*mistralai*": "mistralai",
}


def _installed(package: str) -> bool:
    """Return whether a package can be imported."""
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # of the package that contains it
        return False


collect_ignore_glob = [files for files, package in _NEEDED.items() if not _installed(package)]
