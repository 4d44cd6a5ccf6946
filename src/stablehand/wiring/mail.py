"""How letters leave, and how they are written."""

from stablehand.adapters.mailing import FolderMailer, SmtpMailer
from stablehand.ports import Mailer
from stablehand.services import Services
from stablehand.services.mail import MailChannel
from stablehand.services.manners import Manners
from stablehand.settings import Settings
from stablehand.wiring.folders import secret_key


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
