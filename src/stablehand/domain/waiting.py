"""Why a job waits although nothing is wrong, in a sentence for the person who ordered it."""

from dataclasses import dataclass
from enum import StrEnum
from math import ceil

#: Outranks every other reason: no device begins anything meanwhile.
STORAGE_FULL = "The disk that holds the pictures is full. This begins by itself as soon as some space has been freed."


class HeldBy(StrEnum):
    """What a job waits for, for programs."""

    QUEUE = "queue"  #: others come first
    LOAD = "load"  #: its checkpoint is in no agent's memory
    AGENTS = "agents"  #: none is ready
    CHECKPOINT = "checkpoint"  #: its file is missing, or it does not load
    RETRY = "retry"  #: an attempt has just failed
    LIMIT = "limit"  #: its account has as much running as it may have
    STORAGE = "storage"  #: the disk is full


@dataclass(frozen=True, slots=True)
class Hold:
    by: HeldBy
    words: str  #: a sentence for the person who ordered


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What stands between a job's next shot and its beginning."""

    checkpoint: str  #: name
    is_resident: bool  #: some live agent has it in its memory
    load_seconds: float  #: to bring it into one
    better_tier: int  #: shots of its lane in better tiers
    earlier_share: int  #: other shots of its lane that come first
    is_bound: bool  #: those are counted roughly; there are not more
    other_lanes: int  #: lanes of its pool in which others wait as well
    retry_seconds: float  #: until it may be tried again after an attempt that failed; 0: now
    running_most: int | None = None  #: shots of its account that agents may hold at once, if they hold so many


def why_waiting(wait: Wait) -> Hold | None:
    """None when it is simply next."""
    if wait.retry_seconds > 0:
        words = f"An attempt has failed. The next one begins in about {ceil(wait.retry_seconds)} s."
        return Hold(HeldBy.RETRY, words)
    if wait.running_most is not None:
        words = f"Agents are drawing {_many(wait.running_most, False)} of yours, as many as an account may have."
        return Hold(HeldBy.LIMIT, words)
    parts = []
    if wait.better_tier:
        parts.append(f"{_many(wait.better_tier, wait.is_bound)} of a better tier")
    if wait.earlier_share:
        parts.append(f"{_many(wait.earlier_share, wait.is_bound)} with an earlier share of the devices")
    ahead = f"First {'come' if wait.better_tier + wait.earlier_share > 1 else 'comes'} {' and '.join(parts)}."
    if not wait.is_resident:
        seconds = max(1, round(wait.load_seconds))
        load = f"The checkpoint {wait.checkpoint} must be loaded first, which takes about {seconds} s."
        if wait.other_lanes:
            load += " Agents stay with the checkpoints that they hold until this is more urgent."
        return Hold(HeldBy.LOAD, f"{load} {ahead}" if parts else load)
    return Hold(HeldBy.QUEUE, ahead) if parts else None


def _many(count: int, is_bound: bool) -> str:
    return f"{'at most ' if is_bound else ''}{count} picture{'' if count == 1 else 's'}"
