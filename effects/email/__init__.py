"""The email channel: messages over SMTP, as plain text and as HTML."""

import hashlib
import re
import smtplib
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.utils import format_datetime

from effects.channel import Later, NotSent, OutcomeUnknown, Outgoing
from effects.email.html import as_html
from language import tr

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_FOLDED = re.compile(r"\r?\n[ \t]")
_HEADERS = {"date", "from", "to", "subject", "message-id", "references", "in-reply-to", "x-aftersales-key", "auto-submitted"}
_DOT_AT_BEGIN = re.compile(rb"^\.", re.MULTILINE)
"""A line of a text that is a dot alone ends it (RFC 5321, 4.5.2)."""
MINUTE = 60.0
MOST_OVER_ONE = 100
"""Mails over one connection: many servers close it after some hundred."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """The SMTP server. `security` is "none", "starttls" or "tls"."""

    host: str
    port: int = 587
    sender: str = "aftersales@localhost"
    user: str | None = None
    password: str | None = None
    security: str = "starttls"
    timeout_seconds: float = 20.0
    most_per_minute: int | None = None
    """Mails that it is given within a minute at most; None: as many as there are."""


class EmailChannel:
    """Sends mails over one connection, which is kept until nothing is left to send.

    A mail is the same on every try, and those about one order are one thread. `monotonic` returns seconds of a clock that is
    never set back.
    """

    def __init__(self, server: SmtpServer | None, monotonic: Callable[[], float]) -> None:
        self._server, self._monotonic = server, monotonic
        self._smtp: smtplib.SMTP | None = None
        self._over_it = 0
        """Mails that the connection has taken."""
        self._lately: deque[float] = deque()
        """When mails were sent within the last minute."""

    def send(self, message: Outgoing) -> None:
        """Send one mail.

        Raises:
            NotSent: no server or address is set up, or the server refused it.
            Later: as many mails have left within the last minute as may.
            OutcomeUnknown: the connection broke after the text was handed over.

        """
        if self._server is None:
            raise NotSent(tr("no SMTP server is set up: set [smtp] host in the settings"), try_again=True)
        mail = compose(message, self._server.sender)
        self._keep_to_the_limit(self._server)
        smtp, is_kept = self._connection(self._server)
        try:
            try:
                hand_over(smtp, mail, self._server.sender, str(message.recipient))
            except _Broken:
                if not is_kept:
                    raise
                self.rest()  # the server has closed it while it was kept: nothing of this mail was said
                smtp, _ = self._connection(self._server)
                hand_over(smtp, mail, self._server.sender, str(message.recipient))
        except BaseException:
            self.rest()
            raise
        self._over_it += 1
        self._lately.append(self._monotonic())

    def rest(self) -> None:
        """Close the connection."""
        if self._smtp is not None:
            with suppress(OSError, smtplib.SMTPException):
                self._smtp.quit()
            self._smtp.close()
        self._smtp, self._over_it = None, 0

    def _keep_to_the_limit(self, server: SmtpServer) -> None:
        now = self._monotonic()
        while self._lately and self._lately[0] <= now - MINUTE:
            self._lately.popleft()
        if server.most_per_minute and len(self._lately) >= server.most_per_minute:
            raise Later(self._lately[0] + MINUTE - now)

    def _connection(self, server: SmtpServer) -> tuple[smtplib.SMTP, bool]:
        """Return a connection, and whether it was kept from an earlier mail."""
        if self._over_it >= MOST_OVER_ONE:
            self.rest()
        if self._smtp is not None:
            return self._smtp, True
        try:
            self._smtp = _open(server)
        except smtplib.SMTPAuthenticationError as error:
            raise NotSent(
                tr("{host} refused the password: {error}", host=server.host, error=said_by(error)), try_again=True
            ) from None
        except (OSError, smtplib.SMTPException, NotSent) as error:
            raise NotSent(
                tr("{host}:{port} cannot be reached: {error}", host=server.host, port=server.port, error=said_by(error)),
                try_again=True,
            ) from None
        return self._smtp, False


class _Broken(NotSent):
    """The connection broke before the text was handed over."""


def _open(server: SmtpServer) -> smtplib.SMTP:
    smtp = connect(server)
    try:
        if server.security == "starttls":
            encrypt(smtp)
        if server.user:
            log_in(smtp, server)
    except BaseException:
        smtp.close()
        raise
    return smtp


def connect(server: SmtpServer) -> smtplib.SMTP:
    """Connect to a server, encrypted from the beginning if it wants that."""
    if server.security == "tls":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout_seconds, context=context)
    return smtplib.SMTP(server.host, server.port, timeout=server.timeout_seconds)


def encrypt(smtp: smtplib.SMTP) -> None:
    """Encrypt a connection, and verify the server's certificate.

    Raises:
        NotSent: the server does not do it.

    """
    code, words = smtp.starttls(context=ssl.create_default_context())
    if code != 220:
        raise _refusal(code, words)


def log_in(smtp: smtplib.SMTP, server: SmtpServer) -> None:
    """Log in with the password of the settings."""
    smtp.login(server.user or "", server.password or "")


def compose(message: Outgoing, sender: str) -> EmailMessage:
    """Build the mail, and parse it again to check that no header was injected.

    Raises:
        NotSent: there is no address, a header holds a control character, or an attachment cannot be read.

    """
    if not message.recipient:
        raise NotSent(tr("no email address is known for its recipient: add it to [contacts] in the policy"), try_again=False)
    digest = _digest(message.key)
    heads = {
        "From": sender,
        "To": message.recipient,
        "Subject": message.subject.replace("=?", "= ?"),  # else the library would read it as an encoded word
        "Message-ID": f"<{digest}@{sender.rpartition('@')[2]}>",
        "X-Aftersales-Key": digest,
        "Auto-Submitted": "auto-generated",
    }
    if message.thread:
        root = f"<order-{_digest(message.thread)}@{sender.rpartition('@')[2]}>"
        heads |= {"References": root, "In-Reply-To": root}
    if message.written_at:
        heads["Date"] = format_datetime(message.written_at)
    mail = EmailMessage(policy=policy.SMTP)
    for name, value in heads.items():
        if _CONTROL.search(value):
            raise NotSent(tr("the {name} header holds a control character", name=name), try_again=False)
        mail[name] = value
    mail.set_content(message.body)
    mail.add_alternative(as_html(message.subject, message.body, message.language), subtype="html")
    mail.set_boundary(f"text-{digest}")  # the same on every try
    for one in message.attachments:
        kind, _, subtype = one.media_type.partition("/")
        mail.add_attachment(one.read(), maintype=kind, subtype=subtype, filename=one.name)
    if message.attachments:
        mail.set_boundary(f"all-{digest}")
    _check_head(mail.as_bytes())
    return mail


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _check_head(written: bytes) -> None:
    allowed = _HEADERS | {"content-type", "content-transfer-encoding", "mime-version"}
    read_back = BytesHeaderParser().parsebytes(written.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    smuggled = {name.lower() for name in read_back} - allowed
    if smuggled or any(_CONTROL.search(_FOLDED.sub(" ", str(value))) for value in read_back.values()):
        raise NotSent(
            tr("its headers would contain more than they should: {smuggled}", smuggled=sorted(smuggled)), try_again=False
        )


def hand_over(smtp: smtplib.SMTP, mail: EmailMessage, sender: str, recipient: str) -> None:
    """Hand the mail to the server; what fails before the text was sent has certainly not left."""
    try:
        smtp.ehlo_or_helo_if_needed()
        _expect(smtp.mail(sender))
        _expect(smtp.rcpt(recipient))
    except (smtplib.SMTPServerDisconnected, OSError) as error:
        raise _Broken(tr("the connection broke: {error}", error=said_by(error)), try_again=True) from None
    try:
        _expect_to_take_the_text(smtp.docmd("DATA"))
    except (smtplib.SMTPServerDisconnected, OSError) as error:
        raise NotSent(tr("the connection broke: {error}", error=said_by(error)), try_again=True) from None
    try:
        smtp.send(_DOT_AT_BEGIN.sub(b"..", mail.as_bytes()) + b".\r\n")
        code, answer = smtp.getreply()
    except (smtplib.SMTPServerDisconnected, OSError) as error:
        raise OutcomeUnknown(tr("the connection broke while the text was handed over: {error}", error=said_by(error))) from None
    if not 200 <= code < 300:
        if not 400 <= code < 600:
            raise OutcomeUnknown(tr("the server answered {code} to the text, which is neither a yes nor a no", code=code))
        raise _refusal(code, answer)


def _expect_to_take_the_text(answer: tuple[int, bytes]) -> None:
    code, words = answer
    if code != 354:
        raise _refusal(code, words)


def _expect(answer: tuple[int, bytes]) -> None:
    code, words = answer
    if not 200 <= code < 300:
        raise _refusal(code, words)


def _refusal(code: int, words: bytes | str) -> NotSent:
    text = words.decode(errors="replace") if isinstance(words, bytes) else words
    return NotSent(tr("the server refused it: {code} {given}", code=code, given=text)[:300], try_again=code < 500)


def said_by(error: Exception) -> str:
    """Return what an error says, in one line."""
    return _CONTROL.sub(" ", str(error))[:200]
