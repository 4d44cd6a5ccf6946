"""Chaos: real processes over a real database, killed again and again while they work, and a count of what is left."""

from stablehand.bench.chaos.plan import Plan
from stablehand.bench.chaos.run import run

__all__ = ["Plan", "run"]
