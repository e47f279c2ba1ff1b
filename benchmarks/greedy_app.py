"""The two apps that `greedy` starts, each with the metrics of 1,000 models beside those of its requests."""

from prometheus_fastapi_instrumentator import Instrumentator

from benchmarks.ours import SERVICE
from benchmarks.requests import make_app
from benchmarks.scrapes import Filled, Native

ours = make_app()
Filled().toolkit.metrics.instrument(ours, service_name=SERVICE)
instrumentator = make_app()
native = Native()
Instrumentator(registry=native.registry).instrument(instrumentator).expose(instrumentator)
