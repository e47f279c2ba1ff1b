"""What a push refuses before anything is sent, with messages that say what to do and hold no secret."""

from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import ConfigurationError, DeclarationError, MLMetrics
from tests.recorded import errors

ADDRESS, TLS = "127.0.0.1:1", "https://127.0.0.1:1"


def refusal(gateway: Any = ADDRESS, job: Any = "nightly", **options: Any) -> str:
    """Return the message with which a push is refused."""
    metrics = MLMetrics(registry=CollectorRegistry())
    with pytest.raises(ConfigurationError) as caught:
        metrics.push_metrics(gateway, job, **options)
    assert {} == errors(metrics.registry)
    return str(caught.value)


class TestAddress:
    """Where a push goes."""

    @pytest.mark.parametrize(
        "gateway",
        [
            *("", "http://", "ftp://host:9091", "host:port", "host:99999", "host:0", "http://host/?a=b", "host/#a"),
            *("ho st:9091", "host\n:9091", "://host", 9091, None, b"host:9091"),
        ],
    )
    def test_what_is_no_address(self, gateway: Any) -> None:
        """The message shows it, and what is expected."""
        assert f"gateway={gateway!r}: expected host:port or an address such as" in refusal(gateway)

    def test_a_password_in_it(self) -> None:
        """It is refused with the way to give it, and not shown."""
        message = refusal("http://user:s3cret@host:9091")
        assert "basic_auth=(user, password)" in message
        assert "s3cret" not in message

    @pytest.mark.parametrize("job", ["", None, 3, "\udc80"])
    def test_a_job_that_is_none(self, job: Any) -> None:
        """The gateway wants a job."""
        assert refusal(job=job).startswith(f"job={job!r}: expected a non-empty string")

    @pytest.mark.parametrize(
        "grouping", ["instance", {"job": "other"}, {"__name__": "x"}, {"a-b": "x"}, {1: "x"}, {"a": 1}, {"a": "\udc80"}]
    )
    def test_grouping_that_makes_no_labels(self, grouping: Any) -> None:
        """Names are those that labels may have, values are texts."""
        assert refusal(grouping=grouping).startswith("grouping")


class TestOptions:
    """How a push is sent."""

    @pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), "5", None, True])
    def test_timeout(self, timeout: Any) -> None:
        """It is a number of seconds above 0."""
        assert f"timeout={timeout!r}: expected a number of seconds above 0" == refusal(timeout=timeout)

    @pytest.mark.parametrize("retries", [-1, 1.5, "3", True, None])
    def test_retries(self, retries: Any) -> None:
        """It is a whole number."""
        assert f"retries={retries!r}: expected a whole number, 0 or more" == refusal(retries=retries)

    @pytest.mark.parametrize("flag", ["push_add", "delete_at_exit", "insecure_skip_verify", "raise_on_error"])
    def test_flags(self, flag: str) -> None:
        """A text such as "false" would count as true, so it is refused."""
        assert f"{flag}='false': expected True or False" == refusal(**{flag: "false"})

    def test_unknown(self) -> None:
        """A misspelt option is named, with those that there are."""
        assert refusal(time_out=3).startswith("a push has no option time_out; it has basic_auth, ")


class TestAuthorization:
    """Who asks."""

    def test_two_ways_at_once(self) -> None:
        """A request carries one of them."""
        message = refusal(basic_auth=("user", "s3cret"), bearer_token="t0ken")  # noqa: S106 (it is refused)
        assert "basic_auth and bearer_token were both given; a request carries only one of them" == message

    @pytest.mark.parametrize(
        "pair", ["user:s3cret", ("user",), ("user", None), ["user", "s3cret"], ("us:er", "s3cret")]
    )
    def test_basic_auth(self, pair: Any) -> None:
        """It is a pair of texts; the message does not show the password."""
        message = refusal(basic_auth=pair)
        assert message.startswith("basic_auth: ")
        assert "s3cret" not in message

    @pytest.mark.parametrize("token", ["", "t0ken\n", "Bearer t0ken", "t0kén", 7])
    def test_bearer_token(self, token: Any) -> None:
        """It is what a header can hold; the message does not show it."""
        message = refusal(bearer_token=token)
        assert message.startswith("bearer_token: ")
        assert "t0k" not in message


class TestTrust:
    """Whom TLS trusts."""

    @pytest.mark.parametrize(
        "option", [{"ca_file": "ca.pem"}, {"cert_file": "c.pem"}, {"key_file": "k.pem"}, {"insecure_skip_verify": True}]
    )
    def test_tls_without_tls(self, option: Any) -> None:
        """An address without TLS would leave the option unused."""
        (name,) = option
        assert f"{name} needs TLS, and http://127.0.0.1:1 has none; expected an https:// address" == refusal(**option)

    def test_contradictions(self) -> None:
        """To trust one authority and to trust everybody is not possible; a key needs its certificate."""
        assert "contradict each other" in refusal(TLS, ca_file="ca.pem", insecure_skip_verify=True)
        assert "key_file without cert_file" in refusal(TLS, key_file="key.pem")

    @pytest.mark.parametrize("option", ["ca_file", "cert_file"])
    def test_files(self, option: str, tmp_path: Path) -> None:
        """A file that is missing, or holds something else, is named."""
        missing, other = tmp_path / "missing.pem", tmp_path / "other.pem"
        other.write_text("no certificate")
        for path in (missing, other):
            message = refusal(TLS, **{option: str(path)})
            assert message.startswith(f"{option}='{path}': ")
            assert message.endswith("; expected a readable PEM file")


class TestBatchJob:
    """`batch_job` refuses the same, when it is called."""

    def test_push_to(self, registry: CollectorRegistry) -> None:
        """Not at the end of a night's work."""
        metrics = MLMetrics(registry=registry)
        with pytest.raises(ConfigurationError, match="timeout=-1: expected a number of seconds above 0"):
            metrics.batch_job("nightly", push_to=ADDRESS, timeout=-1)

    def test_options_without_push_to(self, registry: CollectorRegistry) -> None:
        """They would be without effect."""
        with pytest.raises(ConfigurationError, match="timeout is about a push; it needs push_to as well"):
            MLMetrics(registry=registry).batch_job("nightly", timeout=3)

    @pytest.mark.parametrize("name", ["", None, 3])
    def test_name(self, name: Any, registry: CollectorRegistry) -> None:
        """A job has a name."""
        with pytest.raises(DeclarationError, match=r"batch_job\(.+\): expected a non-empty string"):
            MLMetrics(registry=registry).batch_job(name)
