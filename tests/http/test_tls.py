"""The small server with a certificate, asked by clients that trust its authority, and by others."""

import socket
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from prometheus_client import CollectorRegistry

from mlmetrics import ConfigurationError, MLMetrics
from mlmetrics.http.serving import start_metrics_server
from tests.integration.certificates import Authority

Files = tuple[Path, Path]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return an authority of the test's own."""
    return Authority(tmp_path)


@pytest.fixture
def files(authority: Authority) -> Files:
    """Return a certificate for this machine, and its key."""
    return authority.certificate("metrics")


@pytest.fixture
def trusting(authority: Authority) -> ssl.SSLContext:
    """Return what makes a client trust the authority."""
    return ssl.create_default_context(cafile=str(authority.path))


class TestCertificate:
    """`certfile=` and `keyfile=` of `start_metrics_server`."""

    def test_a_client_that_trusts_the_authority(
        self, files: Files, trusting: ssl.SSLContext, registry: CollectorRegistry
    ) -> None:
        """It gets the metrics, with the token if there is one."""
        cert, key = files
        with start_metrics_server(0, registry=registry, certfile=cert, keyfile=str(key), token="secret") as server:  # noqa: S106 (of tests only)
            url = f"https://127.0.0.1:{server.port}/metrics"
            assert 401 == httpx.get(url, verify=trusting).status_code
            answer = httpx.get(url, verify=trusting, headers={"Authorization": "Bearer secret"})
        assert 200 == answer.status_code
        assert "mlmetrics_build_info" in answer.text

    def test_a_key_in_the_same_file(self, files: Files, trusting: ssl.SSLContext, tmp_path: Path) -> None:
        """One file may have both; the toolkit's method takes it too."""
        both = tmp_path / "both.pem"
        both.write_bytes(b"".join(path.read_bytes() for path in files))
        metrics = MLMetrics(registry=CollectorRegistry())
        with metrics.start_metrics_server(0, certfile=both) as server:
            assert 200 == httpx.get(f"https://127.0.0.1:{server.port}", verify=trusting).status_code

    def test_clients_without_tls_and_without_trust_get_nothing(
        self, files: Files, trusting: ssl.SSLContext, registry: CollectorRegistry, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """They are let go without a word, and the next one is served."""
        with start_metrics_server(0, registry=registry, certfile=files[0], keyfile=files[1]) as server:
            with pytest.raises(httpx.HTTPError):
                httpx.get(f"http://127.0.0.1:{server.port}")
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                httpx.get(f"https://127.0.0.1:{server.port}")
            assert 200 == httpx.get(f"https://127.0.0.1:{server.port}", verify=trusting).status_code
        assert "" == capfd.readouterr().err

    def test_a_handshake_that_takes_long_holds_up_nobody(
        self, files: Files, trusting: ssl.SSLContext, registry: CollectorRegistry
    ) -> None:
        """A client that connects and says nothing has a thread of its own."""
        with (
            start_metrics_server(0, registry=registry, certfile=files[0], keyfile=files[1]) as server,
            socket.create_connection(("127.0.0.1", server.port)),
        ):
            assert 200 == httpx.get(f"https://127.0.0.1:{server.port}", verify=trusting).status_code

    def test_a_key_without_its_certificate_is_a_clear_error(self, files: Files, registry: CollectorRegistry) -> None:
        """Metrics that should be secured are never served without."""
        with pytest.raises(ConfigurationError, match=r"keyfile=.*there is no certfile"):
            start_metrics_server(0, registry=registry, keyfile=files[1])

    def test_wrong_files_are_clear_errors(
        self, files: Files, authority: Authority, tmp_path: Path, registry: CollectorRegistry
    ) -> None:
        """The error names both files, and nobody is asked for a passphrase."""
        cert, key = files
        (tmp_path / "text").write_text("no certificate", encoding="utf-8")
        locked = tmp_path / "locked.key"
        loaded: Any = serialization.load_pem_private_key(key.read_bytes(), None)
        secret = serialization.BestAvailableEncryption(b"passphrase")
        locked.write_bytes(loaded.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret))
        other = authority.certificate("other")[1]
        wrong: list[tuple[Any, Any]] = [
            (cert, None),
            (cert, other),
            (cert, locked),
            (cert, cert),
            (tmp_path / "text", key),
            (tmp_path / "missing", key),
            (tmp_path, key),
            (7.5, key),
        ]
        for certfile, keyfile in wrong:
            with pytest.raises(ConfigurationError, match=r"certfile=.*keyfile=.*in PEM"):
                start_metrics_server(0, registry=registry, certfile=certfile, keyfile=keyfile)
