"""What is left after the chaos: counted in plain SQL and in the notices that arrived, not by the code under test."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from stablehand.bench.chaos.bookkeeping import keep_books, read_diary


@dataclass(frozen=True, slots=True)
class Verdict:
    """Everything but ``resent``, which is allowed, should be 0; seconds are those of the ledger."""

    shots: int  #: pictures in jobs that were answered with 202
    lost: int  #: of those: without a result, or whose bytes are gone
    double_results: int
    double_charges: int
    missing_charges: int
    double_jobs: int  #: jobs that nobody was told of: an order that was carried out twice
    double_notices: int  #: events that were told under more than one id
    lost_notices: int  #: jobs whose end was never told
    resent: int  #: notices that arrived more than once, under one id
    dead_lettered: int
    losses: int  #: leases that were lost
    errors: int  #: attempts that ended as errors
    ledger_seconds: float  #: as Books says them, and what follows
    delivered_seconds: float
    waste_seconds: float
    ledger_differences: int
    unbooked_leases: int
    overbooked_shots: int

    @property
    def is_clean(self) -> bool:
        return not any(
            (
                self.lost,
                self.double_results,
                self.double_charges,
                self.missing_charges,
                self.double_jobs,
                self.double_notices,
                self.lost_notices,
                self.dead_lettered,
                self.ledger_differences,
                self.ledger_seconds != self.delivered_seconds,
                self.unbooked_leases,
                self.overbooked_shots,
            )
        )


def unfinished(engine: Engine) -> int:
    """Shots that are queued or run."""
    return _number(engine, "SELECT count(*) FROM shots WHERE state IN ('queued', 'running')")


def delivered(engine: Engine) -> int:
    """Pictures so far."""
    return _number(engine, "SELECT count(*) FROM charges")


def untold(engine: Engine) -> int:
    """Notices that have neither arrived nor been given up."""
    return _number(engine, "SELECT count(*) FROM outbox WHERE delivered_at IS NULL AND dead_at IS NULL")


def held_by(engine: Engine, agent_name: str) -> dict[str, int]:
    """shot id -> token of what an agent runs."""
    query = text(
        "SELECT shots.id, shots.token FROM shots JOIN agents ON agents.id = shots.agent_id"
        " WHERE shots.state = 'running' AND agents.name = :name"
    )
    with engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(query, {"name": agent_name})}


def still_held(engine: Engine, held: Mapping[str, int]) -> dict[str, int]:
    """Those of ``held`` that nobody has begun anew or ended since."""
    names = {f"id{number}": shot_id for number, shot_id in enumerate(held)}
    query = text(
        f"SELECT id, token, state FROM shots WHERE id IN ({', '.join(':' + name for name in names)})"  # noqa: S608
    )
    with engine.connect() as connection:
        rows = connection.execute(query, names).all()
    return {row[0]: row[1] for row in rows if row[1] == held[row[0]] and row[2] in ("queued", "running")}


def judge(
    engine: Engine, accepted: Mapping[str, int], objects: Path, notices: Path, agent_logs: Iterable[Path]
) -> Verdict:
    """``accepted``: job id -> pictures; ``objects``: the folder of pictures; ``notices``: lines that have arrived."""
    books = keep_books(engine, read_diary(agent_logs))
    with engine.connect() as connection:
        jobs = {row[0] for row in connection.execute(text("SELECT id FROM jobs"))}
        succeeded: Counter[str] = Counter()
        failed = 0
        for job_id, state, count in connection.execute(
            text("SELECT job_id, state, count(*) FROM shots GROUP BY job_id, state")
        ):
            if state == "succeeded":
                succeeded[job_id] += count
            elif state == "failed":
                failed += count
        images = connection.execute(text("SELECT shot_id, job_id, object_key FROM images")).all()
        charged = Counter(row[0] for row in connection.execute(text("SELECT shot_id FROM charges")))
        losses, errors = connection.execute(text("SELECT sum(losses), sum(errors) FROM shots")).one()
    pictures = Counter(row[0] for row in images)
    gone = sum(not (objects / row[2]).is_file() for row in images)
    told = _told(notices)
    missing = sum(max(0, count - succeeded[job_id]) for job_id, count in accepted.items())
    return Verdict(
        shots=sum(accepted.values()),
        lost=missing + gone + max(0, sum(succeeded.values()) - len(pictures)),
        double_results=sum(count - 1 for count in pictures.values()),
        double_charges=sum(count - 1 for count in charged.values()),
        missing_charges=len(pictures.keys() - charged.keys()),
        double_jobs=len(jobs - accepted.keys()),
        double_notices=sum(len(ids) - 1 for ids in told.values()),
        lost_notices=sum(not told.get((job_id, "job_finished", "")) for job_id in accepted),
        resent=sum(count - 1 for ids in told.values() for count in ids.values()),
        dead_lettered=failed,
        losses=int(losses or 0),
        errors=int(errors or 0),
        **asdict(books),
    )


def _told(notices: Path) -> dict[tuple[str, str, str], Counter[str]]:
    """(job, kind, what it is about) -> how often it arrived under each id."""
    told: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    if notices.exists():
        for line in notices.read_text(encoding="utf-8").splitlines():
            notice: dict[str, Any] = json.loads(line)
            about = str(notice.get("image_id", ""))
            told[notice["job_id"], notice["kind"], about][notice["id"]] += 1
    return told


def _number(engine: Engine, query: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(query)).scalar_one())
