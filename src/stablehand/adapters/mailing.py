"""Two ways for letters to leave: a mail server, or files in a folder where there is none."""

import os
import re
import smtplib
import ssl
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Literal

from stablehand.domain.letters import Letter
from stablehand.ports import LetterNotSent

TIMEOUT_SECONDS = 20.0


def compose(letter: Letter, sender: str) -> EmailMessage:
    """Raises ValueError for an address or subject with line breaks in it: no letter has headers of its reader's."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = letter.to
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    return message


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpMailer:
    """Implements ports.Mailer with a mail server."""

    sender: str
    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    user: str | None = None
    password: str | None = None
    trust: ssl.SSLContext | None = None  #: whose certificates count; None: those the system trusts

    def send(self, letter: Letter) -> None:
        message = compose(letter, self.sender)
        trust = self.trust or ssl.create_default_context()
        try:
            with (
                smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT_SECONDS, context=trust)
                if self.security == "tls"
                else smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_SECONDS)
            ) as server:
                if self.security == "starttls":
                    server.starttls(context=trust)
                if self.user is not None:
                    server.login(self.user, self.password or "")
                server.send_message(message)
        except (OSError, smtplib.SMTPException) as error:
            raise LetterNotSent(f"{self.host}:{self.port}: {type(error).__name__}: {error}") from error


class FolderMailer:
    """Implements ports.Mailer with ``.eml`` files that only this user may read, and a line on the console for each."""

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder = folder
        self._sender = sender
        self._lock = threading.Lock()

    def send(self, letter: Letter) -> None:
        data = bytes(compose(letter, self._sender))
        words = re.sub(r"[^a-z0-9]+", "-", letter.subject.lower()).strip("-")
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
