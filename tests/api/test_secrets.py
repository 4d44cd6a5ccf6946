"""Canaries in every secret setting and in every address: none sings in a log, the doctor, metrics or answers."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from pydantic import BaseModel, SecretStr
from typer.testing import CliRunner

from stablehand import doctor, settings
from stablehand.cli import app, logs
from stablehand.domain.errors import BadSettings
from tests.running import free_port

CANARY = "canary-{}-4f1c9e"

#: every setting that is a secret, or an address that one may stand in
PLACES = {
    "AUTH__SECRET_KEY": "{}-of-thirty-two-characters-at-least",
    "AUTH__OIDC__CLIENT_SECRET": "{}",
    "MAIL__SMTP_PASSWORD": "{}",
    "STORAGE__SECRET_ACCESS_KEY": "{}",
    "STORAGE__DATABASE_URL": "postgresql://stable:{}@127.0.0.1:1/hand?connect_timeout=1",
    "QUEUE__REDIS_URL": "redis://:{}@127.0.0.1:1/0",
    "STORAGE__ENDPOINT": "http://me:{}@127.0.0.1:1",
    "MODELS__HUB": "https://me:{}@hub.example.org",
    "MODELS__DEFAULT_MODEL": "https://models.example.org/file.safetensors?token={}",
    "API__PUBLIC_URL": "https://me:{}@pictures.example.org",
    "STORAGE__PUBLIC_URL": "https://me:{}@pictures.example.org",
}
ENVIRONMENT = {"HF_TOKEN": "{}", "AWS_SESSION_TOKEN": "{}"}


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> settings.Settings:
    for names, prefix in ((PLACES, settings.PREFIX), (ENVIRONMENT, "")):
        for name, form in names.items():
            monkeypatch.setenv(prefix + name, form.format(CANARY.format(name.lower())))
    monkeypatch.setenv("STABLEHAND_STORAGE__URL", "s3://pictures")
    monkeypatch.setenv("STABLEHAND_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("STABLEHAND_API__PORT", str(free_port()))
    return settings.load()


def test_there_is_a_canary_in_every_secret() -> None:
    """A new secret setting needs a line above."""

    def secrets_of(model: type[BaseModel], above: str = "") -> Iterator[str]:
        for name, field in model.model_fields.items():
            inner = field.annotation
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from secrets_of(inner, f"{above}{name}__")
            elif "SecretStr" in str(inner) or inner is SecretStr:
                yield f"{above}{name}".upper()

    assert set(secrets_of(settings.Settings)) <= set(PLACES)


@pytest.mark.usefixtures("table")
def test_the_doctor_is_discreet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_device", lambda _: iter(()))  # torch takes seconds to say what no secret is in
    monkeypatch.setenv("STABLEHAND_MAIL__SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("STABLEHAND_MAIL__SMTP_USER", "me")
    monkeypatch.setenv("STABLEHAND_MAIL__SMTP_PORT", "1")
    told = CliRunner().invoke(app, ["doctor"])
    assert "mail: 127.0.0.1:1 cannot be reached" in told.output
    assert "storage.endpoint = http://me:***@127.0.0.1:1" in told.output
    assert "PROBLEM" in told.output, "the places are not there"
    assert "canary" not in told.output + str(told.exception)


@pytest.mark.parametrize("kind", ["json", "text"])
def test_logs_are_discreet(table: settings.Settings, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        logs.set_up(table.observability.model_copy(update={"log_format": kind}), table.mask)
        secrets = [form.format(CANARY.format(name.lower())) for name, form in {**PLACES, **ENVIRONMENT}.items()]
        for number, secret in enumerate(secrets):
            structlog.get_logger("stablehand").warning("our own line", number=number, place=secret)
            logging.getLogger("some.library").warning("cannot reach %s", secret)
            try:
                raise OSError(f"no route to {secret}")
            except OSError:
                logging.getLogger("stablehand").exception("it broke")
        written = capsys.readouterr().err
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
    assert written.count("it broke") == written.count("our own line") == len(secrets)
    assert "no route to http://me:***@127.0.0.1:1" in written
    assert "canary" not in written
    assert sys.stderr


def test_refused_settings_are_discreet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, form in PLACES.items():
        wrong = "no form of it " + form.format(CANARY.format("wrong"))
        monkeypatch.setenv(settings.PREFIX + name, wrong)
        try:
            settings.load(data_dir=tmp_path)
        except BadSettings as refused:
            assert "canary" not in refused.message + refused.hint
        monkeypatch.delenv(settings.PREFIX + name)
