"""Calls of providers, whichever SDK makes them."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from mlmetrics.integrations import layers
from tests import recorded


class TestBegin:
    """`begin`, with which each instrument begins a call."""

    @pytest.mark.parametrize("in_files", [False, True], ids=["memory", "files"])
    def test_first_call_of_a_series(
        self, registry: CollectorRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, in_files: bool
    ) -> None:
        """The first call of a series is recorded as the others are."""
        if in_files:
            monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
        metrics = MLMetrics(service="s", registry=registry)
        for _ in range(2):
            call = layers.begin(metrics, "gpt-4", "chat", "openai")
            assert call is not None
            assert 1 == recorded.in_progress(registry)
            call.returned({})
        assert 0 == recorded.in_progress(registry)
        assert 2 == recorded.outcomes(registry)["success"]
