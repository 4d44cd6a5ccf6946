"""How letters leave, and how they are written."""

import smtplib
import ssl

from stablehand.adapters.mailing import FolderMailer, SmtpMailer
from stablehand.domain.errors import BadSettings
from stablehand.ports import Mailer
from stablehand.services import Services
from stablehand.services.mail import MailChannel
from stablehand.services.manners import Manners
from stablehand.settings import Settings
from stablehand.wiring.folders import secret_key

#: that the server may be silent while it is tried out
_TRY_SECONDS = 5.0


def open_mailer(settings: Settings) -> Mailer:
    """By the configured server, else into a folder."""
    mail = settings.mail
    if mail.smtp_host is None:
        return FolderMailer(settings.data_dir / "mail", mail.sender, mail.sender_name)
    return SmtpMailer(
        sender=mail.sender,
        sender_name=mail.sender_name,
        host=mail.smtp_host,
        port=mail.smtp_port,
        security=mail.smtp_security,
        user=mail.smtp_user,
        password=None if mail.smtp_password is None else mail.smtp_password.get_secret_value(),
    )


def try_out_mail(settings: Settings) -> str | None:
    """Open the line that letters leave by, and send none; returns what to say of it. Raises BadSettings.

    None: there is no mail server.
    """
    mailer = open_mailer(settings)
    if not isinstance(mailer, SmtpMailer):
        return None
    place = f"{mailer.host}:{mailer.port}"
    try:
        with mailer.line(_TRY_SECONDS) as server:
            server.noop()
    except (OSError, smtplib.SMTPException, UnicodeError) as error:
        what, hint = _trouble(error, mailer)
        raise BadSettings(f"{place} {what}", hint=hint) from None  # what caused it may have the password in it
    way = {"starttls": "with STARTTLS", "tls": "over TLS", "none": "not encrypted"}[mailer.security]
    who = "without a password" if mailer.user is None else f"signed in as {mailer.user}"
    return f"letters can leave by {place}, {way}, {who}"


def _trouble(error: Exception, mailer: SmtpMailer) -> tuple[str, str]:
    """What the server did, and what to do about it."""
    said = mailer.discreet(error)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return (
            f"does not let {mailer.user} in: {said}",
            "Mend mail.smtp_user and mail.smtp_password; some servers want a password made for programs.",
        )
    if isinstance(error, UnicodeEncodeError):
        return "cannot be signed in to.", "Choose a mail.smtp_user and a mail.smtp_password of plain ASCII characters."
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return (
            f"cannot do what is set: {said}",
            "Mend mail.smtp_security, or leave out mail.smtp_user if it asks for none.",
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"has a certificate that is not trusted: {error.verify_message}.",
            "Set mail.smtp_host to the name in its certificate, or let this system trust who issued it.",
        )
    if isinstance(error, ssl.SSLError | smtplib.SMTPException | TimeoutError):
        return (
            f"does not answer as a mail server does: {said}",
            "Mend mail.smtp_port and mail.smtp_security: as a rule 587 with starttls, or 465 with tls.",
        )
    return (
        f"cannot be reached: {said}",
        "Mend mail.smtp_host and mail.smtp_port, or see whether this machine reaches the server.",
    )


def mail_channel(settings: Settings, services: Services) -> MailChannel:
    """The way out for letters about orders and limits."""
    mail = settings.mail
    manners = Manners(
        secret_key=secret_key(settings),
        house=mail.sender_name or "Stablehand",
        public_url=settings.api.public_url,
        attach_bytes=int(mail.attach_megabytes * 1_000_000),
        link_days=mail.link_days,
    )
    return MailChannel(services, open_mailer(settings), manners)
