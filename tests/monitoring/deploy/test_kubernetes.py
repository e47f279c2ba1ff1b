"""The manifests: valid by the schemas of Kubernetes and the documentation of the operator, and complete."""

import json
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]  # ships no types
import pytest
import yaml

from mlmetrics.monitoring.deploy.kubernetes import manifests
from mlmetrics.monitoring.grafana.provisioning import dashboard_texts
from mlmetrics.monitoring.loading import load, parse
from tests.monitoring.configurations import CONFIGURATIONS, ONE_SERVICE
from tests.programs import find_program

ROOT = Path(__file__).parents[3]
RECEIVERS = CONFIGURATIONS["clusters"].receivers
CONFIG = replace(load(ROOT / "mlmetrics.toml"), kubernetes_namespace="monitoring", receivers=RECEIVERS)
FILES: dict[str, dict[str, Any]] = {
    name: yaml.safe_load(text) for name, text in manifests(CONFIG, {"release": "prometheus"}).items()
}
LABELS = {"type": "object", "additionalProperties": {"type": "string", "maxLength": 63}}
DURATION = {"type": "string", "pattern": r"^(\d+(ms|[smhdwy]))+$"}
RULE = {
    "type": "object",
    "properties": {
        "alert": {"type": "string"},
        "record": {"type": "string"},
        "expr": {"type": "string"},
        "for": DURATION,
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": ["expr"],
    "oneOf": [{"required": ["alert"]}, {"required": ["record"]}],
    "additionalProperties": False,
}
ENDPOINT = {
    "type": "object",
    "properties": {"port": {"type": "string"}, "path": {"type": "string"}, "interval": DURATION},
    "required": ["port"],
    "additionalProperties": False,
}
MATCHERS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "value": {"type": "string"},
            "matchType": {"enum": ["=", "!=", "=~", "!~"]},
        },
        "required": ["name"],
        "additionalProperties": False,
    },
}
TEXT, FLAG, NAMES = {"type": "string"}, {"type": "boolean"}, {"type": "array", "items": {"type": "string"}}
OF_SECRET = {
    "type": "object",
    "properties": {"name": TEXT, "key": {"type": "string", "pattern": r"^[-._a-zA-Z0-9]+$"}},
    "required": ["name", "key"],
    "additionalProperties": False,
}
PAIRS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"key": TEXT, "value": TEXT},
        "required": ["key", "value"],
        "additionalProperties": False,
    },
}


def keys(*texts: str, **others: Any) -> dict[str, Any]:
    """Return the schema of a table with keys for texts, and others."""
    known = dict.fromkeys(texts, TEXT) | others
    return {"type": "object", "properties": known, "additionalProperties": False}


def receivers(*texts: str, **others: Any) -> dict[str, Any]:
    """Return the schema of a list of receivers of one kind."""
    return {"type": "array", "items": keys(*texts, sendResolved=FLAG, **others)}


ROUTE = keys(
    "receiver",
    groupBy=NAMES,
    groupWait=DURATION,
    groupInterval=DURATION,
    repeatInterval=DURATION,
    matchers=MATCHERS,
    routes={"type": "array", "items": {"$ref": "#/properties/route"}},
)
RECEIVER = keys(
    "name",
    slackConfigs=receivers("channel", "color", "title", "titleLink", "text", apiURL=OF_SECRET),
    pagerdutyConfigs=receivers(
        "url",
        "description",
        "severity",
        routingKey=OF_SECRET,
        details=PAIRS,
        pagerDutyLinkConfigs={"type": "array", "items": keys("href", "alt")},
    ),
    opsgenieConfigs=receivers("apiURL", "message", "description", "priority", apiKey=OF_SECRET, details=PAIRS),
    emailConfigs=receivers(
        *("to", "from", "smarthost", "authUsername", "text", "html"),
        authPassword=OF_SECRET,
        requireTLS=FLAG,
        headers=PAIRS,
    ),
    webhookConfigs=receivers("url", urlSecret=OF_SECRET),
)
# The operator's reference documentation, for the keys that are used.
SPECS = {
    "AlertmanagerConfig": {
        "type": "object",
        "properties": {
            "route": ROUTE,
            "inhibitRules": {
                "type": "array",
                "items": keys(sourceMatch=MATCHERS, targetMatch=MATCHERS, equal=NAMES),
            },
            "receivers": {"type": "array", "items": RECEIVER},
        },
        "required": ["route", "receivers"],
        "additionalProperties": False,
    },
    "PrometheusRule": {
        "type": "object",
        "properties": {
            "groups": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"name": TEXT, "interval": DURATION, "rules": {"type": "array", "items": RULE}},
                    "required": ["name"],
                    "additionalProperties": False,
                },
            }
        },
        "additionalProperties": False,
    },
    "PodMonitor": {
        "type": "object",
        "properties": {
            "jobLabel": {"type": "string"},
            "selector": {"type": "object"},
            "podMetricsEndpoints": {"type": "array", "items": ENDPOINT},
        },
        "required": ["selector", "podMetricsEndpoints"],
        "additionalProperties": False,
    },
}

custom = pytest.mark.parametrize("name", [name for name, each in FILES.items() if each["kind"] in SPECS])
plain = pytest.mark.parametrize("name", [name for name, each in FILES.items() if each["kind"] == "ConfigMap"])
resources = pytest.mark.parametrize("name", [name for name in FILES if name != "kustomization.yaml"])


class TestSchemas:
    """Every manifest is valid for its kind."""

    @plain
    def test_core(self, name: str) -> None:
        """Resources of Kubernetes are valid by its own strict schema."""
        kubernetes_validate.validate(FILES[name], "1.33", strict=True)

    def test_core_schema_refuses(self) -> None:
        """The schema refuses a misspelt key."""
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate({"apiVersion": "v1", "kind": "ConfigMap", "date": {}}, "1.33", strict=True)

    @custom
    def test_operator(self, name: str) -> None:
        """Resources of the operator have only keys that its reference documents."""
        document = FILES[name]
        version = "v1alpha1" if document["kind"] == "AlertmanagerConfig" else "v1"
        assert f"monitoring.coreos.com/{version}" == document["apiVersion"]
        assert {"apiVersion", "kind", "metadata", "spec"} == set(document)
        jsonschema.validate(document["spec"], SPECS[document["kind"]])

    @resources
    def test_metadata(self, name: str) -> None:
        """Names are valid, the namespace and the label that selects them are set."""
        metadata = FILES[name]["metadata"]
        assert "monitoring" == metadata["namespace"]
        assert "prometheus" == metadata["labels"]["release"]
        jsonschema.validate(metadata["labels"], LABELS)
        jsonschema.validate(metadata["name"], {"type": "string", "pattern": r"^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$"})


class TestReceivers:
    """The receivers of `[notify]`, as a resource of the operator."""

    def test_secrets_are_references(self) -> None:
        """Every secret is a reference to a Secret, whose making the first lines show; no path of a file is left."""
        text = manifests(CONFIG, {})["mlmetrics-notify.yaml"]
        command = text.splitlines()[1]
        files = [word.removeprefix("--from-file=") for word in shlex.split(command) if word.startswith("--from-file=")]
        assert {
            "page-slack=/run/secrets/slack",
            "page-pagerduty=/run/secrets/pagerduty",
            "page-opsgenie=/run/secrets/$opsgenie",
            "ticket-email=/run/secrets/mail",
        } == set(files)
        assert all(f"key: {file.partition('=')[0]}\n" in text for file in files)
        assert "create secret generic mlmetrics-notify --namespace monitoring" in command
        assert "/run/secrets" not in text.partition(command)[2]

    def test_literal_secrets_do_not_stand_in_it(self) -> None:
        """A secret that stands in the configuration is put into the Secret too."""
        config = parse(
            ONE_SERVICE + '[notify.page]\npagerduty = { routing_key = "s3cret" }\nwebhook = { url_file = "/run/hook" }'
        )
        text = manifests(config, {})["mlmetrics-notify.yaml"]
        assert "s3cret" not in text
        assert "--from-literal=page-pagerduty=" in text
        (page, *_) = yaml.safe_load(text)["spec"]["receivers"]
        assert {"name": "mlmetrics-notify", "key": "page-webhook"} == page["webhookConfigs"][0]["urlSecret"]
        jsonschema.validate(yaml.safe_load(text)["spec"], SPECS["AlertmanagerConfig"])

    def test_takes_only_our_alerts(self) -> None:
        """The first route, which an operator may apply to a whole cluster, has the names of our alerts and the test."""
        (matcher,) = FILES["mlmetrics-notify.yaml"]["spec"]["route"]["matchers"]
        names = {"MlmetricsTest"}
        for each in FILES.values():
            if each["kind"] == "PrometheusRule":
                names |= {
                    rule["alert"] for group in each["spec"]["groups"] for rule in group["rules"] if "alert" in rule
                }
        assert ("alertname", "=~", names) == (matcher["name"], matcher["matchType"], set(matcher["value"].split("|")))

    def test_without_receivers(self) -> None:
        """Without receivers there is no such resource: the cluster's own settings decide."""
        assert "mlmetrics-notify.yaml" not in manifests(parse(ONE_SERVICE), {})


class TestContents:
    """The contents of the manifests."""

    def test_rules_are_loaded(self, tmp_path: Path) -> None:
        """The tool promtool accepts the groups of the rule resources."""
        groups = [
            group for each in FILES.values() if each["kind"] == "PrometheusRule" for group in each["spec"]["groups"]
        ]
        path = tmp_path / "rules.yml"
        path.write_text(yaml.safe_dump({"groups": groups}))
        promtool = find_program("promtool", package="prometheus")
        done = subprocess.run([promtool, "check", "rules", str(path)], capture_output=True, text=True, check=False)
        assert 0 == done.returncode, done.stderr

    def test_jobs_are_named_as_services(self) -> None:
        """The pods' names become jobs, as rules and dashboards expect, and every service is selected."""
        spec = FILES["pod-monitor.yaml"]["spec"]
        expression = spec["selector"]["matchExpressions"][0]
        assert spec["jobLabel"] == expression["key"]
        assert [service.name for service in CONFIG.services] == expression["values"]

    @plain
    def test_dashboards_are_whole(self, name: str) -> None:
        """Each dashboard is the rendered one, found by Grafana's sidecar, and small enough for a ConfigMap."""
        document = FILES[name]
        ((key, text),) = document["data"].items()
        assert json.loads(dashboard_texts(CONFIG)[key.removesuffix(".json")]) == json.loads(text)
        assert "1" == document["metadata"]["labels"]["grafana_dashboard"]
        assert len(text) < 1_000_000

    def test_kustomization_names_all(self) -> None:
        """The kustomization lists every other file, each once."""
        assert sorted(set(FILES) - {"kustomization.yaml"}) == FILES["kustomization.yaml"]["resources"]
