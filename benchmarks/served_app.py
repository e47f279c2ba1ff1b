"""The two apps that `served` starts."""

from benchmarks.requests import make_app
from mlmetrics import instrument

bare = make_app()
instrumented = make_app()
instrument(instrumented, service_name="benchmark")
