"""The ledger's tables: only ever added to. The database itself refuses to change or delete a line.

Money is whole millionths of ``currency``, by the prices in force when the line was written; no currency: no price.
"""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from stablehand.store.columns import Number, Table

_UNCORRECTED = text("NOT corrected")
#: the ends of leases, and the rest; as in domain.waste.ENDS_A_LEASE
_ENDS = text("reason NOT IN ('discarded', 'refused')")
_REFUSED = text("reason = 'refused'")


class ChargeRow(Table):
    """One delivered picture, for which its account is charged. One line a shot, for ever."""

    __tablename__ = "charges"
    __table_args__ = (
        Index("charges_by_kind", "family", "device", "size_class", "number"),
        Index("charges_by_family", "family", "number"),
        Index("charges_uncorrected", "account_id", sqlite_where=_UNCORRECTED, postgresql_where=_UNCORRECTED),
        Index("charges_of_account", "account_id", "created_at"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    shot_id: Mapped[str] = mapped_column(ForeignKey("shots.id"), unique=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    job_id: Mapped[str]
    agent_id: Mapped[str]
    checkpoint_id: Mapped[str]
    pool: Mapped[str] = mapped_column(default="")
    tier: Mapped[str] = mapped_column(default="")  #: of the job
    cost: Mapped[float]  #: domain.pace.cost_of its recipe
    device_seconds: Mapped[float]  #: in all attempts that went on from each other
    held_seconds: Mapped[float] = mapped_column(default=0.0)  #: of the lease under which it was delivered
    charge_micros: Mapped[int] = mapped_column(BigInteger, default=0)  #: what the account is charged
    cost_micros: Mapped[int] = mapped_column(BigInteger, default=0)  #: what the device time costs the operator
    currency: Mapped[str] = mapped_column(String(3), default="")
    estimate_seconds: Mapped[float] = mapped_column(default=0.0)  #: what the shot's tag reckoned
    weight: Mapped[float] = mapped_column(default=1.0)  #: of the shot's tier
    corrected: Mapped[bool] = mapped_column(default=False)  #: the account's clock knows the real time; alone may change
    family: Mapped[str] = mapped_column(default="")
    device: Mapped[str] = mapped_column(default="")  #: name of the agent's device
    size_class: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]


class WasteRow(Table):
    """Device time that nobody is charged for; any number of lines a shot, but one for each end of a lease."""

    __tablename__ = "waste"
    __table_args__ = (
        Index("waste_ends", "shot_id", "token", unique=True, sqlite_where=_ENDS, postgresql_where=_ENDS),
        Index("waste_refused", "shot_id", "token", unique=True, sqlite_where=_REFUSED, postgresql_where=_REFUSED),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    shot_id: Mapped[str] = mapped_column(ForeignKey("shots.id"))
    token: Mapped[int] = mapped_column(BigInteger)  #: of the lease
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))  #: who had ordered it; it is not charged
    job_id: Mapped[str]
    agent_id: Mapped[str | None]  #: None for a saved state
    checkpoint_id: Mapped[str]
    pool: Mapped[str]
    tier: Mapped[str]
    reason: Mapped[str] = mapped_column(String(16))  #: domain.waste.Reason
    held_seconds: Mapped[float]  #: from the beginning of the lease to its end; 0 for what does not end one
    device_seconds: Mapped[float]  #: of the device, without what was saved
    cost_micros: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    began_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
