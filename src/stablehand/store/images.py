"""Images: uploaded, delivered, listed, thrown away."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, insert, select, update

from stablehand.domain.errors import NotFound
from stablehand.domain.estimates import size_class
from stablehand.domain.images import Image
from stablehand.domain.jobs import State
from stablehand.domain.pages import Page, decode_cursor, encode_cursor
from stablehand.domain.recipes import Recipe
from stablehand.domain.tiers import TIER_BY_NAME
from stablehand.store.breakers import Lane, picture_drawn
from stablehand.store.changes import Changes
from stablehand.store.conducts import note_picture
from stablehand.store.measures import device_of
from stablehand.store.models import (
    AgentRow,
    ChargeRow,
    CheckpointRow,
    DoomedObjectRow,
    ImageRow,
    JobRow,
    ShotRow,
    UploadRow,
)
from stablehand.store.rows import image_from, shot_from
from stablehand.store.settling import notice, settle
from stablehand.store.transactions import ONLY_ROW, Transaction, Transactions, repeatable


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImage:
    """A picture that an agent delivers."""

    id: str
    shot_id: str
    token: int
    upload_id: str
    infotext: str
    device_seconds: float


class _Wanted:
    """All that a delivery needs to know of its pictures, each kind read at once: pictures often come by the dozen."""

    def __init__(self, tx: Transaction, agent_id: str, pictures: Sequence[NewImage]) -> None:
        self._tx = tx
        self._agent = tx.session.get_one(AgentRow, agent_id)
        shots = select(ShotRow).where(ShotRow.id.in_({picture.shot_id for picture in pictures})).order_by(ShotRow.id)
        self.shots = {shot.id: shot for shot in tx.session.scalars(shots.with_for_update(**ONLY_ROW))}
        uploads = (
            select(UploadRow)
            .where(UploadRow.id.in_({picture.upload_id for picture in pictures}))
            .order_by(UploadRow.id)
            .with_for_update()
        )
        self.uploads = {upload.id: upload for upload in tx.session.scalars(uploads)}
        jobs = select(JobRow).where(JobRow.id.in_({shot.job_id for shot in self.shots.values()}))
        self._jobs = {job.id: job for job in tx.session.scalars(jobs)}
        checkpoints = select(CheckpointRow).where(
            CheckpointRow.id.in_({shot.checkpoint_id for shot in self.shots.values()})
        )
        self._checkpoints = {checkpoint.id: checkpoint for checkpoint in tx.session.scalars(checkpoints)}

    def deliver(self, shot: ShotRow, upload: UploadRow, picture: NewImage, changes: Changes) -> None:
        """Image, charge, notice and state; written with those of the other pictures, at the next flush."""
        tx, job = self._tx, self._jobs[shot.job_id]
        checkpoint = self._checkpoints[shot.checkpoint_id]
        recipe = Recipe.from_dict(job.recipe).with_seed(shot.seed)
        image = ImageRow(
            id=picture.id,
            account_id=shot.account_id,
            job_id=shot.job_id,
            shot_id=shot.id,
            index=shot.index,
            width=upload.width,
            height=upload.height,
            format=upload.format,
            seed=recipe.seed,
            created_at=tx.now,
            starred=False,
            deleted_at=None,
            recipe=recipe.as_dict(),
            search_text=recipe.prompt.casefold(),
            checkpoint_sha256=checkpoint.sha256,
            infotext=picture.infotext,
            object_key=upload.object_key,
            thumbnail_key=upload.thumbnail_key,
            size_bytes=upload.size_bytes,
            sha256=upload.sha256,
        )
        charge = ChargeRow(
            shot_id=shot.id,
            account_id=shot.account_id,
            job_id=shot.job_id,
            agent_id=shot.agent_id,
            checkpoint_id=shot.checkpoint_id,
            cost=shot.cost,
            device_seconds=picture.device_seconds,
            estimate_seconds=shot.estimate_seconds,
            weight=TIER_BY_NAME[job.tier].weight,
            family=checkpoint.family,
            device=device_of(self._agent),
            size_class=size_class(*recipe.output_size),
            created_at=tx.now,
        )
        tx.session.add_all(
            [image, charge, notice(tx, job, "image_delivered", {"image_id": picture.id, "index": shot.index})]
        )
        tx.session.delete(upload)
        # Agent and token stay: they tell a repeated delivery from a late one of somebody else.
        shot.state = State.SUCCEEDED
        shot.image_id = picture.id
        shot.error = None
        shot.finished_at = tx.now
        shot.leased_at = shot.lease_until = None
        changes.images.append(image_from(image))
        changes.shots.append((shot.account_id, shot.job_id, shot_from(shot)))


class Images(Transactions):
    @repeatable
    def deliver(
        self, agent_id: str, incarnation: str, pictures: Sequence[NewImage]
    ) -> tuple[list[str], list[str], Changes]:
        """Make uploads the results of their shots: (accepted, refused) shot ids.

        Each picture is fenced alone. Image, shot, charge and outbox entry stand in one transaction. A picture that is
        already the result under the same token is accepted again, because the first answer may have been lost.
        """
        accepted: list[str] = []
        refused: list[str] = []
        changes = Changes()
        with self.writing() as tx:
            wanted = _Wanted(tx, agent_id, pictures)
            lanes: set[Lane] = set()
            for picture in pictures:
                shot = wanted.shots.get(picture.shot_id)
                same = shot is not None and shot.token == picture.token and shot.agent_id == agent_id
                if shot is not None and same and shot.state == State.SUCCEEDED:
                    accepted.append(picture.shot_id)
                    continue
                upload = wanted.uploads.get(picture.upload_id)
                fits = upload is not None and (upload.shot_id, upload.token) == (picture.shot_id, picture.token)
                if (
                    shot is None
                    or upload is None
                    or upload.staged_key is not None
                    or not (same and fits)
                    or shot.state != State.RUNNING
                    or shot.incarnation != incarnation
                ):
                    refused.append(picture.shot_id)
                    continue
                wanted.deliver(shot, upload, picture, changes)
                lanes.add((shot.pool, shot.checkpoint_id))
                accepted.append(picture.shot_id)
            if lanes:
                note_picture(tx, agent_id)
            for lane in sorted(lanes):
                picture_drawn(tx, lane, agent_id)
            settle(tx, {job_id for _, job_id, _ in changes.shots}, changes)
        return accepted, refused, changes

    def list_images(
        self, account_id: str, *, limit: int, cursor: str | None, trashed: bool, words: Sequence[str]
    ) -> Page[Image]:
        """Newest first; ``words``: case-folded, all in the prompt. Raises InvalidFields for a bad cursor."""
        query = (
            select(ImageRow)
            .where(
                ImageRow.account_id == account_id,
                ImageRow.deleted_at.is_not(None) if trashed else ImageRow.deleted_at.is_(None),
            )
            .order_by(ImageRow.number.desc())
            .limit(limit + 1)
        )
        for word in words:
            query = query.where(ImageRow.search_text.contains(word, autoescape=True))
        if cursor is not None:
            query = query.where(ImageRow.number < decode_cursor("images", cursor))
        with self.reading() as tx:
            rows = tx.session.scalars(query).all()
            more = len(rows) > limit
            rows = rows[:limit]
            return Page(
                items=tuple(image_from(row) for row in rows),
                next_cursor=encode_cursor("images", rows[-1].number) if more else None,
            )

    def image(self, image_id: str, account_id: str) -> Image:
        """Raises NotFound."""
        with self.reading() as tx:
            return image_from(_image_row(tx, image_id, account_id))

    def set_trashed(self, image_id: str, account_id: str, trashed: bool) -> Image:
        """Into the trash or out of it; what is there already keeps its date. Raises NotFound."""
        with self.writing() as tx:
            row = _image_row(tx, image_id, account_id)
            if trashed != (row.deleted_at is not None):
                row.deleted_at = tx.now if trashed else None
            return image_from(row)

    def set_starred(self, image_id: str, account_id: str, starred: bool) -> Image:
        """Raises NotFound."""
        with self.writing() as tx:
            row = _image_row(tx, image_id, account_id)
            row.starred = starred
            return image_from(row)

    def doom(self, *, trash_days: float, upload_hours: float, at_most: int = 500) -> list[str]:
        """Forget pictures long in the trash and uploads that nobody delivered; returns keys of objects to delete.

        Keys are handed out again until ``forget_doomed`` says that they are gone.
        """
        with self.writing() as tx:
            # Two processes may purge together: each takes what the other has not.
            old = tx.session.execute(
                select(ImageRow.id, ImageRow.shot_id, ImageRow.object_key, ImageRow.thumbnail_key)
                .where(ImageRow.deleted_at.is_not(None), ImageRow.deleted_at < tx.now - timedelta(days=trash_days))
                .limit(at_most)
                .with_for_update(skip_locked=True)
            ).all()
            left = tx.session.execute(
                select(UploadRow.id, UploadRow.object_key, UploadRow.thumbnail_key, UploadRow.staged_key)
                .where(UploadRow.created_at < tx.now - timedelta(hours=upload_hours))
                .limit(at_most)
                .with_for_update(skip_locked=True)
            ).all()
            tx.session.execute(
                update(ShotRow).where(ShotRow.id.in_([row.shot_id for row in old])).values(image_id=None)
            )
            tx.session.execute(delete(ImageRow).where(ImageRow.id.in_([row.id for row in old])))
            tx.session.execute(delete(UploadRow).where(UploadRow.id.in_([row.id for row in left])))
            keys = {key for image in old for key in (image.object_key, image.thumbnail_key)}
            keys |= {
                key for upload in left for key in (upload.object_key, upload.thumbnail_key, upload.staged_key) if key
            }
            if keys:
                tx.session.execute(insert(DoomedObjectRow), [{"key": key} for key in sorted(keys)])
            return list(tx.session.scalars(select(DoomedObjectRow.key).limit(2 * at_most)))

    def forget_doomed(self, keys: Sequence[str]) -> None:
        """These objects have been deleted."""
        with self.writing() as tx:
            tx.session.execute(delete(DoomedObjectRow).where(DoomedObjectRow.key.in_(keys)))


def _image_row(tx: Transaction, image_id: str, account_id: str) -> ImageRow:
    query = select(ImageRow).where(ImageRow.id == image_id, ImageRow.account_id == account_id)
    row = tx.session.scalar(query.with_for_update(**ONLY_ROW) if tx.writes else query)
    if row is None:
        raise NotFound("There is no such picture.", hint="Look at the gallery for the ids that exist.")
    return row
