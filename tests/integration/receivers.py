"""A mail server on loopback that receives alerts."""

import ssl
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Any, Literal, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.integration.certificates import Authority
from tests.programs import HOST, free_port


class MailServer:
    """A mail server that takes mail after STARTTLS and a login as `alerts` with a password, and keeps it in `mails`."""

    def __init__(self, password: str, authority: Authority) -> None:
        self.mails: list[EmailMessage] = []
        self.port = free_port()
        self._password = password
        self._controller = Controller(
            self,
            hostname=HOST,
            port=self.port,
            authenticator=self._authenticate,
            tls_context=self._context(authority),
            auth_required=True,
            auth_exclude_mechanism=["LOGIN"],  # its questions are not those that Alertmanager knows
        )

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._controller.stop()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Keep a mail."""
        content = envelope.original_content
        assert content is not None
        mail = message_from_bytes(content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"

    def _context(self, authority: Authority) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.certificate("mail"))
        return context

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        known = isinstance(data, LoginPassword) and (b"alerts", self._password.encode()) == (data.login, data.password)
        return AuthResult(success=known, handled=False)  # the server says so


def part_of(mail: EmailMessage, kind: Literal["plain", "html"]) -> str:
    """Return the part of a mail that is of a kind."""
    part = mail.get_body((kind,))
    assert part is not None, f"no {kind} in {mail}"
    text: str = part.get_content()
    return text
