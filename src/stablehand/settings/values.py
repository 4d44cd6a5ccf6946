"""What a value may look like, and how people write it."""

import re
from ipaddress import ip_network
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BeforeValidator, SecretStr, StringConstraints
from pydantic_settings import NoDecode


def _as_list(value: Any) -> Any:
    """One value or a comma-separated text where a list is meant: how people write them in the environment."""
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            return yaml.safe_load(value)
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _origin(value: str) -> str:
    if value != "*" and not re.fullmatch(r"https?://[^/\s]+", value.rstrip("/")):
        raise ValueError("an origin is a scheme and a host, such as https://images.example.org")
    return value.rstrip("/")


def _host(value: str) -> str:
    if not re.fullmatch(r"[^/\s@]+", value):
        raise ValueError("a host is a name or an address, such as images.example.org")
    return value


def _network(value: str) -> str:
    try:
        return str(ip_network(value))
    except ValueError as error:
        raise ValueError(f"a network is written as 10.1.0.0/16 or fd00:1::/64 ({error})") from error


PoolName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
Origins = Annotated[list[Annotated[str, AfterValidator(_origin)]], NoDecode, BeforeValidator(_as_list)]
Words = Annotated[list[Annotated[str, StringConstraints(min_length=1)]], NoDecode, BeforeValidator(_as_list)]
Networks = Annotated[list[Annotated[str, AfterValidator(_network)]], NoDecode, BeforeValidator(_as_list)]
Hosts = Annotated[list[Annotated[str, AfterValidator(_host)]], NoDecode, BeforeValidator(_as_list)]


def _server(pattern: str, words: str) -> AfterValidator:
    def check(value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.match(pattern, value.get_secret_value()):
            raise ValueError(words)
        return value

    return AfterValidator(check)


#: The empty text means none: so containers spell an unset variable.
_TEXT = BeforeValidator(lambda value: None if value == "" else value)
# Secrets, because passwords stand in them.
_A_DATABASE = _server(r"postgres(ql)?(\+psycopg)?://", "a database is named as postgresql://USER:PASSWORD@HOST/NAME")
DatabaseUrl = Annotated[SecretStr | None, _TEXT, _A_DATABASE]
_A_REDIS = _server(r"(rediss?|unix)://.", "a Redis is named as redis://:PASSWORD@HOST:PORT/0, or rediss:// for TLS")
RedisUrl = Annotated[SecretStr | None, _TEXT, _A_REDIS]

_WINDOW = r"[1-9][0-9]{0,8}/([1-9][0-9]{0,3} ?)?(second|minute|hour|day)s?"


def _rate(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(rf"{_WINDOW}(; ?{_WINDOW})*", value):
        raise ValueError("a rate is a number and a time, such as 10/minute, 30/15 minutes or 10/minute;100/day")
    return value


#: how often something may happen
Rate = Annotated[str | None, _TEXT, AfterValidator(_rate)]
