"""Links to pictures: made, followed, revoked."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update

from stablehand.domain.audit import Deed
from stablehand.domain.errors import Conflict, InvalidFields, LinkExpired, LinkRevoked, LinkVoid, NotFound
from stablehand.domain.images import Image
from stablehand.domain.links import LINKS_AT_MOST, REMEMBERED_DAYS, Link, Linked, LinkKind
from stablehand.domain.pages import Page, decode_cursor, encode_cursor
from stablehand.store.audit import note
from stablehand.store.link_rows import LinkRow, LinkStampRow
from stablehand.store.models import AccountRow, ImageRow, JobRow
from stablehand.store.rows import image_from
from stablehand.store.transactions import ONLY_ROW, Transaction, Transactions

#: pictures that are read at once
IMAGES_AT_ONCE = 200


class Links(Transactions):
    def add_link(self, new_id: str, account_id: str, what: Linked, until: datetime, deed: Deed | None = None) -> Link:
        """``deed``: told in the log, where somebody made it by hand; those are counted.

        Raises:
            NotFound: the account has no such job, or not all of these pictures. InvalidFields: it would end at once.
            Conflict: the account has as many as it may.
        """
        with self.writing() as tx:
            if until <= tx.now:
                raise InvalidFields({"until": "later than now"})
            _check_there(tx, account_id, what)
            if deed is not None:
                tx.alone(f"links of {account_id}")
                good = (*_good(tx, account_id), LinkRow.kind != "download")
                held = select(func.count()).select_from(LinkRow).where(*good)
                if (tx.session.scalar(held) or 0) >= LINKS_AT_MOST:
                    raise Conflict(
                        f"An account has at most {LINKS_AT_MOST:,} links.", hint="Revoke those that nobody needs."
                    )
                note(tx, deed)
            row = LinkRow(
                id=new_id,
                account_id=account_id,
                kind=what.kind,
                job_id=what.job_id,
                image_ids=list(what.image_ids),
                created_at=tx.now,
                until=until,
            )
            tx.session.add(row)
            return _link_from(row)

    def link(self, link_id: str) -> Link:
        """One that may be followed now. Raises LinkVoid, LinkExpired, LinkRevoked."""
        query = (
            select(LinkRow, AccountRow.suspended_at)
            .join(AccountRow, AccountRow.id == LinkRow.account_id)
            .where(LinkRow.id == link_id)
        )
        with self.reading() as tx:
            found = tx.session.execute(query).tuples().first()
            if found is None:
                raise LinkVoid
            row, suspended_at = found
            if row.revoked_at is not None:
                raise LinkRevoked
            if row.until <= tx.now:
                raise LinkExpired
            if suspended_at is not None:
                raise LinkVoid
            return _link_from(row)

    def links(self, account_id: str, *, limit: int, cursor: str | None) -> Page[Link]:
        """Those that may be followed now, the newest first, without downloads. Raises InvalidFields: a bad cursor."""
        with self.reading() as tx:
            query = select(LinkRow).where(*_good(tx, account_id), LinkRow.kind != "download")
            if cursor is not None:
                query = query.where(LinkRow.number < decode_cursor("links", cursor))
            rows = tx.session.scalars(query.order_by(LinkRow.number.desc()).limit(limit + 1)).all()
            more = encode_cursor("links", rows[limit - 1].number) if len(rows) > limit else None
            return Page(tuple(map(_link_from, rows[:limit])), more)

    def revoke_link(self, account_id: str, link_id: str, deed: Deed) -> None:
        """Raises NotFound unless it is one of this account's that works."""
        with self.writing() as tx:
            query = update(LinkRow).where(LinkRow.id == link_id, *_good(tx, account_id)).values(revoked_at=tx.now)
            if not tx.session.scalars(query.returning(LinkRow.id)).all():
                raise NotFound("There is no such link.", hint="It may have ended or been revoked already.")
            note(tx, deed)

    def revoke_links(self, account_id: str, deed: Deed) -> int:
        """End all of an account's, those without a row too; returns how many had one."""
        with self.writing() as tx:
            tx.alone(f"links of {account_id}")
            query = update(LinkRow).where(*_good(tx, account_id)).values(revoked_at=tx.now)
            revoked = len(tx.session.scalars(query.returning(LinkRow.id)).all())
            row = tx.session.get(LinkStampRow, account_id, with_for_update=ONLY_ROW)
            if row is None:
                tx.session.add(LinkStampRow(account_id=account_id, stamp=1))
            else:
                row.stamp += 1
            note(tx, deed)
            return revoked

    def link_stamp(self, account_id: str) -> int:
        """What links without a row must carry to work."""
        with self.reading() as tx:
            query = select(LinkStampRow.stamp).where(LinkStampRow.account_id == account_id)
            return tx.session.scalar(query) or 0

    def forget_old_links(self) -> None:
        with self.writing() as tx:
            old = LinkRow.until < tx.now - timedelta(days=REMEMBERED_DAYS)
            spent = and_(LinkRow.kind == "download", LinkRow.until < tx.now)
            tx.session.execute(delete(LinkRow).where(or_(old, spent)))

    def check_linked(self, account_id: str, what: Linked) -> None:
        """Raises NotFound when the account has no such job, or not all of these pictures."""
        with self.reading() as tx:
            _check_there(tx, account_id, what)

    def linked_ids(self, account_id: str, what: Linked) -> list[str]:
        """Of the pictures that a link leads to, those that are there and not in the trash, in their order."""
        with self.reading() as tx:
            if what.job_id is not None:
                query = (
                    select(ImageRow.id)
                    .where(
                        ImageRow.job_id == what.job_id,
                        ImageRow.account_id == account_id,
                        ImageRow.deleted_at.is_(None),
                    )
                    .order_by(ImageRow.index)
                )
                return list(tx.session.scalars(query))
            there = _there(tx, account_id, what.image_ids)
            return [image_id for image_id in what.image_ids if image_id in there]

    def images(self, account_id: str, image_ids: Sequence[str]) -> list[Image]:
        """Those of these pictures that are there and not in the trash, in this order."""
        found: dict[str, Image] = {}
        with self.reading() as tx:
            for some in _parts(image_ids):
                rows = tx.session.scalars(select(ImageRow).where(*_seen(account_id, some)))
                found |= {row.id: image_from(row) for row in rows}
        return [found[image_id] for image_id in image_ids if image_id in found]


def _good(tx: Transaction, account_id: str) -> tuple[ColumnElement[bool], ...]:
    return LinkRow.account_id == account_id, LinkRow.revoked_at.is_(None), LinkRow.until > tx.now


def _check_there(tx: Transaction, account_id: str, what: Linked) -> None:
    if what.job_id is not None:
        query = select(JobRow.number).where(JobRow.id == what.job_id, JobRow.account_id == account_id)
        if tx.session.scalar(query) is None:
            raise NotFound("There is no such job.", hint="Look at the list of jobs for the ids that exist.")
        return
    missing = set(what.image_ids) - _there(tx, account_id, what.image_ids)
    if missing:
        raise NotFound(
            f"{len(missing)} of these {len(what.image_ids)} pictures are not there.",
            hint="Look at the gallery for the ids that exist; what lies in the trash cannot be linked to.",
        )


def _there(tx: Transaction, account_id: str, image_ids: Sequence[str]) -> set[str]:
    there: set[str] = set()
    for some in _parts(image_ids):
        there.update(tx.session.scalars(select(ImageRow.id).where(*_seen(account_id, some))))
    return there


def _seen(account_id: str, image_ids: Sequence[str]) -> tuple[ColumnElement[bool], ...]:
    return ImageRow.id.in_(image_ids), ImageRow.account_id == account_id, ImageRow.deleted_at.is_(None)


def _parts(image_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(image_ids), IMAGES_AT_ONCE):
        yield image_ids[start : start + IMAGES_AT_ONCE]


def _link_from(row: LinkRow) -> Link:
    return Link(
        id=row.id,
        account_id=row.account_id,
        what=Linked(kind=cast(LinkKind, row.kind), job_id=row.job_id, image_ids=tuple(row.image_ids)),
        created_at=row.created_at,
        until=row.until,
        revoked_at=row.revoked_at,
    )
