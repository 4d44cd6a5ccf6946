"""Secrets among the settings, kept out of whatever is printed or logged."""

import json
import os
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel, SecretStr

MASKED = "***"
#: Shorter ones cannot be told from ordinary words; hiding every `a` would hide the log.
_LEAST_CHARACTERS = 6
#: parts of names of query parameters and environment variables that hold secrets
_TELLING = ("key", "token", "secret", "password", "signature")
#: secrets that libraries take from the environment by themselves
_VARIABLES = ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class Mask:
    """Puts asterisks in place of secrets."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {text for text in secrets if len(text) >= _LEAST_CHARACTERS}
        known |= {json.dumps(text)[1:-1] for text in known}  # as lines of JSON spell them
        # Longer ones first: one may be part of another.
        self._secrets = sorted(known, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASKED)
        return text


def secrets_in(settings: BaseModel) -> Iterator[str]:
    """Every secret value below these settings, also those inside addresses, and those of the environment."""
    yield from _below(settings)
    yield from (os.environ[name] for name in _VARIABLES if name in os.environ)


def _below(value: object) -> Iterator[str]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _below(getattr(value, name))
    elif isinstance(value, SecretStr):
        yield value.get_secret_value()
        yield from _in_address(value.get_secret_value())
    elif isinstance(value, str):
        yield from _in_address(value)


def _in_address(text: str) -> Iterator[str]:
    """The password in an address, and what its query holds under a telling name."""
    try:
        parts = urlsplit(text)
        password = parts.password
    except ValueError:
        return
    if not parts.netloc:
        return
    for secret in [password] if password else []:
        yield secret
        yield unquote(secret)
    for name, secret in parse_qsl(parts.query):
        if any(word in name.lower() for word in _TELLING):
            yield secret
