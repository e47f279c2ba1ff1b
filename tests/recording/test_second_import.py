"""A second import: somebody emptied `sys.modules` of the package, as reloaders and notebooks do."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AGAIN = """
import sys
from prometheus_client import REGISTRY, Counter

def imported():
    for name in [name for name in sys.modules if name.partition(".")[0] == "mlmetrics"]:
        del sys.modules[name]
    import mlmetrics
    return mlmetrics

def successes():
    return REGISTRY.get_sample_value("ml_inference_total", {
        "service": "default", "model": "m", "operation": "", "outcome": "success"})
"""
CHANGES = """
first = imported().track_inference(model="m")(lambda: 1)
first()
second = imported().track_inference(model="m")(lambda: 2)
print(successes())
first()
second()
third = imported().track_inference(model="m")
third(lambda: 3)()
third(lambda: 3)()
print(successes())
"""
PAGES = """
from fastapi import FastAPI
from fastapi.testclient import TestClient
for _ in range(2):
    app = FastAPI()
    imported().instrument(app)
    with TestClient(app) as client:
        client.get("/nowhere")
        print([line.split()[-1] for line in client.get("/metrics").text.splitlines() if 'status="404"' in line])
"""
OWN = """
for _ in range(2):
    retrieval = imported().operation("retrieval")
    retrieval.record(0.5)
    print(REGISTRY.get_sample_value("ml_retrieval_total", {"service": "default", "outcome": "success"}))
imported().operation("embedding").record(0.5)
print(REGISTRY.get_sample_value("ml_retrieval_total", {"service": "default", "outcome": "success"}))
"""
FOREIGN = """
Counter("ml_inference_total", "By hand.", registry=REGISTRY)
for _ in range(2):
    try:
        imported().track_inference(model="m")
    except Exception as error:
        print(type(error).__name__)
"""


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (CHANGES, ["0.0", "2.0"]),
        (PAGES, ["['1.0']", "['1.0']"]),
        (OWN, ["1.0", "1.0", "None"]),
        (FOREIGN, ["RegistrationError", "RegistrationError"]),
    ],
    ids=["takes over", "serves its own page", "takes over operations", "leaves metrics written by hand"],
)
def test_second_import(script: str, expected: list[str]) -> None:
    """The last import has the registry, from 0; what was written by hand is refused by each import alike."""
    done = subprocess.run([sys.executable, "-c", AGAIN + script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (0, expected) == (done.returncode, done.stdout.split()), done.stderr
