"""The receivers in a cluster: an `AlertmanagerConfig` of the Prometheus operator, with the same routes and messages.

The operator takes secrets from a `Secret` only, so that none stands in a manifest.
"""

import re
from shlex import quote as quoted
from typing import Any

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.notify import Receiver, Receivers
from mlmetrics.monitoring.prometheus.alertmanager import TEST_ALERT, inhibitions, route
from mlmetrics.monitoring.prometheus.receivers import configs
from mlmetrics.monitoring.recorded import Recorded

SECRET = "mlmetrics-notify"  # noqa: S105 - the name of the Secret
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"(.*)"')
# What the operator names differently from the same word in camel case.
_NAMES = {"api_url": "apiURL", "require_tls": "requireTLS", "links": "pagerDutyLinkConfigs"}

Keys = dict[str, Any]


def secret_keys(receivers: Receivers) -> dict[str, Receiver]:
    """Return the receivers whose secrets the Secret must hold, by the key there."""
    named = ((path.removeprefix("notify.").replace(".", "-"), receiver) for path, receiver in receivers.named())
    return {key: receiver for key, receiver in named if _is_in_secret(receiver)}


def advice(config: Config) -> str:
    """Return the comment that says how to make the Secret; empty if no receiver has a secret."""
    parts = [
        f"--from-file={key}={quoted(receiver.file)}" if receiver.file else f"--from-literal={key}=..."
        for key, receiver in secret_keys(config.receivers).items()
    ]
    place = f" --namespace {config.kubernetes_namespace}" if config.kubernetes_namespace else ""
    command = f"kubectl create secret generic {SECRET}{place} {' '.join(parts)}"
    return f"# Its secrets stand in a Secret that you make: {command}\n" if parts else ""


def spec(config: Config) -> Keys:
    """Return the routes, inhibitions and receivers, for the alerts of this configuration and the test only."""
    names = sorted({*Recorded.of(config).alerts, TEST_ALERT})
    ours = {"name": "alertname", "matchType": "=~", "value": "|".join(names)}
    return {
        "route": {**_route(route(config)), "matchers": [ours]},
        "inhibitRules": [
            {
                "sourceMatch": [ours, *_matchers(rule["source_matchers"])],
                "targetMatch": [ours, *_matchers(rule["target_matchers"])],
                "equal": rule["equal"],
            }
            for rule in inhibitions(config)
        ],
        "receivers": [_receiver(config, name) for name in config.receivers.places],
    }


def _route(found: Keys) -> Keys:
    keys = {_camel(key): value for key, value in found.items()}
    if "matchers" in keys:
        keys["matchers"] = _matchers(keys["matchers"])
    if "routes" in keys:
        keys["routes"] = [_route(each) for each in keys["routes"]]
    return keys


def _matchers(texts: list[str]) -> list[Keys]:
    found = [match for text in texts if (match := _MATCHER.fullmatch(text))]
    return [{"name": match[1], "matchType": match[2], "value": match[3]} for match in found]


def _receiver(config: Config, name: str) -> Keys:
    place = config.receivers.places[name]
    found = configs(config, place)
    receivers = {
        f"{kind}Configs": [_keys(f"{name}-{kind}", receiver, found[f"{kind}_configs"][0])]
        for kind, receiver in place.receivers.items()
    }
    return {"name": name, **receivers}


def _keys(key: str, receiver: Receiver, found: Keys) -> Keys:
    """Return the keys of one receiver as the operator names them, its secret as a reference to the Secret."""
    credential = receiver.credential
    rest = {name: value for name, value in found.items() if name not in (f"{credential}_file", credential)}
    keys = {_camel(name): _value(name, value) for name, value in rest.items()}
    if _is_in_secret(receiver):
        name = "urlSecret" if credential == "url" else _camel(credential)
        return {name: {"name": SECRET, "key": key}, **keys}
    return {credential: found[credential], **keys} if credential in found else keys


def _value(name: str, value: Any) -> Any:
    if name == "links":
        return [{"href": each["href"], "alt": each["text"]} for each in value]
    return [{"key": key, "value": text} for key, text in value.items()] if isinstance(value, dict) else value


def _is_in_secret(receiver: Receiver) -> bool:
    """Tell whether a secret must stand in the Secret; the operator takes the plain address of a webhook."""
    return receiver.file is not None or (receiver.literal is not None and receiver.credential != "url")


def _camel(name: str) -> str:
    """Return the name of a key as the operator writes it."""
    if name in _NAMES:
        return _NAMES[name]
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
