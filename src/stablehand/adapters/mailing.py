"""Two ways for letters to leave: a mail server, or files in a folder where there is none."""

import base64
import os
import re
import smtplib
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Any, Literal

from stablehand.domain.letters import Enclosure, Letter
from stablehand.ports import LetterNotSent, LetterRefused, LetterTooLarge

TIMEOUT_SECONDS = 20.0
#: how servers say that a letter is too large (RFC 5321 §4.2.3)
_TOO_LARGE = 552
#: most characters of a file's name that come from the subject
_NAME_CHARACTERS = 60


def compose(letter: Letter, sender: str, name: str = "") -> EmailMessage:
    """The letter as MIME: mixed(alternative(text, related(html, pictures)), enclosures), each where there is one.

    Raises ValueError for an address or subject with line breaks in it: no letter has headers of its reader's.
    ``name``: of the sender, for people.
    """
    domain = sender.rpartition("@")[2]
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(name, addr_spec=sender) if name else sender
    message["To"] = letter.to
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(letter.written_at or datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=domain) if letter.key is None else f"<{letter.key}@{domain}>"
    if letter.earlier is not None:
        message["In-Reply-To"] = message["References"] = f"<{letter.earlier}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    if letter.unsubscribe is not None:
        message["List-Unsubscribe"] = f"<{letter.unsubscribe}>"
        if letter.unsubscribe.startswith("https:"):  # RFC 8058 knows no other
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(letter.text)
    if letter.html is not None:
        message.add_alternative(letter.html, subtype="html")
        [_, html] = message.iter_parts()
        assert isinstance(html, EmailMessage)
        for content_id, picture in letter.pictures.items():
            html.add_related(picture.data, **_typed(picture), cid=f"<{content_id}>", disposition="inline")
    for enclosure in letter.enclosures:
        message.add_attachment(enclosure.data, **_typed(enclosure))
    return message


def _typed(enclosure: Enclosure) -> dict[str, Any]:
    main, _, sub = enclosure.media_type.partition("/")
    return {"maintype": main, "subtype": sub, "filename": enclosure.name}


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpMailer:
    """Implements ports.Mailer with a mail server."""

    sender: str
    sender_name: str = ""
    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    user: str | None = None
    password: str | None = None
    trust: ssl.SSLContext | None = None  #: whose certificates count; None: those the system trusts

    def send(self, letter: Letter) -> None:
        message = compose(letter, self.sender, self.sender_name)
        try:
            with self.line(TIMEOUT_SECONDS) as server:
                server.send_message(message)
        except (OSError, smtplib.SMTPException) as error:
            # The address is whose it is; logs need not know it.
            said = f"{type(error).__name__}: {self.discreet(error)}".replace(letter.to, "the mailbox")
            raise _kind_of(error)(f"{self.host}:{self.port}: {said}") from error

    @contextmanager
    def line(self, timeout_seconds: float) -> Iterator[smtplib.SMTP]:
        """A line to the server, encrypted and signed in as is set. Raises OSError, smtplib.SMTPException."""
        trust = self.trust or ssl.create_default_context()
        with (
            smtplib.SMTP_SSL(self.host, self.port, timeout=timeout_seconds, context=trust)
            if self.security == "tls"
            else smtplib.SMTP(self.host, self.port, timeout=timeout_seconds)
        ) as server:
            if self.security == "starttls":
                server.starttls(context=trust)
            if self.user is not None:
                server.login(self.user, self.password or "")
            yield server

    def discreet(self, error: Exception) -> str:
        """What went wrong, without the password in any of the forms in which a server may have read it out again."""
        said = str(error)
        if isinstance(error, smtplib.SMTPResponseException):
            answer = error.smtp_error
            words = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
            said = f"{error.smtp_code} {' '.join(words.split())}"
        if self.password:
            for secret in (self.password, _base64(f"\0{self.user}\0{self.password}"), _base64(self.password)):
                said = said.replace(secret, "***")
        return said


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _kind_of(error: Exception) -> type[LetterNotSent]:
    """Whether the server wants neither this letter nor this mailbox, ever; what it holds against *us* can be mended."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        final = all(500 <= code < 600 for code, _ in error.recipients.values())
        return LetterRefused if final else LetterNotSent
    if isinstance(error, smtplib.SMTPSenderRefused | smtplib.SMTPDataError) and error.smtp_code == _TOO_LARGE:
        return LetterTooLarge
    if isinstance(error, smtplib.SMTPDataError) and 500 <= error.smtp_code < 600:
        return LetterRefused
    return LetterNotSent


class FolderMailer:
    """Implements ports.Mailer with ``.eml`` files that only this user may read, and a line on the console for each."""

    def __init__(self, folder: Path, sender: str, sender_name: str = "") -> None:
        self._folder = folder
        self._sender = sender
        self._sender_name = sender_name
        self._lock = threading.Lock()

    def send(self, letter: Letter) -> None:
        data = bytes(compose(letter, self._sender, self._sender_name))
        words = re.sub(r"[^a-z0-9]+", "-", letter.subject.lower())[:_NAME_CHARACTERS].strip("-")
        now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        path = self._folder / f"{now}-{words}.eml"
        try:
            with self._lock:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(file, "wb") as out:
                    out.write(data)
        except OSError as error:
            raise LetterNotSent(f"{path} cannot be written: {error.strerror}") from error
        sys.stdout.write(f"Mail to {letter.to}: {letter.subject} ({path})\n")
        sys.stdout.flush()
