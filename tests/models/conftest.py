"""What all tests of models share; what needs a library is collected where it is.

`make models` installs them. Tests of one library stand in modules `test_*_<library>.py`.
"""

from importlib.util import find_spec

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics

LIBRARIES = ("onnxruntime", "sklearn", "xgboost")
collect_ignore_glob = [f"*_{library}.py" for library in LIBRARIES if find_spec(library) is None]

pytest.register_assert_rewrite("tests.models.calls")


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit."""
    return MLMetrics(service="tests", registry=registry)
