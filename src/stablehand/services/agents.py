"""Agents and their tokens."""

from stablehand.domain.agents import Agent
from stablehand.services import Services


def register_agent(services: Services, name: str, pool: str, token_hash: str) -> Agent:
    """Make an agent, or give an existing one of that name a new token. ``token_hash``: ``hash_token(token)``.

    Raises: InvalidFields for a bad name.
    """
    raise NotImplementedError


def hash_token(token: str) -> str:
    """What the store keeps of a token (tokens are long and random, so a plain SHA-256 is enough)."""
    raise NotImplementedError


def agent_by_token(services: Services, token: str) -> Agent:
    """Raises Unauthorized."""
    raise NotImplementedError


def list_agents(services: Services) -> tuple[Agent, ...]:
    raise NotImplementedError
