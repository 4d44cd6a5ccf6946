"""What the doors are told about the place they stand in: plain values, chosen by wiring."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from stablehand.domain.letters import Letter
from stablehand.domain.provider import ProviderRules


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the door may be opened, with a word on each thing that was looked at."""

    ready: bool
    stored: bool  #: whether the store can be read at all
    checks: dict[str, str]  #: what was looked at -> "ok" or what is missing


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderOptions:
    """An identity provider that people may sign in by."""

    issuer: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    scopes: str = "openid email profile"
    label: str = "Sign in with your organisation"
    sign_out: bool = False  #: signing out leads on to it
    rules: ProviderRules = field(default_factory=ProviderRules)
    timeout_seconds: float = 10.0  #: for one answer of it


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountOptions:
    """What signing in is like, where people must."""

    post: Callable[[Letter], None]  #: takes a letter along and returns at once
    sign_up: Literal["open", "invitation", "closed"] = "invitation"
    session_days: float = 30.0
    password_length: int = 10
    argon2_memory_kib: int = 19_456
    argon2_rounds: int = 2
    provider: ProviderOptions | None = None  #: None: people sign in with passwords only


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How often something may happen, as ``10/15 minutes;100/day``; None: as often as one likes."""

    requests_per_address: str | None = None
    requests_per_account: str | None = None
    attempts_per_address: str | None = None  #: passwords, codes, keys and links that were wrong
    attempts_per_account: str | None = None
    letters_per_address: str | None = None  #: asked for from there
    letters_per_mailbox: str | None = None
    redis_url: str | None = None  #: where counts are kept that several processes share
    redis_prefix: str = "stablehand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    secret_key: str
    readiness: Callable[[], Readiness]
    on_hello: Callable[[str], None] = lambda agent_id: None  #: told which agent has just said hello
    static_dir: Path  #: the built page; may be missing
    accounts: AccountOptions | None = None  #: None: nobody signs in, everybody is the owner
    rates: Rates = Rates()  #: they hold where people sign in
    public_url: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: int = 0
    max_body_bytes: int = 1_048_576
    max_picture_bytes: int = 64 * 1_048_576
    save_format: str = "webp"  #: of pictures whose order names none
    quality: int = 90
    log_requests: bool = False
    metrics: bool = True
    pictures_origin: str | None = None  #: of another host that pictures may come from, such as https://pictures.example
    serves_api: bool = True  #: False: no page, no API, no agents' doors
    serves_live: bool = True  #: False: no sockets
    others_unheard: bool = False  #: other processes serve too, but nothing carries their events to us
    courier_tally: Callable[[], Mapping[tuple[str, str], int]] = dict  #: (kind, how it ended) -> tries since the start
    dispatch_tally: Callable[[], Mapping[tuple[str, str], int]] = dict  #: (channel, how it ended) -> tries, likewise
    dialect_wait_seconds: float = 300.0
    dialect_hang_up_cancels: bool = False
    #: thread budget; the rest of the server's threads stays free for short requests
    max_sockets: int = 128
    max_claims: int = 32
    max_waits: int = 48
    max_waits_an_account: int = 4
    max_zips: int = 16  #: ZIPs that are being sent
    max_zips_an_account: int = 4
