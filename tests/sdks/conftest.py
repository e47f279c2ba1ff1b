"""Tests of this folder run where the SDKs are installed."""

from importlib.util import find_spec

if find_spec("openai") is None:
    collect_ignore_glob = ["test_*.py"]
