"""Images: uploaded, delivered, listed, thrown away."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, bindparam, delete, exists, func, insert, select, update

from stablehand.domain.errors import NotFound
from stablehand.domain.estimates import size_class
from stablehand.domain.images import Image
from stablehand.domain.jobs import Shot, State
from stablehand.domain.manifests import Manifest
from stablehand.domain.notes import Note
from stablehand.domain.pages import Page, decode_cursor, encode_cursor
from stablehand.domain.recipes import Recipe
from stablehand.domain.versions import Expected, check_version, image_version
from stablehand.store.breakers import Lane, picture_drawn
from stablehand.store.changes import Changes
from stablehand.store.columns import table_of
from stablehand.store.conducts import conduct_of, note_picture
from stablehand.store.delivering import Delivered, write
from stablehand.store.measures import device_of
from stablehand.store.models import (
    AgentRow,
    BreakerRow,
    CheckpointRow,
    DoomedObjectRow,
    ImageRow,
    JobRow,
    ShotRow,
    UploadRow,
)
from stablehand.store.rows import image_from, notes_to
from stablehand.store.settling import notice_values, settle
from stablehand.store.transactions import ONLY_ROW, Transaction, Transactions, repeatable
from stablehand.store.wasting import book_refused


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImage:
    """A picture that an agent delivers."""

    id: str
    shot_id: str
    token: int
    upload_id: str
    infotext: str
    device_seconds: float
    notes: tuple[Note, ...] = ()
    manifest: Manifest | None = None


class _Wanted:
    """All that a delivery needs to know of its pictures, each kind read at once: pictures often come by the dozen."""

    def __init__(self, tx: Transaction, agent_id: str, pictures: Sequence[NewImage]) -> None:
        self._tx = tx
        self.agent = _deliverer(tx, agent_id)
        shot_ids = sorted({picture.shot_id for picture in pictures})
        self.shots = {shot.id: shot for shot in tx.core.execute(_DELIVERED_SHOTS, {"ids": shot_ids})}
        upload_ids = sorted({picture.upload_id for picture in pictures})
        self.uploads = {upload.id: upload for upload in tx.core.execute(_LOCKED_UPLOADS, {"ids": upload_ids})}
        self.delivered: dict[str, Delivered] = {}  #: shot id -> what is to be written
        self._recipes: dict[str, Recipe] = {}  # job id -> with the first shot's seed

    def deliver(self, shot: Row[Any], upload: Row[Any], picture: NewImage, changes: Changes) -> None:
        """Image, charge, notice and state, to be written with those of the other pictures."""
        now = self._tx.now
        if shot.job_id not in self._recipes:
            self._recipes[shot.job_id] = Recipe.from_dict(shot.recipe)
        recipe = self._recipes[shot.job_id].with_seed(shot.seed)
        image = {
            "id": picture.id,
            "account_id": shot.account_id,
            "job_id": shot.job_id,
            "shot_id": shot.id,
            "index": shot.place,
            "width": upload.width,
            "height": upload.height,
            "format": upload.format,
            "seed": recipe.seed,
            "created_at": now,
            "starred": False,
            "deleted_at": None,
            "recipe": recipe.as_dict(),
            "search_text": recipe.prompt.casefold(),
            "checkpoint_sha256": shot.sha256,
            "infotext": picture.infotext,
            "object_key": upload.object_key,
            "thumbnail_key": upload.thumbnail_key,
            "size_bytes": upload.size_bytes,
            "sha256": upload.sha256,
            "notes": notes_to(picture.notes),
            "manifest": None if picture.manifest is None else picture.manifest.as_dict(),
        }
        seconds, prices = picture.device_seconds, self._tx.prices
        charged = prices.charge(seconds, pool=shot.pool, tier=shot.tier)
        costs = prices.cost(seconds, pool=shot.pool)
        charge = {
            "shot_id": shot.id,
            "account_id": shot.account_id,
            "job_id": shot.job_id,
            "agent_id": shot.agent_id,
            "checkpoint_id": shot.checkpoint_id,
            "pool": shot.pool,
            "tier": shot.tier,
            "cost": shot.cost,
            "device_seconds": seconds,
            "held_seconds": max(0.0, (now - shot.leased_at).total_seconds()),
            "charge_micros": 0 if charged is None else charged.micros,
            "cost_micros": 0 if costs is None else costs.micros,
            "currency": "" if costs is None else costs.currency,
            "estimate_seconds": shot.estimate_seconds,
            "weight": shot.weight,
            "corrected": False,
            "family": shot.family,
            "device": device_of(self.agent),
            "size_class": size_class(*recipe.output_size),
            "created_at": now,
        }
        told = notice_values(
            now, shot.account_id, shot.job_id, "image_delivered", {"image_id": picture.id, "index": shot.place}
        )
        # Agent and token stay with the shot: they tell a repeated delivery from a late one of somebody else.
        self.delivered[shot.id] = Delivered(image, charge, told, upload.id)
        changes.images.append(_image_of(image | {"recipe": recipe, "notes": picture.notes}))
        done = Shot(
            id=shot.id, index=shot.place, seed=shot.seed, state=State.SUCCEEDED, progress=1.0, image_id=picture.id
        )
        changes.shots.append((shot.account_id, shot.job_id, done))


def _deliverer(tx: Transaction, agent_id: str) -> Any:
    """The columns that matter of the agent's row, and whether any lane has a breaker."""
    agent = tx.core.execute(_DELIVERER_POSTGRESQL if tx.is_postgresql else _DELIVERER, {"id": agent_id}).one()
    if tx.is_postgresql:
        tx.told_now(agent.now)
    return agent


def _image_of(values: dict[str, Any]) -> Image:
    return Image(**{name: value for name, value in values.items() if name in _IMAGE_FIELDS})


_IMAGE_FIELDS = {field.name for field in fields(Image)}
_agents, _shots, _jobs, _checkpoints, _uploads, _breakers = (
    table_of(row) for row in (AgentRow, ShotRow, JobRow, CheckpointRow, UploadRow, BreakerRow)
)
_DELIVERER = select(
    _agents.c.device,
    _agents.c.standing,
    _agents.c.standing_reason,
    _agents.c.standing_since,
    _agents.c.probe_at,
    _agents.c.pauses,
    _agents.c.troubles,
    exists(select(_breakers.c.pool)).label("trouble"),
).where(_agents.c.id == bindparam("id"))
_DELIVERER_POSTGRESQL = _DELIVERER.add_columns(func.now().label("now"))
_DELIVERED_SHOTS = (
    select(
        _shots.c.id,
        _shots.c.job_id,
        _shots.c.account_id,
        _shots.c.checkpoint_id,
        _shots.c.pool,
        _shots.c["index"].label("place"),
        _shots.c.seed,
        _shots.c.state,
        _shots.c.cost,
        _shots.c.estimate_seconds,
        _shots.c.token,
        _shots.c.agent_id,
        _shots.c.incarnation,
        _shots.c.weight,
        _shots.c.leased_at,
        _jobs.c.recipe,
        _jobs.c.tier,
        _checkpoints.c.family,
        _checkpoints.c.sha256,
    )
    .join(_jobs, _jobs.c.id == _shots.c.job_id)
    .join(_checkpoints, _checkpoints.c.id == _shots.c.checkpoint_id)
    .where(_shots.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(_shots.c.id)
    .with_for_update(key_share=True, of=_shots)
)
_LOCKED_UPLOADS = (
    select(_uploads)
    .where(_uploads.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(_uploads.c.id)
    .with_for_update()
)


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
        late: dict[tuple[str, int], float] = {}
        changes = Changes()
        with self.writing() as tx:
            wanted = _Wanted(tx, agent_id, pictures)
            lanes: set[Lane] = set()
            for picture in pictures:
                shot = wanted.shots.get(picture.shot_id)
                same = shot is not None and shot.token == picture.token and shot.agent_id == agent_id
                is_done = picture.shot_id in wanted.delivered or (shot is not None and shot.state == State.SUCCEEDED)
                if same and is_done:
                    accepted.append(picture.shot_id)
                    continue
                upload = wanted.uploads.get(picture.upload_id)
                fits = upload is not None and (upload.shot_id, upload.token) == (picture.shot_id, picture.token)
                if (
                    shot is None
                    or upload is None
                    or upload.staged_key is not None
                    or not (same and fits)
                    or is_done
                    or shot.state != State.RUNNING
                    or shot.incarnation != incarnation
                ):
                    refused.append(picture.shot_id)
                    late[picture.shot_id, picture.token] = picture.device_seconds
                    continue
                wanted.deliver(shot, upload, picture, changes)
                lanes.add((shot.pool, shot.checkpoint_id))
                accepted.append(picture.shot_id)
            if lanes:
                write(tx, list(wanted.delivered.values()))
                note_picture(tx, agent_id, conduct_of(wanted.agent))
            for lane in sorted(lanes) if wanted.agent.trouble else ():
                picture_drawn(tx, lane, agent_id)
            book_refused(tx, agent_id, late)
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

    def manifest(self, image_id: str, account_id: str) -> Manifest | None:
        """By what a picture was drawn; None when its agent did not say. Raises NotFound."""
        query = select(ImageRow.manifest).where(ImageRow.id == image_id, ImageRow.account_id == account_id)
        with self.reading() as tx:
            found = tx.session.execute(query).one_or_none()
            if found is None:
                raise _no_such_picture()
            return None if found.manifest is None else Manifest.from_dict(found.manifest)

    def set_trashed(self, image_id: str, account_id: str, trashed: bool, *, expected: Expected = None) -> Image:
        """Into the trash or out of it; what is there already keeps its date. Raises NotFound, ChangedMeanwhile."""
        with self.writing() as tx:
            row = _image_row(tx, image_id, account_id, expected)
            if trashed != (row.deleted_at is not None):
                row.deleted_at = tx.now if trashed else None
            return image_from(row)

    def set_starred(self, image_id: str, account_id: str, starred: bool, *, expected: Expected = None) -> Image:
        """Raises NotFound, ChangedMeanwhile."""
        with self.writing() as tx:
            row = _image_row(tx, image_id, account_id, expected)
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


def _image_row(tx: Transaction, image_id: str, account_id: str, expected: Expected = None) -> ImageRow:
    query = select(ImageRow).where(ImageRow.id == image_id, ImageRow.account_id == account_id)
    row = tx.session.scalar(query.with_for_update(**ONLY_ROW) if tx.writes else query)
    if row is None:
        raise _no_such_picture()
    if expected is not None:
        check_version(expected, image_version(image_from(row)))
    return row


def _no_such_picture() -> NotFound:
    return NotFound("There is no such picture.", hint="Look at the gallery for the ids that exist.")
