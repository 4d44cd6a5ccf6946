"""Agents and their tokens."""

import hashlib
import re

from stablehand.domain.agents import Agent, RunningShot
from stablehand.domain.errors import InvalidFields
from stablehand.domain.standings import Standing
from stablehand.domain.versions import Expected
from stablehand.services import Services
from stablehand.services.announce import announce, work_topic
from stablehand.services.identity import new_id

REASON_MAX_CHARACTERS = 500

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def register_agent(services: Services, name: str, pool: str, token_hash: str) -> Agent:
    """Make an agent, or give an existing one of that name a new token. ``token_hash``: ``hash_token(token)``.

    Raises: InvalidFields for a bad name or an unknown pool.
    """
    found: dict[str, str] = {}
    if not _NAME.fullmatch(name):
        found["name"] = "1 to 63 letters, digits, dots, dashes and underscores, beginning with a letter or digit"
    if pool not in {known.name for known in services.pools}:
        found["pool"] = "one of: " + ", ".join(known.name for known in services.pools)
    if found:
        raise InvalidFields(found)
    return services.store.register_agent(new_id(), name, pool, token_hash)


def hash_token(token: str) -> str:
    """What the store keeps of a token (tokens are long and random, so a plain SHA-256 is enough)."""
    return hashlib.sha256(token.encode()).hexdigest()


def agent_by_token(services: Services, token: str) -> Agent:
    """Raises Unauthorized."""
    return services.store.agent_by_token_hash(hash_token(token))


def list_agents(services: Services) -> tuple[Agent, ...]:
    """All that are registered, by name."""
    return services.store.list_agents()


def get_agent(services: Services, name: str) -> Agent:
    """``name``: or id. Raises NotFound."""
    return services.store.agent(name)


def running_shots(services: Services) -> dict[str, list[RunningShot]]:
    """agent id -> what it holds, with progress where this process knows it."""
    return services.store.running_shots(progress=services.feed.progress_now())


def drain_agent(services: Services, name: str, reason: str = "") -> Agent:
    """It finishes what it holds and gets no more, until it is resumed. ``name``: or id. Raises NotFound."""
    return decide_agent(services, name, Standing.DRAINING, reason)


def pause_agent(services: Services, name: str, reason: str = "") -> Agent:
    """It gets nothing, and what it holds goes back to the queue unharmed. ``name``: or id. Raises NotFound."""
    return decide_agent(services, name, Standing.PAUSED, reason)


def resume_agent(services: Services, name: str) -> Agent:
    """It gets work again, however it came to get none. ``name``: or id. Raises NotFound."""
    return decide_agent(services, name, Standing.WORKING)


def remove_agent(services: Services, name: str, *, expected: Expected = None) -> Agent:
    """Its token is void from now on, what it holds goes back to the queue. ``name``: or id.

    Raises: NotFound, ChangedMeanwhile.
    """
    agent, changes = services.store.remove_agent(name, expected=expected)
    announce(services, changes)
    return agent


def decide_agent(
    services: Services, name: str, standing: Standing, reason: str = "", *, expected: Expected = None
) -> Agent:
    """Drain, pause or resume it, which needs no reason. ``name``: or id.

    Raises: NotFound, InvalidFields, ChangedMeanwhile.
    """
    if len(reason) > REASON_MAX_CHARACTERS:
        raise InvalidFields({"reason": f"at most {REASON_MAX_CHARACTERS} characters"})
    agent, changes = services.store.decide(
        name, standing, "" if standing is Standing.WORKING else reason, expected=expected
    )
    announce(services, changes)
    services.doorbell.ring(work_topic(agent.pool))
    return agent
