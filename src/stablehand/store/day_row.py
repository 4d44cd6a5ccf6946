"""Lines of the ledger that lie some time back, summed up by day: a summary, which can be made again from them."""

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from stablehand.store.columns import Number, Table


class LedgerDayRow(Table):
    """Of the lines of one table up to ``upto``, and after those of the rows before, what is alike in all keys.

    A day may have several rows of the same keys, when its lines were summed up in several turns.
    """

    __tablename__ = "ledger_days"
    __table_args__ = (
        Index("ledger_days_by_day", "day"),
        Index("ledger_days_of_account", "account_id", "day"),
        Index("ledger_days_upto", "source", "upto"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    source: Mapped[str] = mapped_column(String(8))  #: charges or waste
    upto: Mapped[int] = mapped_column(BigInteger)  #: number of the last line that was summed up in this turn
    day: Mapped[str] = mapped_column(String(10))  #: UTC, such as 2026-01-31
    account_id: Mapped[str]
    checkpoint_id: Mapped[str]
    pool: Mapped[str]
    tier: Mapped[str]
    reason: Mapped[str] = mapped_column(String(16))  #: of waste; "" for charges
    currency: Mapped[str] = mapped_column(String(3))
    lines: Mapped[int]
    device_seconds: Mapped[float]
    charge_micros: Mapped[int] = mapped_column(BigInteger)
    cost_micros: Mapped[int] = mapped_column(BigInteger)
