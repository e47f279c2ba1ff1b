"""What all tests of models share; what needs a library is collected where it is.

`make models` installs them. Tests of one library stand in modules `test_*_<library>.py`.
"""

import os
from importlib.util import find_spec

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics

LIBRARIES = ("onnxruntime", "sentence_transformers", "sklearn", "torch", "transformers", "xgboost")
collect_ignore_glob = [f"*_{library}.py" for library in LIBRARIES if find_spec(library) is None]
OTHERS = "(huggingface_hub|sentence_transformers|torch|transformers)"

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports what would ask the net


def pytest_configure(config: pytest.Config) -> None:
    """Let the libraries warn of what they themselves do."""
    config.addinivalue_line("filterwarnings", f"ignore::Warning:{OTHERS}")
    config.addinivalue_line("filterwarnings", "ignore:.*LeafSpec:FutureWarning")  # as torch copies an exported module
    config.addinivalue_line("filterwarnings", "ignore:`torch.jit.*deprecated:DeprecationWarning")


pytest.register_assert_rewrite("tests.models.calls")


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit."""
    return MLMetrics(service="tests", registry=registry)
