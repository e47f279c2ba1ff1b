"""The page of scikit-learn: its lines to copy run as they stand."""

from tests.integrations.test_pages import blocks
from tests.scripts import run_script

COUNTED = """
from prometheus_client import REGISTRY
labels = {"service": "default", "model": "spam-filter", "outcome": "success"}
counts = [
    REGISTRY.get_sample_value("ml_inference_total", {**labels, "operation": operation})
    for operation in ("predict", "predict_proba")
]
if counts != [1, 1]:
    print(counts)
"""


def test_lines_to_copy_run() -> None:
    """They record what the page says."""
    (code,) = blocks("scikit-learn.md")
    run_script(code + COUNTED)
