"""From the domain's nouns to what leaves the door. One function a noun, used by REST and by Socket.IO alike."""

from dataclasses import asdict

from stablehand.api import schemas
from stablehand.api.mail_schemas import JobMailOut
from stablehand.api.manifest_schemas import DtypesOut, ImageDetailOut, ManifestOut, WeightsOut
from stablehand.domain.addons import AddonFile
from stablehand.domain.agents import Agent
from stablehand.domain.breakers import LaneTrouble
from stablehand.domain.checkpoints import Checkpoint
from stablehand.domain.defaults import defaults_of
from stablehand.domain.further_fields import further_fields
from stablehand.domain.images import Image
from stablehand.domain.jobs import Job, Shot, ShotError
from stablehand.domain.manifests import Manifest
from stablehand.domain.recipes import Recipe


def recipe_out(recipe: Recipe) -> schemas.RecipeOut:
    reckoned = ("options", "output_width", "output_height")
    plain = {name: getattr(recipe, name) for name in schemas.RecipeOut.model_fields if name not in reckoned}
    width, height = recipe.output_size
    return schemas.RecipeOut(**plain, output_width=width, output_height=height, options=further_fields(recipe))


def image_out(image: Image) -> schemas.ImageOut:
    return schemas.ImageOut(
        id=image.id,
        job_id=image.job_id,
        index=image.index,
        width=image.width,
        height=image.height,
        format=image.format,
        seed=image.seed,
        created_at=image.created_at,
        starred=image.starred,
        deleted_at=image.deleted_at,
        recipe=recipe_out(image.recipe),
        infotext=image.infotext,
        size_bytes=image.size_bytes,
        notes=[schemas.NoteOut(code=note.value, message=note.message) for note in image.notes],
    )


def image_detail_out(image: Image, manifest: Manifest | None) -> ImageDetailOut:
    told = None if manifest is None else manifest_out(manifest)
    return ImageDetailOut(**dict(image_out(image)), manifest=told)


def manifest_out(manifest: Manifest) -> ManifestOut:
    return ManifestOut(
        version=manifest.version,
        runtime=manifest.runtime,
        software=dict(manifest.software),
        weights=[
            WeightsOut(role=one.role, name=one.name, sha256=one.sha256, short_hash=one.short_hash)
            for one in manifest.weights
        ],
        device=manifest.device,
        device_name=manifest.device_name,
        compute=manifest.compute,
        dtypes=DtypesOut(
            unet=manifest.dtypes.get("unet"),
            text=manifest.dtypes.get("text"),
            vae=manifest.dtypes.get("vae"),
            upscaler=manifest.dtypes.get("upscaler"),
        ),
        attention=list(manifest.attention),
        noise=manifest.noise,
        exact=manifest.exact,
        bucket=manifest.bucket,
        resumed=manifest.resumed,
    )


def _error_out(error: ShotError | None) -> schemas.ShotErrorOut | None:
    return schemas.ShotErrorOut(code=error.code, message=error.message, hint=error.hint) if error else None


def shot_out(shot: Shot) -> schemas.ShotOut:
    return schemas.ShotOut(
        index=shot.index,
        state=shot.state,
        progress=shot.progress,
        image_id=shot.image_id,
        seed=shot.seed,
        error=_error_out(shot.error),
    )


def job_out(job: Job) -> schemas.JobOut:
    place = job.queue
    return schemas.JobOut(
        id=job.id,
        kind=job.recipe.kind,
        state=job.state,
        tier=job.tier,
        created_at=job.created_at,
        finished_at=job.finished_at,
        recipe=recipe_out(job.recipe),
        count=job.count,
        cancel_requested=job.cancel_requested,
        retry_of=job.retry_of,
        shots=[shot_out(shot) for shot in job.shots],
        counts=schemas.CountsOut(**{state.value: count for state, count in job.counts.items()}),
        error=_error_out(job.error),
        queue=schemas.QueueOut(
            ahead=place.ahead,
            eta_seconds=place.eta_seconds,
            eta_low_seconds=place.eta_low_seconds,
            eta_high_seconds=place.eta_high_seconds,
            reason=place.reason,
        )
        if place
        else None,
        images=[image_out(image) for image in job.images],
        notes=[
            schemas.JobNoteOut(code=note.value, message=note.message, pictures=count)
            for note, count in job.notes.items()
        ],
        notify=job.notify and schemas.NotifyOut(email=job.notify.email, webhook_url=job.notify.webhook_url),
        mail=job.mail and JobMailOut(to=job.mail.to, by=job.mail.by),
    )


def checkpoint_out(checkpoint: Checkpoint, *, resident: bool, default: bool) -> schemas.CheckpointOut:
    return schemas.CheckpointOut(
        id=checkpoint.id,
        name=checkpoint.name,
        family=checkpoint.family,
        sha256=checkpoint.sha256,
        native_size=checkpoint.native_size,
        resident=resident,
        builtin=checkpoint.builtin,
        default=default,
        size_bytes=checkpoint.size_bytes,
        short_hash=checkpoint.short_hash,
        inpainting=checkpoint.inpainting,
        prediction=checkpoint.prediction,
        zero_terminal_snr=checkpoint.zero_terminal_snr,
        distillation=checkpoint.distillation,
        defaults=schemas.DefaultsOut(**asdict(defaults_of(checkpoint))),
    )


def addon_out(addon: AddonFile) -> schemas.AddonOut:
    return schemas.AddonOut(
        id=addon.id,
        kind=addon.kind,
        name=addon.name,
        family=addon.family,
        sha256=addon.sha256,
        short_hash=addon.short_hash,
        size_bytes=addon.size_bytes,
    )


def agent_out(agent: Agent, checkpoint_names: dict[str, str]) -> schemas.AgentOut:
    """``checkpoint_names``: id -> name."""
    device = agent.device
    return schemas.AgentOut(
        name=agent.name,
        pool=agent.pool,
        state=agent.state,
        runtime=agent.runtime,
        device=schemas.DeviceOut(kind=device.kind, name=device.name, precision=device.precision) if device else None,
        seats=agent.seats,
        running=agent.running,
        resident=[checkpoint_names.get(checkpoint_id, checkpoint_id) for checkpoint_id in agent.resident],
        reason=agent.reason,
        error=agent.error,
    )


def lane_out(lane: LaneTrouble) -> schemas.LaneOut:
    error = lane.breaker.error
    return schemas.LaneOut(
        pool=lane.pool,
        checkpoint=lane.checkpoint,
        state=lane.breaker.state.value,
        error=schemas.ShotErrorOut(code=error.code, message=error.message, hint=error.hint) if error else None,
        failures=lane.breaker.failures,
        retry_at=lane.breaker.retry_at,
        barred=list(lane.barred),
    )
