"""Letters: by a mail server over TLS, or as files."""

import email
import email.policy
import ssl
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from pydantic import SecretStr

from stablehand import doctor, settings
from stablehand.adapters.mailing import FolderMailer, SmtpMailer, compose
from stablehand.domain.letters import Enclosure, Letter, one_line
from stablehand.ports import LetterNotSent, LetterRefused, LetterTooLarge
from stablehand.services.post import Post
from stablehand.wiring import mail
from tests.certificates import own_certificate
from tests.running import free_port

LETTER = Letter(to="ada@example.org", subject="Grüße", text="Open this:\n\nhttps://house.example/reset?token=a.b-c\n")


FULL = Letter(
    to="ada@example.org",
    subject="Your picture is ready",
    text="Look at it.\n",
    html='<p>Look at it: <img src="cid:picture-1" alt="Grüße"></p>',
    pictures={"picture-1": Enclosure(name="small.jpg", media_type="image/jpeg", data=b"\xff\xd8 a picture")},
    enclosures=(Enclosure(name="Grüße.webp", media_type="image/webp", data=b"RIFF a picture"),),
    key="job-1",
    earlier="job-0",
    written_at=datetime(2026, 11, 21, 12, 31, 5, tzinfo=UTC),
    unsubscribe="https://house.example/stop/me",
)


class Box:
    """A mail server that keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.got.append(envelope)
        return "250 OK"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Certificate and key for localhost."""
    return own_certificate(tmp_path, "localhost")


@pytest.fixture(params=["starttls", "tls"])
def served(request: pytest.FixtureRequest, certificate: tuple[Path, Path]) -> Iterator[tuple[Box, SmtpMailer]]:
    """A server that takes letters over TLS, from a user with a password; and the mailer that knows all that."""
    box = Box()
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(*certificate)

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        # handled=False: the server shall say so itself.
        return AuthResult(success=(data.login, data.password) == (b"house", b"secret"), handled=False)

    # The server knows of no TLS but STARTTLS: with the other kind it must be told not to miss it.
    door: dict[str, Any] = (
        {"tls_context": own, "require_starttls": True}
        if request.param == "starttls"
        else {"ssl_context": own, "auth_require_tls": False}
    )
    controller = Controller(
        box,
        hostname="localhost",
        port=free_port(),
        auth_required=True,
        authenticator=authenticate,
        **door,
    )
    controller.start()
    yield (
        box,
        SmtpMailer(
            sender="house@example.org",
            host="localhost",
            port=controller.port,
            security=request.param,
            user="house",
            password="secret",
            trust=ssl.create_default_context(cafile=str(certificate[0])),
        ),
    )
    controller.stop()


def test_a_letter_leaves_over_tls(served: tuple[Box, SmtpMailer]) -> None:
    box, mailer = served
    mailer.send(LETTER)
    [envelope] = box.got
    assert envelope.rcpt_tos == ["ada@example.org"]
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert message["Subject"] == "Grüße"
    assert message["From"] == "house@example.org"
    assert "https://house.example/reset?token=a.b-c" in message.get_content()


def test_an_unknown_certificate_and_a_wrong_password_are_refused(served: tuple[Box, SmtpMailer]) -> None:
    box, mailer = served
    for changes in ({"trust": None}, {"password": "wrong"}):
        fields = {name: getattr(mailer, name) for name in SmtpMailer.__slots__}
        with pytest.raises(LetterNotSent):
            SmtpMailer(**{**fields, **changes}).send(LETTER)
    assert box.got == []


def examined(mailer: SmtpMailer, folder: Path, **changes: Any) -> doctor.Finding:
    """What the doctor says of a mail server."""
    table = settings.load(data_dir=folder)
    wanted = {
        "smtp_host": mailer.host,
        "smtp_port": mailer.port,
        "smtp_security": mailer.security,
        "smtp_user": mailer.user,
        "smtp_password": SecretStr(mailer.password or ""),
        **changes,
    }
    changed = table.model_copy(update={"mail": table.mail.model_copy(update=wanted)})
    (finding,) = doctor._mail(changed)
    return finding


def test_the_doctor_signs_in_and_sends_nothing(
    served: tuple[Box, SmtpMailer], certificate: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, mailer = served
    found = examined(mailer, tmp_path)
    assert (found.level, found.mend != "") == ("problem", True)
    assert "certificate that is not trusted: self-signed certificate" in found.text
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    found = examined(mailer, tmp_path)
    way = "with STARTTLS" if mailer.security == "starttls" else "over TLS"
    said = f"letters can leave by localhost:{mailer.port}, {way}, signed in as house"
    assert found == doctor.Finding("mail", "ok", said)
    found = examined(mailer, tmp_path, smtp_password=SecretStr("s"))
    assert (found.topic, found.level) == ("mail", "problem")
    assert f"localhost:{mailer.port} does not let house in: 535 5.7.8" in found.text
    assert "mail.smtp_password" in found.mend
    other = "tls" if mailer.security == "starttls" else "starttls"
    monkeypatch.setattr(mail, "_TRY_SECONDS", 0.5)
    found = examined(mailer, tmp_path, smtp_security=other)
    assert "does not answer as a mail server does" in found.text
    assert "mail.smtp_security" in found.mend
    assert box.got == []


def test_the_doctor_says_what_a_mail_server_cannot_do_and_no_password(tmp_path: Path) -> None:
    class Parrot:
        """Reads out what it does not understand."""

        async def handle_AUTH(self, server: Any, session: Any, envelope: Any, args: list[str]) -> Any:  # noqa: N802
            await server.push(f"535 no such words: {' '.join(args)}")
            return None

    controller = Controller(
        Parrot(), hostname="localhost", port=free_port(), auth_require_tls=False, auth_exclude_mechanism=["LOGIN"]
    )
    controller.start()
    mailer = SmtpMailer(
        sender="house@example.org", host="localhost", port=controller.port, security="none", user="house", password="pw"
    )
    try:
        read_out = examined(mailer, tmp_path)
        assert "does not let house in: 535 no such words: PLAIN ***" in read_out.text
        assert "plain ASCII" in examined(mailer, tmp_path, smtp_password=SecretStr("pässword")).mend
        encrypted = examined(mailer, tmp_path, smtp_security="starttls")
        assert "STARTTLS extension not supported" in encrypted.text
        assert "mail.smtp_security" in encrypted.mend
        stranger = examined(mailer, tmp_path, smtp_user=None)
        assert (stranger.level, stranger.text.split(", ")[1:]) == ("ok", ["not encrypted", "without a password"])
    finally:
        controller.stop()
    away = examined(mailer, tmp_path)
    assert (away.level, "cannot be reached" in away.text, "mail.smtp_host" in away.mend) == ("problem", True, True)
    assert "pw" not in away.text + away.mend
    assert list(doctor._mail(settings.load(data_dir=tmp_path))) == [], "without a mail server there is nothing to say"


def test_without_a_server_letters_are_files_and_a_line_on_the_console(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    FolderMailer(tmp_path / "mail", "house@example.org").send(LETTER)
    [path] = (tmp_path / "mail").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.suffix == ".eml"
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert message["To"] == "ada@example.org"
    said = capsys.readouterr().out
    assert "ada@example.org" in said
    assert str(path) in said
    assert "token" not in said


def test_nobody_writes_headers_of_a_letter(tmp_path: Path) -> None:
    mailer = FolderMailer(tmp_path, "house@example.org")
    with pytest.raises(ValueError, match=r"linefeed|newline|carriage"):
        mailer.send(Letter(to="a@example.org\nBcc: b@example.org", subject="x", text=""))
    assert list(tmp_path.iterdir()) == []


def test_a_letter_with_everything_is_built_as_mail_programs_expect(served: tuple[Box, SmtpMailer]) -> None:
    box, mailer = served
    mailer.send(FULL)
    mailer.send(FULL)
    first, again = (email.message_from_bytes(one.content, policy=email.policy.default) for one in box.got)
    assert first["Message-ID"] == again["Message-ID"] == "<job-1@example.org>", "two copies are known as one"
    assert first["In-Reply-To"] == first["References"] == "<job-0@example.org>"
    assert first["Date"].datetime == FULL.written_at
    assert first["List-Unsubscribe"] == "<https://house.example/stop/me>"
    assert first["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert first.get_content_type() == "multipart/mixed"
    words, enclosure = first.iter_parts()
    assert words.get_content_type() == "multipart/alternative"
    plain, related = words.iter_parts()
    assert plain.get_content().splitlines() == FULL.text.splitlines()
    assert related.get_content_type() == "multipart/related"
    html, picture = related.iter_parts()
    assert html.get_content().strip() == FULL.html
    assert picture["Content-ID"] == "<picture-1>"
    assert picture.get_content_disposition() == "inline"
    assert picture.get_content() == b"\xff\xd8 a picture"
    assert enclosure.get_content_disposition() == "attachment"
    assert enclosure.get_filename() == "Grüße.webp"
    assert enclosure.get_content() == b"RIFF a picture"


def test_a_link_to_unsubscribe_without_tls_is_no_button() -> None:
    letter = Letter(to="a@example.org", subject="x", text="", unsubscribe="http://house.example/stop/me")
    message = compose(letter, "house@example.org", "The House")
    assert message["List-Unsubscribe"] == "<http://house.example/stop/me>"
    assert message["List-Unsubscribe-Post"] is None
    assert message["From"] == "The House <house@example.org>"


@pytest.mark.parametrize(
    ("where", "answer", "for_good"),
    [
        ("RCPT", "550 no such mailbox", True),
        ("RCPT", "450 mailbox busy", False),
        ("DATA", "554 we do not want that", True),
        ("DATA", "451 not now", False),
        ("MAIL", "552 too large", True),
        ("DATA", "552 too large", True),
        ("MAIL", "530 sign in first", False),
    ],
)
def test_what_is_refused_for_good_is_told_from_what_may_be_tried_again(where: str, answer: str, for_good: bool) -> None:
    async def refuse(*_: Any) -> str:
        return answer

    box = Box()
    setattr(box, f"handle_{where}", refuse)
    controller = Controller(box, hostname="localhost", port=free_port())
    controller.start()
    try:
        mailer = SmtpMailer(sender="house@example.org", host="localhost", port=controller.port, security="none")
        with pytest.raises(LetterNotSent, match=answer.partition(" ")[0]) as caught:
            mailer.send(LETTER)
    finally:
        controller.stop()
    assert isinstance(caught.value, LetterRefused) is for_good
    assert isinstance(caught.value, LetterTooLarge) is answer.startswith("552")
    assert LETTER.to not in str(caught.value), "logs need not know whose it is"


def test_a_subject_is_one_line_of_a_bearable_length() -> None:
    assert one_line("a\nred\t house\u202e\0 there") == "a red house there"
    assert one_line("a red house in a meadow", 12) == "a red house…"
    assert one_line("x" * 30, 10) == "x" * 9 + "…"
    assert one_line("", 10) == ""


def test_the_post_tries_again_and_waits_for_nobody() -> None:
    tries: list[str] = []
    gate = threading.Event()

    class Sulky:
        def send(self, letter: Letter) -> None:
            gate.wait(30)
            tries.append(letter.subject)
            if letter.subject == "Grüße" and tries.count("Grüße") < 3:
                raise LetterNotSent("not now")
            if letter.subject == "unwanted":
                raise LetterRefused("never")
            if letter.subject == "broken":
                raise ValueError("a fault of ours")

    post = Post(Sulky(), pauses=(0.0, 0.0))
    for letter in (
        LETTER,
        *(Letter(to="b@example.org", subject=one, text="") for one in ("broken", "unwanted")),
        LETTER,
    ):
        post.send(letter)
    assert tries == [], "whoever sends does not wait"
    gate.set()
    post.flush()
    assert tries == ["Grüße", "Grüße", "Grüße", "broken", "unwanted", "Grüße"]
