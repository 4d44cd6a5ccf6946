"""Tables. Times are UTC; ``number`` columns only ever grow and give lists and the queue their order."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, literal, text
from sqlalchemy.orm import Mapped, mapped_column

from stablehand.store.columns import Number as Number  # noqa: PLC0414 - others find these here, with every table
from stablehand.store.columns import Table as Table  # noqa: PLC0414
from stablehand.store.columns import UtcTime as UtcTime  # noqa: PLC0414

# Conditions of partial indexes; queries must repeat them to the letter.
_QUEUED = text("state = 'queued'")
_RUNNING = text("state = 'running'")
_CLAIMED = text("token > 0")
_WAITING = text("queued > 0")
_TRASHED = text("deleted_at IS NOT NULL")
_NOTED = text("notes IS NOT NULL")
_MAY_EXPIRE = text("deleted_at IS NULL AND NOT starred")


class AccountRow(Table):
    __tablename__ = "accounts"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    tier: Mapped[str] = mapped_column(default="normal")  #: the best it may use
    created_at: Mapped[datetime]
    suspended_at: Mapped[datetime | None]
    suspended_reason: Mapped[str] = mapped_column(default="")
    deleted_at: Mapped[datetime | None]  #: its row stays for the ledger, without anything that says whose it was
    erased_at: Mapped[datetime | None]  #: nothing is left to be swept after that
    quotas: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  #: of its own; domain.quotas
    finish_tag: Mapped[float] = mapped_column(default=0.0)  #: its clock, in virtual seconds; see domain.shares
    owed_tag: Mapped[float] = mapped_column(default=0.0)  #: by which that clock goes back once nothing of it is queued


class AgentRow(Table):
    __tablename__ = "agents"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    pool: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    incarnation: Mapped[str | None]
    superseded: Mapped[list[str]] = mapped_column(default=list)  #: its latest older incarnations
    runtime: Mapped[str | None]
    kinds: Mapped[list[str]] = mapped_column(default=list)
    device: Mapped[dict[str, Any] | None]
    version: Mapped[str] = mapped_column(default="")
    ready: Mapped[bool] = mapped_column(default=False)
    draining: Mapped[bool] = mapped_column(default=False)
    seats: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(default="")  #: why its device is not ready
    present: Mapped[list[str]] = mapped_column(default=list)  #: SHA-256 of checkpoints on its disk
    resident: Mapped[list[str]] = mapped_column(default=list)  #: ids of checkpoints in its memory
    busy_share: Mapped[float | None]  #: 0 to 1: of its time, spent drawing; see domain.busy
    busy_weight: Mapped[float] = mapped_column(default=1.0)  #: domain.busy.counted_share of the lane it was given last
    last_seen_at: Mapped[datetime | None]
    loading: Mapped[str | None]  #: id of the checkpoint that it is bringing into memory

    # What was decided about it; unlike the above it outlives the process.
    standing: Mapped[str] = mapped_column(String(16), default="working")  #: domain.standings.Standing
    standing_reason: Mapped[str] = mapped_column(default="")
    standing_since: Mapped[datetime | None]
    probe_at: Mapped[datetime | None]  #: of a pause that ends by itself: when one shot is tried
    pauses: Mapped[int] = mapped_column(default=0)  #: such pauses in a row, without a picture between them
    troubles: Mapped[list[str]] = mapped_column(default=list)  #: ids of the shots it failed since its last picture
    removed_at: Mapped[datetime | None]


class CheckpointRow(Table):
    __tablename__ = "checkpoints"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    path: Mapped[str] = mapped_column(unique=True)
    family: Mapped[str]
    native_size: Mapped[int]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    stamp: Mapped[str]  #: changes when the files do; the hash belongs to it
    sha256: Mapped[str | None]
    builtin: Mapped[bool]
    inpainting: Mapped[bool] = mapped_column(default=False)
    prediction: Mapped[str | None]  #: None: neither the header nor a file beside it says
    zero_terminal_snr: Mapped[bool] = mapped_column(default=False)
    distillation: Mapped[str | None]
    source: Mapped[str | None]
    missing_since: Mapped[datetime | None]


class JobRow(Table):
    __tablename__ = "jobs"
    __table_args__ = (
        Index("jobs_of_account", "account_id", "number"),
        Index("jobs_active", "account_id", "finished_at", "number"),  # no end is an equality: the order comes for free
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    state: Mapped[str] = mapped_column(String(16))  #: domain.jobs.roll_up of its shots, kept by every change to them
    tier: Mapped[str]
    recipe: Mapped[dict[str, Any]]
    checkpoint_id: Mapped[str] = mapped_column(ForeignKey("checkpoints.id"))
    pool: Mapped[str]
    count: Mapped[int]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    retry_of: Mapped[str | None]
    notify: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  #: domain.notify.Notify
    quote: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  #: domain.quotes.Kept, as ordered


class ShotRow(Table):
    """A shot and, while it runs, its lease. Every word of an agent is checked against ``token``."""

    __tablename__ = "shots"
    __table_args__ = (
        Index(
            "shots_in_lane",
            "pool",
            "checkpoint_id",
            "tier_rank",
            "tag",
            "index",
            sqlite_where=_QUEUED,
            postgresql_where=_QUEUED,
        ),
        Index("shots_by_claimed_tag", "tag", sqlite_where=_CLAIMED, postgresql_where=_CLAIMED),
        Index("shots_queued_of_account", "account_id", sqlite_where=_QUEUED, postgresql_where=_QUEUED),
        Index("shots_leased_by", "agent_id", sqlite_where=_RUNNING, postgresql_where=_RUNNING),
        Index("shots_states_of_job", "job_id", "state"),
        Index("shots_of_job", "job_id", "index", unique=True),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    account_id: Mapped[str]
    checkpoint_id: Mapped[str]
    index: Mapped[int]
    seed: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))
    pool: Mapped[str]
    tier_rank: Mapped[int]
    weight: Mapped[float] = mapped_column(default=1.0)  #: of its tier when it was ordered; its tag was reckoned with it
    kind: Mapped[str] = mapped_column(String(16), default="text")  #: of its recipe; not every agent knows each
    tag: Mapped[float]  #: place inside its lane and tier; the smallest is claimed first
    cost: Mapped[float]  #: domain.pace.cost_of its recipe
    estimate_seconds: Mapped[float] = mapped_column(default=0.0)  #: of device time, as its tag reckons

    attempt: Mapped[int] = mapped_column(default=0)  #: how often it was begun, without what was released
    errors: Mapped[int] = mapped_column(default=0)  #: attempts that an agent reported as failed, or that took too long
    losses: Mapped[int] = mapped_column(default=0)  #: leases that were lost
    error: Mapped[dict[str, Any] | None]  #: domain.jobs.ShotError: of the last failed attempt
    image_id: Mapped[str | None]
    finished_at: Mapped[datetime | None]
    not_before: Mapped[datetime | None]  #: it may not be claimed earlier: an attempt has just failed

    token: Mapped[int] = mapped_column(BigInteger, default=0)  #: grows with every claim of this shot
    agent_id: Mapped[str | None] = mapped_column(ForeignKey("agents.id"))
    incarnation: Mapped[str | None]
    confirmed: Mapped[bool] = mapped_column(default=False)  #: a renewal has listed this lease
    leased_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]


class TallyRow(Table):
    """What one account has queued in one lane and tier: a summary of its shots there.

    Written in every transaction that queues or takes such a shot, so that claims need not count shots. Only the
    account's own orders and the claims of its own shots touch it.
    """

    __tablename__ = "tallies"
    __table_args__ = (
        Index(
            "tallies_waiting",
            "pool",
            "checkpoint_id",
            "tier_rank",
            "waiting_since",
            sqlite_where=_WAITING,
            postgresql_where=_WAITING,
        ),
    )

    pool: Mapped[str] = mapped_column(primary_key=True)
    checkpoint_id: Mapped[str] = mapped_column(primary_key=True)
    tier_rank: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    queued: Mapped[int]  #: shots
    seconds: Mapped[float]  #: estimated device time of those
    waiting_since: Mapped[datetime]  #: the later of when its oldest queued shot came and when it was last given one


class LoadRow(Table):
    """How long an agent takes to load a checkpoint: a moving average of what it measured."""

    __tablename__ = "loads"

    checkpoint_id: Mapped[str] = mapped_column(primary_key=True)
    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id"), primary_key=True)
    seconds: Mapped[float]
    measured_at: Mapped[datetime]


#: Written into the SQL as they stand, because a partial index answers only what provably lies inside it.
IS_QUEUED = ShotRow.state == literal("queued", literal_execute=True)
IS_RUNNING = ShotRow.state == literal("running", literal_execute=True)
WAS_CLAIMED = ShotRow.token > literal(0, literal_execute=True)
IS_WAITING = TallyRow.queued > literal(0, literal_execute=True)


class AttemptRow(Table):
    """An attempt that ended badly. At most ``domain.attempts.ATTEMPTS_KEPT`` a shot, swept when they are old."""

    __tablename__ = "attempts"
    __table_args__ = (
        Index("attempts_of_shot", "shot_id", "number"),
        Index("attempts_by_age", "ended_at"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    shot_id: Mapped[str]
    agent_id: Mapped[str]
    attempt: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16))  #: domain.attempts.Kind
    code: Mapped[str]
    message: Mapped[str]
    hint: Mapped[str]
    began_at: Mapped[datetime | None]
    ended_at: Mapped[datetime]


class DeadLetterRow(Table):
    """A shot that ended as failed, until somebody retries or discards it."""

    __tablename__ = "dead_letters"
    __table_args__ = (
        Index("dead_letters_of_account", "account_id", "number"),
        Index("dead_letters_of_job", "job_id"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    shot_id: Mapped[str] = mapped_column(ForeignKey("shots.id"), unique=True)
    job_id: Mapped[str]
    account_id: Mapped[str]
    checkpoint_id: Mapped[str]
    pool: Mapped[str]
    agent_id: Mapped[str | None]  #: of its last attempt
    code: Mapped[str]
    ended_at: Mapped[datetime]


class BreakerRow(Table):
    """A lane whose checkpoint did not load, as domain.breakers.Breaker says it. A lane without trouble has none."""

    __tablename__ = "breakers"

    pool: Mapped[str] = mapped_column(primary_key=True)
    checkpoint_id: Mapped[str] = mapped_column(ForeignKey("checkpoints.id"), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    failures: Mapped[int]
    crashes: Mapped[int]
    retry_at: Mapped[datetime | None]
    probe: Mapped[str | None]  #: id of the shot that is tried
    bars: Mapped[dict[str, Any]]  #: agent id -> domain.breakers.Bar
    code: Mapped[str]
    message: Mapped[str]
    hint: Mapped[str]
    changed_at: Mapped[datetime]


class ImageRow(Table):
    __tablename__ = "images"
    __table_args__ = (
        Index("images_of_account", "account_id", "number"),
        Index("images_trashed_of_account", "account_id", "number", sqlite_where=_TRASHED, postgresql_where=_TRASHED),
        Index("images_trashed", "deleted_at", sqlite_where=_TRASHED, postgresql_where=_TRASHED),
        Index("images_by_age", "created_at", sqlite_where=_MAY_EXPIRE, postgresql_where=_MAY_EXPIRE),
        Index("images_noted", "job_id", sqlite_where=_NOTED, postgresql_where=_NOTED),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    shot_id: Mapped[str] = mapped_column(ForeignKey("shots.id"), unique=True)
    index: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    format: Mapped[str]
    seed: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    starred: Mapped[bool] = mapped_column(default=False)
    deleted_at: Mapped[datetime | None]
    recipe: Mapped[dict[str, Any]]
    search_text: Mapped[str]  #: the prompt, case-folded
    checkpoint_sha256: Mapped[str | None]
    infotext: Mapped[str]
    object_key: Mapped[str]
    thumbnail_key: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    notes: Mapped[str | None]  #: codes of domain.notes, parted by spaces; None: nothing to say
    manifest: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)  #: Manifest's


class UploadRow(Table):
    """Bytes that wait for their delivery. Written before the bytes are, so that none can be forgotten."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(primary_key=True)
    shot_id: Mapped[str]
    token: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int]
    height: Mapped[int]
    format: Mapped[str]
    object_key: Mapped[str]
    thumbnail_key: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(index=True)
    staged_key: Mapped[str | None]  #: where the agent itself puts the bytes; None once they were looked at


class ParkedRow(Table):
    """The saved state of a shot that is not done: the newest one only."""

    __tablename__ = "parked"

    shot_id: Mapped[str] = mapped_column(ForeignKey("shots.id"), primary_key=True)
    token: Mapped[int] = mapped_column(BigInteger)  #: of the lease under which it was parked
    object_key: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    created_at: Mapped[datetime]
    offers: Mapped[int] = mapped_column(default=0)  #: leases that were told to go on from it

    step: Mapped[int]
    steps: Mapped[int]
    device_seconds: Mapped[float]  #: device time of all attempts that is in it
    recipe_fingerprint: Mapped[str]
    checkpoint_sha256: Mapped[str | None]
    checkpoint_stamp: Mapped[str]
    runtime: Mapped[str]
    version: Mapped[str]
    device_kind: Mapped[str]
    device_name: Mapped[str]
    precision: Mapped[str]


class DoomedObjectRow(Table):
    """An object that no row needs any more; it is deleted, then this row is."""

    __tablename__ = "doomed_objects"

    key: Mapped[str] = mapped_column(primary_key=True)
