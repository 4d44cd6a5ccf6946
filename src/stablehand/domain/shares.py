"""Fair shares of device time between accounts: start-time fair queueing.

Each shot gets a tag when it is submitted, and a lane is claimed in order of tags, so that fairness costs one index
scan. Tags are in virtual seconds: a shot of ``cost`` moves its account's clock by ``cost / weight``, so an account of
weight 4 may use four times the device time of one of weight 1 before it stands behind it. An account that was idle does
not save up: it starts at the virtual time V, which is the largest tag that was ever claimed.

Source: Goyal, Vin, Cheng, "Start-time Fair Queueing" (SIGCOMM 1996). For accounts i and j that both wait all the
time, the work they got, over their weights, differs by at most ``max_cost_i / weight_i + max_cost_j / weight_j``.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tagged:
    """Where shots stand in the order of claims, and where their account's clock stands after them."""

    tags: tuple[float, ...]  #: one for each shot, in the order given
    finish: float  #: the account's clock, in virtual seconds


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queued shot, as shares see it."""

    shot_id: str
    tag: float
    cost: float  #: device-seconds, or any unit that all shots share


@dataclass(frozen=True, slots=True)
class GivenBack:
    """Cost that an account was charged for a shot and did not use: it was cancelled, or ended without a picture."""

    tag: float  #: of that shot
    cost: float  #: the unused part


@dataclass(frozen=True, slots=True)
class Retagged:
    tags: dict[str, float]  #: shot id -> new tag, only where it moved
    finish: float  #: the account's clock afterwards


def settled(finish: float, *, owed: float, due: float, has_queued: bool) -> tuple[float, float]:
    """(clock, still owed) after what delivered pictures took has been held against what they were reckoned at.

    The clock goes back only while nothing of the account is queued: its shots would else be overtaken by later ones.

    Args:
        finish: the account's clock.
        owed: by which it goes back as soon as it may; not more than 0.
        due: virtual seconds by which what was delivered since took longer than reckoned; less than 0: shorter.
    """
    due += owed
    owed = min(0.0, due) if has_queued else 0.0
    return finish + due - owed, owed


def tag_shots(costs: Iterable[float], *, virtual_time: float, finish: float, weight: float) -> Tagged:
    """Tags for the shots of a new job: each starts when the account's clock says so, but never in the past.

    Args:
        costs: of the shots, in their order.
        virtual_time: V, the largest tag that was ever claimed; 0 before the first claim.
        finish: the account's clock before them; 0 for a new account.
        weight: of the job's tier; more than 0.
    """
    if weight <= 0:
        raise ValueError(f"a weight must be more than 0, not {weight}")
    tags = []
    for cost in costs:
        start = max(virtual_time, finish)
        tags.append(start)
        finish = start + cost / weight
    return Tagged(tuple(tags), finish)


def retag(
    waiting: Iterable[Waiting],
    *,
    given_back: Iterable[GivenBack],
    virtual_time: float,
    finish: float,
    weight: float,
) -> Retagged:
    """Move an account's queued shots forward by the cost it was charged for nothing.

    Only shots behind a given-back one move, no tag rises, none falls below V (what passed while the shot waited is not
    paid out later), and the shots keep their order and the distances that their costs demand.

    Args:
        waiting: the account's queued shots without those that were taken away, in any order.
        given_back: what it did not use, of shots that were queued or running, in any order.
        virtual_time: V.
        finish: the account's clock.
        weight: of the tier in which both were charged.
    """
    if weight <= 0:
        raise ValueError(f"a weight must be more than 0, not {weight}")
    refunds = sorted(given_back, key=lambda entry: entry.tag, reverse=True)
    credit = 0.0  # virtual seconds by which the shots from here on may move
    moved: dict[str, float] = {}
    for shot in sorted(waiting, key=lambda entry: (entry.tag, entry.shot_id)):
        while refunds and refunds[-1].tag <= shot.tag:
            credit += refunds.pop().cost / weight
        tag = min(shot.tag, max(virtual_time, shot.tag - credit))
        credit = shot.tag - tag
        if tag < shot.tag:
            moved[shot.shot_id] = tag
    credit += sum(entry.cost for entry in refunds) / weight
    return Retagged(moved, finish - credit)
