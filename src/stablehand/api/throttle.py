"""Rates: how often an address, an account or a mailbox may have something; refused with 429 and Retry-After.

What is counted lies in Redis where there is one, so that all processes count together, else in this process; while
Redis is away each process counts for itself.
"""

import functools
import math
import time
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any

import structlog
from flask import Flask, request
from flask.typing import ResponseReturnValue
from flask_limiter import ApplicationLimit, Limiter, RateLimitExceeded
from limits import RateLimitItem, parse_many
from limits.errors import StorageError
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from stablehand.api.guards import EXEMPT
from stablehand.api.options import Options
from stablehand.domain.errors import TooManyRequests

log = structlog.get_logger("stablehand.api")

#: how long Redis may take for a count: nobody's request waits longer for it
_PATIENCE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Count:
    """Something that was counted, and can be taken back."""

    rate: str
    key: tuple[str, ...]


class Throttle:
    """Counts what happens in fixed windows.

    Taking back a count after the fact, instead of counting after the fact, keeps requests that come at the same moment
    from passing together. What was refused does not count, so nobody lengthens a refusal by trying again.
    """

    def __init__(self, app: Flask, options: Options) -> None:
        self._rates = options.rates
        self._trusts_proxies = options.trusted_proxies > 0
        self._warned = False
        shared = self._rates.redis_url is not None
        rate = self._rates.requests_per_address
        storage_options: dict[str, Any] = {
            "key_prefix": f"{self._rates.redis_prefix}:rates",
            "wrap_exceptions": True,
            "socket_timeout": _PATIENCE_SECONDS,
            "socket_connect_timeout": _PATIENCE_SECONDS,
        }
        limits = [ApplicationLimit(limit_provider=rate, scope="address", exempt_when=_is_exempt)] if rate else []
        self._limiter = Limiter(
            key_func=network,
            app=app,
            application_limits=list(limits),
            storage_uri=_storage(self._rates.redis_url),
            storage_options=storage_options if shared else {},
            strategy="fixed-window",
            in_memory_fallback_enabled=shared,
        )
        self._own = FixedWindowRateLimiter(MemoryStorage())

        @app.before_request
        def look_for_proxies() -> None:
            if not (self._trusts_proxies or self._warned) and "X-Forwarded-For" in request.headers:
                self._warned = True
                log.warning(
                    "a proxy stands in front, but api.trusted_proxies is 0: all its visitors count as one address"
                )

        @app.errorhandler(RateLimitExceeded)
        def refuse(_: RateLimitExceeded) -> ResponseReturnValue:
            limit = self._limiter.current_limit
            assert limit is not None
            wait = max(1, math.ceil(limit.reset_at - time.time()))
            return app.handle_user_exception(
                TooManyRequests(
                    "Too many requests come from your address.",
                    hint="Wait as long as Retry-After says.",
                    retry_after_seconds=wait,
                )
            )

    def count(
        self, refusal: type[TooManyRequests], message: str, hint: str, rate: str | None, *key: str
    ) -> list[Count]:
        """Count one. ``rate``: None means that any number will do. Raises ``refusal``."""
        if rate is None:
            return []
        for item in _items(rate):
            if not self._hit(item, key):
                wait = self._seconds_left(item, key)
                raise refusal(message, hint=hint, retry_after_seconds=wait)
        return [Count(rate, key)]

    def count_account(self, account_id: str) -> None:
        """Count a request of an account's. Raises TooManyRequests."""
        self.count(
            TooManyRequests,
            "Too many requests come from your account.",
            "Wait as long as Retry-After says; `GET /jobs/{id}?wait=60` asks once where others ask a hundred times.",
            self._rates.requests_per_account,
            "account",
            account_id,
        )

    def take_back(self, counted: list[Count]) -> None:
        """What was counted has turned out to be harmless."""
        for count in counted:
            for item in _items(count.rate):
                self._hit(item, count.key, cost=-1)

    def _hit(self, item: RateLimitItem, key: tuple[str, ...], cost: int = 1) -> bool:
        try:
            return self._limiter.limiter.hit(item, *key, cost=cost)
        except StorageError:
            log.warning("rates cannot be counted in Redis; this process counts for itself")
            return self._own.hit(item, *key, cost=cost)

    def _seconds_left(self, item: RateLimitItem, key: tuple[str, ...]) -> int:
        try:
            reset = self._limiter.limiter.get_window_stats(item, *key).reset_time
        except StorageError:
            reset = self._own.get_window_stats(item, *key).reset_time
        return max(1, math.ceil(reset - time.time()))


def network() -> str:
    """Whence a request comes, as one who has the whole of it could not disguise: an IPv4 address, an IPv6 /64."""
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(IPv6Address(int(address) >> 64 << 64))
    return str(address)


def _is_exempt() -> bool:
    """Machines that look after each other, and the page's own files."""
    return request.path.startswith(EXEMPT) or (request.endpoint or "").startswith("page.")


@functools.cache
def _items(rate: str) -> tuple[RateLimitItem, ...]:
    """The shortest window first: what it refuses is not counted in the longer ones."""
    return tuple(sorted(parse_many(rate), key=lambda item: item.get_expiry()))


def _storage(redis_url: str | None) -> str:
    if redis_url is None:
        return "memory://"
    return redis_url.replace("unix://", "redis+unix://", 1) if redis_url.startswith("unix://") else redis_url
