"""Whose turn it is: which group of pictures gets the next call, and who goes into it first.

Deficit round robin between owners, counted in floating-point operations: each call is paid for by those who were in it,
and credited in equal parts to all who could have used it. Whoever is served less than a fair share gains credit
until it is their turn, so one person's sixty-four pictures do not hold up another's single one. Among the pictures of
one owner, the one that was in the fewest calls goes first. A group is left only when another is clearly behind, because
changing groups costs time.
"""

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

#: A group keeps its turn until another lags behind it by more than so many calls' work.
STICKY_CALLS = 1.0

#: Nobody saves up, or owes, more than so many calls' work: credit is there to be spent soon.
CREDIT_CALLS = 8.0

#: What it counts to be left out of a call: else ever new siblings could keep a picture waiting.
WAITING_CALLS = 0.25

#: How far, in calls, a picture that lags behind its siblings can push forward: less than what owners owe each other.
SIBLING_CALLS = 4.0

#: Ageing: a picture that was left out of so many calls, and so many more for each that waits beside it, goes first
#: whatever its owner has had.
AGED_CALLS, AGED_CALLS_EACH = 32, 4


@dataclass(frozen=True, slots=True)
class Waiting:
    """A picture that could take part in the next call."""

    id: str
    owner: str
    group: Hashable
    operations: float  #: what its rows cost in one call, more than 0


class Turns:
    """Decides tick by tick; remembers what everybody has had."""

    def __init__(self) -> None:
        self._credit: dict[str, float] = {}  #: owner -> operations owed to them; the mean is 0
        self._calls: dict[str, int] = {}  #: picture -> calls it was in
        self._owners: dict[str, str] = {}  #: picture -> owner
        self._left_out: dict[str, int] = {}  #: picture -> calls since it was in one
        self._turn: Hashable = None
        self._call_operations = 0.0  #: what the calls of late have cost

    def next(self, waiting: Sequence[Waiting]) -> list[Waiting]:
        """The pictures of the group whose turn it is, those first that should be in the call if not all fit.

        ``waiting`` holds at least one picture.
        """
        self._meet(waiting)
        lags = self._lags(waiting)
        groups: dict[Hashable, list[Waiting]] = {}
        for one in waiting:
            groups.setdefault(one.group, []).append(one)
        behind = {key: max(lags[one.id] for one in members) for key, members in groups.items()}
        furthest = max(behind, key=behind.__getitem__)
        patience = STICKY_CALLS * self._call_operations
        if aged := [one for one in waiting if self._is_aged(one)]:
            self._turn = max(aged, key=lambda one: self._left_out[one.id]).group
        elif self._turn not in behind or behind[furthest][0] - behind[self._turn][0] > patience:
            self._turn = furthest
        return self._in_order(groups[self._turn])

    def charge(self, served: Sequence[Waiting], factor: float = 1.0) -> None:
        """Account for a call: these pictures, of those last passed to :meth:`next`, were in it.

        ``factor``: what it cost beside their operations; whoever goes in a half-empty call pays for all of it.
        """
        used = dict.fromkeys(self._credit, 0.0)
        left_out = Counter(self._owners.values())
        self._left_out = {picture_id: calls + 1 for picture_id, calls in self._left_out.items()}
        for one in served:
            used[one.owner] += one.operations * factor
            left_out[one.owner] -= 1
            self._calls[one.id] += 1
            self._left_out[one.id] = 0
        total = sum(used.values())
        fair = _fair_shares(total, {owner: used[owner] if not left_out[owner] else math.inf for owner in used})
        for owner, credit in self._credit.items():
            spent = used[owner]
            if credit > 0 and not left_out[owner]:
                # Who gets all they can use is being paid back, though their own rows may cost next to nothing.
                spent = max(spent, total / len(used))
            self._credit[owner] = credit + fair[owner] - spent
        self._call_operations = total if not self._call_operations else 0.8 * self._call_operations + 0.2 * total
        most = CREDIT_CALLS * self._call_operations
        for owner, credit in self._credit.items():
            self._credit[owner] = max(-most, min(most, credit))

    def _meet(self, waiting: Sequence[Waiting]) -> None:
        """Forget who has gone, and let newcomers begin in the middle: neither owed nor owing."""
        owners = {one.owner for one in waiting}
        kept = {owner: credit for owner, credit in self._credit.items() if owner in owners}
        mean = sum(kept.values()) / len(kept) if kept else 0.0
        self._credit = {owner: kept.get(owner, mean) - mean for owner in sorted(owners)}
        self._owners = {one.id: one.owner for one in waiting}
        self._left_out = {one.id: self._left_out.get(one.id, 0) for one in waiting}
        fewest: dict[str, int] = {}
        for one in waiting:
            if one.id in self._calls:
                fewest[one.owner] = min(fewest.get(one.owner, self._calls[one.id]), self._calls[one.id])
        self._calls = {one.id: self._calls.get(one.id, fewest.get(one.owner, 0)) for one in waiting}

    def _lags(self, waiting: Sequence[Waiting]) -> dict[str, tuple[float, float]]:
        """picture -> how far it is behind, in operations, and behind its siblings alone, in calls."""
        calls: dict[str, list[int]] = {}
        for one in waiting:
            calls.setdefault(one.owner, []).append(self._calls[one.id])
        means = {owner: sum(counts) / len(counts) for owner, counts in calls.items()}
        lags = {}
        for one in waiting:
            lag = means[one.owner] - self._calls[one.id] + WAITING_CALLS * self._left_out[one.id]
            push = max(-SIBLING_CALLS, min(SIBLING_CALLS, lag)) * self._call_operations
            lags[one.id] = (self._credit[one.owner] + push, lag)
        return lags

    def _is_aged(self, one: Waiting) -> bool:
        return self._left_out[one.id] > AGED_CALLS + AGED_CALLS_EACH * len(self._left_out)

    def _in_order(self, members: Sequence[Waiting]) -> list[Waiting]:
        """Owners take turns, whoever is owed most first; of each, the picture that was in the fewest calls."""
        credit = {one.owner: self._credit[one.owner] for one in members}
        queues: dict[str, list[Waiting]] = {}
        for one in sorted(members, key=lambda one: (self._calls[one.id], -self._left_out[one.id]), reverse=True):
            queues.setdefault(one.owner, []).append(one)
        ordered: list[Waiting] = []
        while queues:
            owner = max(queues, key=credit.__getitem__)
            one = queues[owner].pop()
            credit[owner] -= one.operations
            ordered.append(one)
            if not queues[owner]:
                del queues[owner]
        return sorted(ordered, key=lambda one: -self._left_out[one.id] if self._is_aged(one) else 0)


def _fair_shares(total: float, demands: Mapping[str, float]) -> dict[str, float]:
    """``total`` in equal parts, except that nobody gets more than they demand and the rest share what is left over."""
    shares: dict[str, float] = {}
    left = total
    for rank, owner in enumerate(sorted(demands, key=demands.__getitem__)):
        shares[owner] = min(demands[owner], left / (len(demands) - rank))
        left -= shares[owner]
    return shares
