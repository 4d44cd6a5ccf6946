"""The ledger after the chaos, against what agents wrote down of their deliveries, which knows nothing of it."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import fsum
from pathlib import Path

from sqlalchemy import Engine, text

#: what agents say before they deliver, and what a line that says it holds
DELIVERING = "delivering"

#: shot id and token -> device-seconds
Diary = dict[tuple[str, int], float]

#: seconds by which the clocks of an agent and of the database may differ over one lease
_CLOCKS = 0.01


@dataclass(frozen=True, slots=True)
class Books:
    ledger_seconds: float  #: in all charges
    delivered_seconds: float  #: in accepted deliveries, as their agents wrote them down
    waste_seconds: float
    ledger_differences: int  #: pictures whose charge is not what their agent wrote down
    unbooked_leases: int  #: that ended without a line of the ledger, or with more than one
    overbooked_shots: int  #: with more device time in the ledger than they were leased for


def read_diary(logs: Iterable[Path]) -> Diary:
    """From the logs of all agents. A line that was cut off when its writer was killed was not sent either."""
    diary: Diary = {}
    for log in logs:
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if f'"{DELIVERING}"' not in line:
                continue
            try:
                said = json.loads(line)
            except ValueError:
                continue
            diary |= {(shot, token): seconds for shot, token, seconds in said["pictures"]}
    return diary


def keep_books(engine: Engine, diary: Diary) -> Books:
    """In plain SQL, not by the code under test."""
    with engine.connect() as connection:
        shots = connection.execute(text("SELECT id, token, state FROM shots")).all()
        charges = connection.execute(text("SELECT shot_id, device_seconds, held_seconds FROM charges")).all()
        waste = connection.execute(text("SELECT shot_id, reason, device_seconds, held_seconds FROM waste")).all()
    tokens = {shot.id: shot.token for shot in shots}
    delivered = {shot.id: diary.get((shot.id, shot.token)) for shot in shots if shot.state == "succeeded"}
    charged = {charge.shot_id: charge.device_seconds for charge in charges}
    ended = Counter(charge.shot_id for charge in charges)
    ended.update(line.shot_id for line in waste if line.reason not in ("discarded", "refused"))
    running = {shot.id for shot in shots if shot.state == "running"}
    booked: dict[str, list[float]] = {}
    for line in [*charges, *(line for line in waste if line.reason != "refused")]:
        booked.setdefault(line.shot_id, []).extend((line.device_seconds, -line.held_seconds))
    return Books(
        ledger_seconds=fsum(charged.values()),
        delivered_seconds=fsum(seconds or 0.0 for seconds in delivered.values()),
        waste_seconds=fsum(line.device_seconds for line in waste),
        ledger_differences=sum(
            charged.get(shot_id) != delivered.get(shot_id) for shot_id in charged.keys() | delivered.keys()
        ),
        unbooked_leases=sum(abs(token - (shot_id in running) - ended[shot_id]) for shot_id, token in tokens.items()),
        overbooked_shots=sum(
            fsum(seconds) > _CLOCKS * (tokens.get(shot_id, 0) + 1) for shot_id, seconds in booked.items()
        ),
    )
