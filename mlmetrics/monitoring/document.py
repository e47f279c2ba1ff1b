"""The sections of `mlmetrics.toml` as one model; which alerts and histograms it takes depends on the operations."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import Field, create_model

from mlmetrics.catalog import BY_NAME, Operation
from mlmetrics.catalog.own import operation_problem
from mlmetrics.monitoring.config import (
    AlertKeys,
    Kubernetes,
    Objective,
    Project,
    Service,
    Targets,
)
from mlmetrics.monitoring.durations import format_seconds
from mlmetrics.monitoring.notify import Receivers
from mlmetrics.monitoring.operations import OperationInUse, Requests, metrics_in_use
from mlmetrics.monitoring.reading import Expects, Section
from mlmetrics.monitoring.remote_write import RemoteWrite
from mlmetrics.monitoring.rules.alert import AlertDefinition
from mlmetrics.monitoring.rules.alerts import alert_rows
from mlmetrics.monitoring.rules.rows.own import operation_of_alert
from mlmetrics.monitoring.values import BucketBounds

InUse = Annotated[tuple[OperationInUse, ...], Expects("[[operation]] sections")]


class Operations(Section):
    """The sections that decide which others there are."""

    operation: InUse = ()


class _Sections(Section):
    """All sections but `alert` and `buckets`, which `document_of` adds."""

    project: Project = Field(default_factory=Project)
    service: Annotated[
        tuple[Service, ...],
        Field(min_length=1),
        Expects('at least one [[service]] with name = "…" and targets = ["host:port"]'),
    ]
    host: Targets = Field(default_factory=Targets, description="The node exporters to scrape.")
    pushgateway: Targets = Field(default_factory=Targets, description="The Pushgateways that batch jobs push to.")
    alertmanager: Targets = Field(default_factory=Targets, description="The Alertmanagers that Prometheus sends to.")
    remote_write: RemoteWrite = Field(default_factory=RemoteWrite)
    notify: Receivers = Field(default_factory=Receivers)
    kubernetes: Kubernetes = Field(default_factory=Kubernetes)
    requests: Requests = Field(default_factory=Requests)
    operation: InUse = ()
    objective: Annotated[tuple[Objective, ...], Expects("[[objective]] sections")] = ()


class _Alerts(Section):
    """The numbers of each alert."""

    @classmethod
    def hint(cls, key: str) -> str:
        """Return which operation would bring an alert that is not known."""
        found = operation_of_alert(key)
        return _operation_that_brings(found[0], score=found[1]) if found else ""


class _Buckets(Section):
    """The bucket bounds of services that do not use the default ones."""

    @classmethod
    def hint(cls, key: str) -> str:
        """Return which operation would bring a histogram that is not known."""
        found = _HISTOGRAM.fullmatch(key)
        return _operation_that_brings(found[1], score=found[2] == "score") if found else ""


_HISTOGRAM = re.compile(r"ml_(\w+)_(duration_seconds|score)")


def _operation_that_brings(name: str, *, score: bool) -> str:
    if operation_problem(name) is not None:
        return ""
    return f'; an operation brings it: [[operation]] with name = "{name}"{" and score = true" if score else ""}'


@cache
def document_of(own: tuple[Operation, ...]) -> type[_Sections]:
    """Return the model of a file in which these operations are declared, beside those that ship."""
    alerts = {row.name: _alert_section(row) for row in alert_rows(own)}
    histograms: dict[str, Any] = {
        name: (BucketBounds, Field(metric.buckets, description=metric.help))
        for name, metric in {**BY_NAME, **metrics_in_use(own)}.items()
        if metric.buckets
    }
    sections = {
        "alert": create_model("Alerts", __base__=_Alerts, **_optional(alerts)),
        "buckets": create_model("Buckets", __base__=_Buckets, **histograms),
    }
    return create_model("Document", __base__=_Sections, **_optional(sections))


def _alert_section(row: AlertDefinition) -> type[Section]:
    """Return the section of one alert: it has the keys for which the alert has a default."""
    keys: dict[str, Any] = {}
    for attribute, template in AlertKeys.model_fields.items():
        default = getattr(row.defaults, attribute)
        if default is not None:
            if attribute.endswith("_seconds"):
                default = format_seconds(default)  # as the user would write it
            field = Field(
                default,
                validate_default=True,
                validation_alias=template.validation_alias,
                description=template.description,
                json_schema_extra={"x-unit": row.unit} if attribute == "threshold" else template.json_schema_extra,
            )
            keys[attribute] = (Annotated[(template.annotation, *template.metadata)], field)
    return create_model(row.name, __base__=Section, **keys)


def _optional(sections: Mapping[str, type[Section]]) -> dict[str, Any]:
    """Return sections that may be left out, as pydantic's definitions of fields."""
    return {name: (section, Field(default_factory=section)) for name, section in sections.items()}
