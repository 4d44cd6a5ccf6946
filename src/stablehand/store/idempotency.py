"""Requests that came with an Idempotency-Key: begun once, and answered again as they were the first time.

A request is noted before it does anything and its answer after that, in transactions of their own. Should the process
die in between, nobody knows what became of it: then it is refused from that moment on, never done twice. (Jobs are
better off: theirs is noted in the transaction that writes them, see :mod:`stablehand.store.jobs`.)
"""

from datetime import timedelta

from sqlalchemy import delete, update

from stablehand.domain.errors import IdempotencyConflict, RequestInTheMaking, RequestUnknown
from stablehand.store.idempotency_row import IdempotencyRow
from stablehand.store.transactions import Transactions, repeatable

#: a request that has no answer after so long was cut off
CUT_OFF_SECONDS = 300.0


class Idempotency(Transactions):
    @repeatable
    def begin_request(self, account_id: str, key: str, fingerprint: str, *, hours: float) -> bytes | None:
        """The answer that was given to this request before, as it was kept; None: it is new, and has begun now.

        Raises:
            IdempotencyConflict: the key came with another request. RequestInTheMaking: the same one is being worked on.
            RequestUnknown: it was cut off.
        """
        with self.writing() as tx:
            tx.alone(f"idempotency keys of {account_id}")
            row = tx.session.get(IdempotencyRow, (account_id, key))
            if row is not None and tx.now - row.created_at > timedelta(hours=hours):
                tx.session.delete(row)
                tx.session.flush()
                row = None
            if row is None:
                tx.session.add(
                    IdempotencyRow(account_id=account_id, key=key, fingerprint=fingerprint, created_at=tx.now)
                )
                return None
            if row.fingerprint != fingerprint:
                raise IdempotencyConflict(
                    "This Idempotency-Key came with another request before.", hint="Use a new key for a new request."
                )
            if row.answer is not None:
                return row.answer
            if tx.now - row.created_at > timedelta(seconds=CUT_OFF_SECONDS):
                raise RequestUnknown
            raise RequestInTheMaking

    def keep_answer(self, account_id: str, key: str, answer: bytes) -> None:
        """For whoever sends the request again."""
        mine = (IdempotencyRow.account_id == account_id, IdempotencyRow.key == key)
        with self.writing() as tx:
            tx.session.execute(update(IdempotencyRow).where(*mine).values(answer=answer))

    def forget_request(self, account_id: str, key: str) -> None:
        """It did nothing: it may come again."""
        mine = (IdempotencyRow.account_id == account_id, IdempotencyRow.key == key)
        with self.writing() as tx:
            tx.session.execute(delete(IdempotencyRow).where(*mine, IdempotencyRow.job_id.is_(None)))
