"""From rows to the domain's nouns."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Row

from stablehand.domain.accounts import Account, Role
from stablehand.domain.agents import Agent, AgentDevice, state_of
from stablehand.domain.checkpoints import Checkpoint
from stablehand.domain.images import Image
from stablehand.domain.jobs import Job, QueuePlace, Shot, ShotError, State
from stablehand.domain.notes import Note, read_notes
from stablehand.domain.notify import Notify
from stablehand.domain.recipes import Format, Recipe
from stablehand.domain.standings import Standing, standing_shown
from stablehand.domain.tiers import Tiers
from stablehand.store.conducts import conduct_of
from stablehand.store.models import AccountRow, AgentRow, CheckpointRow, ImageRow, JobRow, ShotRow

#: shot id -> 0..1, for running shots
Progress = Callable[[str], float]


def no_progress(shot_id: str) -> float:
    """For readers that do not care how far running shots are."""
    return 0.0


def account_from(row: AccountRow, tiers: Tiers) -> Account:
    return Account(
        id=row.id,
        name=row.name,
        role=cast(Role, row.role),
        tier=row.tier,
        tiers=tiers.below(row.tier),
        created_at=row.created_at,
        suspended_at=row.suspended_at,
        suspended_reason=row.suspended_reason,
    )


def agent_from(row: AgentRow, *, running: int, now: datetime) -> Agent:
    return Agent(
        id=row.id,
        name=row.name,
        pool=row.pool,
        state=state_of(
            incarnation=row.incarnation,
            ready=row.ready,
            draining=row.draining,
            standing=standing_shown(conduct_of(row), now),
            last_seen_at=row.last_seen_at,
            now=now,
        ),
        incarnation=row.incarnation,
        runtime=row.runtime,
        device=None if row.device is None else AgentDevice(**row.device),
        seats=row.seats,
        running=running,
        resident=tuple(row.resident),
        last_seen_at=row.last_seen_at,
        created_at=row.created_at,
        version=row.version,
        standing=Standing(row.standing),
        reason=row.standing_reason,
        since=row.standing_since,
        error=row.error,
    )


def checkpoint_from(row: CheckpointRow | Row[Any]) -> Checkpoint:
    return Checkpoint(
        id=row.id,
        name=row.name,
        path=row.path,
        family=row.family,
        native_size=row.native_size,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        builtin=row.builtin,
        inpainting=row.inpainting,
        prediction=row.prediction,
        zero_terminal_snr=row.zero_terminal_snr,
        distillation=row.distillation,
        source=row.source,
        missing_since=row.missing_since,
    )


def shot_from(row: ShotRow, progress: Progress = no_progress) -> Shot:
    state = State(row.state)
    done = {State.SUCCEEDED: 1.0, State.RUNNING: progress(row.id)}.get(state, 0.0)
    return Shot(
        id=row.id,
        index=row.index,
        seed=row.seed,
        state=state,
        progress=done,
        image_id=row.image_id,
        error=error_from(row.error),
    )


def error_from(value: dict[str, Any] | None) -> ShotError | None:
    return None if value is None else ShotError(**value)


def error_to(error: ShotError | None) -> dict[str, Any] | None:
    return None if error is None else asdict(error)


def image_from(row: ImageRow) -> Image:
    image_format: Format = "png" if row.format == "png" else "jpeg" if row.format == "jpeg" else "webp"
    return Image(
        id=row.id,
        account_id=row.account_id,
        job_id=row.job_id,
        index=row.index,
        width=row.width,
        height=row.height,
        format=image_format,
        seed=row.seed,
        created_at=row.created_at,
        starred=row.starred,
        deleted_at=row.deleted_at,
        recipe=Recipe.from_dict(row.recipe),
        checkpoint_sha256=row.checkpoint_sha256,
        infotext=row.infotext,
        object_key=row.object_key,
        thumbnail_key=row.thumbnail_key,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        notes=notes_from(row.notes),
    )


def notes_from(value: str | None) -> tuple[Note, ...]:
    return () if value is None else read_notes(value.split())


def notes_to(notes: Iterable[Note]) -> str | None:
    return " ".join(notes) or None


def job_from(
    row: JobRow,
    shots: Sequence[ShotRow],
    images: Sequence[ImageRow],
    place: QueuePlace | None,
    progress: Progress,
    *,
    counts: Mapping[State, int],
    error: ShotError | None,
    notes: Mapping[Note, int],
) -> Job:
    return Job(
        id=row.id,
        account_id=row.account_id,
        state=State(row.state),
        tier=row.tier,
        recipe=Recipe.from_dict(row.recipe),
        count=row.count,
        created_at=row.created_at,
        finished_at=row.finished_at,
        cancel_requested=row.cancel_requested_at is not None,
        retry_of=row.retry_of,
        counts={state: counts.get(state, 0) for state in State},
        error=error,
        shots=tuple(shot_from(shot, progress) for shot in shots),
        images=tuple(image_from(image) for image in images),
        queue=place,
        notes=notes,
        notify=Notify.from_dict(row.notify),
    )
