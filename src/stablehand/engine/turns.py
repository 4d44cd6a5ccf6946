"""Whose turn it is: a fair choice between groups of pictures that cannot share a call.

Each group has a clock that runs with the work done for it, divided by how many pictures wait in it; the group whose
clock is furthest behind goes next. So every picture gets the same share of the device whatever company it keeps, and
no group waits for ever: while others are served, their clocks pass it.
"""

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Turns(Generic[Key]):
    """Start-time fair queueing over groups; a newcomer starts at the clock of the one furthest behind."""

    def __init__(self) -> None:
        self._clocks: dict[Key, float] = {}
        self._pictures: dict[Key, int] = {}

    def choose(self, waiting: Mapping[Key, int]) -> Key:
        """The group to serve. ``waiting``: group -> pictures in it, at least one each; not empty."""
        floor = min((self._clocks[key] for key in waiting if key in self._clocks), default=0.0)
        self._clocks = {key: self._clocks.get(key, floor) for key in waiting}
        self._pictures = dict(waiting)
        return min(self._clocks, key=self._clocks.__getitem__)

    def charge(self, key: Key, work: float) -> None:
        """Account for work done for a group that was chosen, in any unit that is the same for all groups."""
        self._clocks[key] += work / self._pictures[key]
