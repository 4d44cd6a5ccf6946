"""Usage: what accounts were charged, day by day, read from the ledger."""

from datetime import date, datetime

from sqlalchemy import Text, cast, func, select

from stablehand.domain.usage import UsageLine
from stablehand.store.ledger_rows import ChargeRow
from stablehand.store.models import AccountRow
from stablehand.store.transactions import Transactions


class Ledger(Transactions):
    def now(self) -> datetime:
        """The database's clock."""
        with self.reading() as tx:
            return tx.now

    def usage(self, *, since: datetime, until: datetime, account_id: str | None = None) -> tuple[UsageLine, ...]:
        """Of [since, until): a line for each day (UTC) and account that had pictures, the newest day first."""
        with self.reading() as tx:
            if tx.is_postgresql:
                day = func.to_char(func.timezone("UTC", ChargeRow.created_at), "YYYY-MM-DD")
            else:
                day = func.substr(cast(ChargeRow.created_at, Text), 1, 10)
            summed = (
                select(
                    day.label("day"),
                    ChargeRow.account_id,
                    func.count().label("pictures"),
                    func.sum(ChargeRow.device_seconds).label("device_seconds"),
                )
                .where(ChargeRow.created_at >= since, ChargeRow.created_at < until)
                .group_by("day", ChargeRow.account_id)
            )
            if account_id is not None:
                summed = summed.where(ChargeRow.account_id == account_id)
            sums = summed.subquery()
            rows = tx.session.execute(
                select(sums, AccountRow.name, AccountRow.tier, AccountRow.deleted_at)
                .join(AccountRow, AccountRow.id == sums.c.account_id)
                .order_by(sums.c.day.desc(), sums.c.device_seconds.desc(), sums.c.account_id)
            ).all()
            return tuple(
                UsageLine(
                    day=date.fromisoformat(row.day),
                    account_id=row.account_id,
                    account=None if row.deleted_at is not None else row.name,
                    tier=row.tier,
                    pictures=row.pictures,
                    device_seconds=row.device_seconds,
                )
                for row in rows
            )
