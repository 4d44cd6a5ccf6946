"""Agents and their tokens."""

import hashlib
import re

from stablehand.domain.agents import Agent
from stablehand.domain.errors import InvalidFields
from stablehand.services import Services
from stablehand.services.identity import new_id

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
    """All that were ever registered, by name."""
    return services.store.list_agents()
