"""The receivers in `alertmanager.yml`: their addresses and secrets from `[notify]`, and what their messages say.

Every message has the name of the alert and of the service, whether it is firing or resolved, what happened, and links
to the runbook and the dashboard. The words come from the annotations of the alerts.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import SecretStr

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.notify import Kind, Receiver, Switch

TITLE = (
    '[{{ .Status | toUpper }}{{ if eq .Status "firing" }}:{{ .Alerts.Firing | len }}{{ end }}] '
    "{{ .CommonLabels.alertname }}{{ with .CommonLabels.service }} in {{ . }}{{ end }}"
)
TEXT = """\
{{ range .Alerts }}{{ .Status | toUpper }}: {{ .Annotations.summary }}
{{ with .Annotations.description }}{{ . }}
{{ end }}{{ with .Annotations.runbook_url }}Runbook: {{ . }}
{{ end }}{{ with .Annotations.dashboard_url }}Dashboard: {{ . }}
{{ end }}Labels:{{ range .Labels.SortedPairs }} {{ .Name }}={{ .Value }}{{ end }}

{{ end }}"""
# A mail program shows this part instead of the text, with links; the text is for those that show no HTML.
HTML = """\
{{ range .Alerts }}<h3>{{ .Status | toUpper }}: {{ .Annotations.summary }}</h3>
<p>{{ .Annotations.description }}</p>
<p>{{ with .Annotations.runbook_url }}Runbook: {{ if match "^https?://" . }}<a href="{{ . }}">{{ . }}</a>\
{{ else }}{{ . }}{{ end }}<br>{{ end }}
{{ with .Annotations.dashboard_url }}Dashboard: <a href="{{ . }}">{{ . }}</a>{{ end }}</p>
<p>Labels:{{ range .Labels.SortedPairs }} {{ .Name }}={{ .Value }}{{ end }}</p>
{{ end }}"""
_RUNBOOK, _DASHBOARD = "{{ .CommonAnnotations.runbook_url }}", "{{ .CommonAnnotations.dashboard_url }}"
_COLOUR = (
    '{{ if eq .Status "resolved" }}good{{ else if eq .CommonLabels.severity "critical" }}danger'
    "{{ else }}warning{{ end }}"
)
_SEVERITY = (
    '{{ if eq .CommonLabels.severity "critical" "warning" "info" }}{{ .CommonLabels.severity }}{{ else }}info{{ end }}'
)
_PRIORITY = (
    '{{ if eq .CommonLabels.severity "critical" }}P1{{ else if eq .CommonLabels.severity "warning" }}P3'
    "{{ else }}P5{{ end }}"
)

Keys = dict[str, Any]


def receivers(config: Config) -> list[Keys]:
    """Return the receiver of each place; one without anybody to tell has only its name."""
    order = ("ticket", "page", "watchdog")
    return [{"name": name, **configs(config, config.receivers.places[name])} for name in order]


def configs(config: Config, place: Switch) -> dict[str, list[Keys]]:
    """Return what Alertmanager reads of each receiver of a place, by the key of its kind."""
    return {
        f"{kind}_configs": [{**_given(receiver), "send_resolved": True, **_MESSAGES[kind](config)}]
        for kind, receiver in place.receivers.items()
    }


def _given(receiver: Receiver) -> Keys:
    """Return the keys that the user gave: they are Alertmanager's own."""
    fields = type(receiver).model_fields.items()
    keys = {str(field.validation_alias or name): getattr(receiver, name) for name, field in fields}
    return {
        key: value.get_secret_value() if isinstance(value, SecretStr) else value
        for key, value in keys.items()
        if value is not None
    }


def _slack(_config: Config) -> Keys:
    return {"color": _COLOUR, "title": TITLE, "title_link": _DASHBOARD, "text": TEXT}


def _email(_config: Config) -> Keys:
    return {"headers": {"Subject": TITLE}, "text": TEXT, "html": HTML}


def _pagerduty(config: Config) -> Keys:
    # PagerDuty takes addresses only; a path of a runbook stands in the text.
    runbook = [{"href": _RUNBOOK, "text": "Runbook"}] if "://" in config.runbooks else []
    dashboard = [{"href": _DASHBOARD, "text": "Dashboard"}] if "://" in config.grafana else []
    return {
        "description": TITLE,
        "severity": _SEVERITY,
        "details": {"description": TEXT},
        "links": [*runbook, *dashboard],
    }


def _opsgenie(_config: Config) -> Keys:
    return {
        "message": TITLE,
        "description": TEXT,
        "priority": _PRIORITY,
        "details": {"runbook": _RUNBOOK, "dashboard": _DASHBOARD},
    }


def _webhook(_config: Config) -> Keys:
    return {}  # Alertmanager's JSON has all labels and annotations


_MESSAGES: Mapping[Kind, Callable[[Config], Keys]] = {
    "slack": _slack,
    "email": _email,
    "pagerduty": _pagerduty,
    "opsgenie": _opsgenie,
    "webhook": _webhook,
}
