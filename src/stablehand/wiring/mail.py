"""How letters leave."""

from stablehand.adapters.mailing import FolderMailer, SmtpMailer
from stablehand.ports import Mailer
from stablehand.settings import Settings


def open_mailer(settings: Settings) -> Mailer:
    """By the configured server, else into a folder."""
    mail = settings.mail
    if mail.smtp_host is None:
        return FolderMailer(settings.data_dir / "mail", mail.sender)
    return SmtpMailer(
        sender=mail.sender,
        host=mail.smtp_host,
        port=mail.smtp_port,
        security=mail.smtp_security,
        user=mail.smtp_user,
        password=None if mail.smtp_password is None else mail.smtp_password.get_secret_value(),
    )
