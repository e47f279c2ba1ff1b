"""The objectives that a new project starts with: one for the requests of each service, one for each operation."""

import json
from collections.abc import Iterable, Iterator

from mlmetrics.catalog import BATCH_JOB, Operation
from mlmetrics.monitoring.operations import REQUEST

REQUESTS_TARGET, OPERATION_TARGET = 0.995, 0.99


def starter_objectives(operations: Iterable[Operation], services: Iterable[str]) -> str:
    """Return `[[objective]]` sections: 99.5 % of the requests succeed, and 99 % of the calls of each operation.

    Batch jobs have none: they run too rarely for a share. Where services have different operations, call this once
    for each service.

    Args:
        operations: the operations that the services record.
        services: the names of the services.
    """
    names = [operation.name for operation in operations if operation.name != BATCH_JOB.name]
    return "\n".join(section for service in services for section in _of_service(service, names))


def _of_service(service: str, operations: Iterable[str]) -> Iterator[str]:
    yield _section(f"{service} requests", service, REQUEST, REQUESTS_TARGET)
    for operation in operations:
        yield _section(f"{service} {operation.replace('_', ' ')}", service, operation, OPERATION_TARGET)


def _section(name: str, service: str, operation: str, target: float) -> str:
    # A JSON string is a TOML basic string for names that the configuration takes.
    texts = (json.dumps(text, ensure_ascii=False) for text in (name, service, operation))
    lines = (f"{key} = {text}" for key, text in zip(("name", "service", "operation"), texts, strict=True))
    return "\n".join(("[[objective]]", *lines, f"target = {target:g}", ""))
