"""The two apps that `served` starts."""

from mlmetrics import instrument

from .requests import make_app

bare = make_app()
instrumented = make_app()
instrument(instrumented, service_name="benchmark")
