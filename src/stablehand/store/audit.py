"""The audit log: lines written in the transaction of what they tell."""

from sqlalchemy import insert, or_, select

from stablehand.domain.audit import AuditEntry, Deed
from stablehand.domain.pages import Page, decode_cursor, encode_cursor
from stablehand.store.credential_rows import AuditRow
from stablehand.store.transactions import Transaction, Transactions


class Audit(Transactions):
    def add_deed(self, deed: Deed) -> None:
        """For deeds that change nothing else."""
        with self.writing() as tx:
            note(tx, deed)

    def audit_log(
        self, *, limit: int, cursor: str | None = None, action: str = "", account_id: str = ""
    ) -> Page[AuditEntry]:
        """The newest first.

        Args:
            action: only this one, or all that begin so: "key" finds "key.made".
            account_id: only what this account did, or what was done to it.

        Raises:
            InvalidFields: a cursor that is none.
        """
        with self.reading() as tx:
            asked = select(AuditRow).order_by(AuditRow.number.desc()).limit(limit + 1)
            if action:
                asked = asked.where(or_(AuditRow.action == action, AuditRow.action.startswith(f"{action}.")))
            if account_id:
                asked = asked.where(or_(AuditRow.account_id == account_id, AuditRow.subject == account_id))
            if cursor is not None:
                asked = asked.where(AuditRow.number < decode_cursor("audit", cursor))
            rows = tx.session.scalars(asked).all()
            more = encode_cursor("audit", rows[limit - 1].number) if len(rows) > limit else None
            return Page(tuple(map(_entry_from, rows[:limit])), more)


def note(tx: Transaction, deed: Deed) -> None:
    """Add a line in the transaction of what it tells."""
    tx.session.execute(
        insert(AuditRow).values(
            at=tx.now,
            account_id=deed.account_id,
            action=deed.action,
            subject=deed.subject,
            address=deed.address,
            details=dict(deed.details),
        )
    )


def _entry_from(row: AuditRow) -> AuditEntry:
    deed = Deed(
        action=row.action, account_id=row.account_id, subject=row.subject, address=row.address, details=row.details
    )
    return AuditEntry(number=row.number, at=row.at, deed=deed)
