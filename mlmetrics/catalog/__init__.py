"""Every metric that mlmetrics exports, one row each, and the operations, one row each; a file for each domain.

Code, rules, dashboards, reference docs and tests read these tables; adding a metric, or an operation,
means adding a row.
"""

from mlmetrics.catalog.agents import AGENT, TOOL
from mlmetrics.catalog.batch_jobs import BATCH_JOB
from mlmetrics.catalog.documents import MATCHING, PARSING
from mlmetrics.catalog.measuring import MEASURING, RECORDING_PLACES
from mlmetrics.catalog.metric import Kind, Metric
from mlmetrics.catalog.models import INFERENCE, TOKEN_TYPES
from mlmetrics.catalog.operation import Operation
from mlmetrics.catalog.requests import BODY_SIZES, REQUESTS, WEBSOCKETS

__all__ = [
    "AGENT",
    "BATCH_JOB",
    "BY_NAME",
    "INFERENCE",
    "MATCHING",
    "METRICS",
    "OPERATIONS",
    "OUTCOMES",
    "PARSING",
    "RECORDING_PLACES",
    "SHIPPED",
    "TOKEN_TYPES",
    "TOOL",
    "Kind",
    "Metric",
    "Operation",
]

OUTCOMES = ("success", "failure", "cancelled")
OPERATIONS: tuple[Operation, ...] = (INFERENCE, PARSING, MATCHING, BATCH_JOB, TOOL, AGENT)
SHIPPED: dict[str, Operation] = {operation.name: operation for operation in OPERATIONS}
METRICS: tuple[Metric, ...] = (
    *REQUESTS,
    *BODY_SIZES,
    *WEBSOCKETS,
    *(metric for operation in OPERATIONS for metric in operation.metrics),
    *MEASURING,
)
BY_NAME: dict[str, Metric] = {metric.name: metric for metric in METRICS}
