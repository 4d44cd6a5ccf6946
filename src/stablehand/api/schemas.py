"""What goes in and out of the native API, as pydantic models: the source of the OpenAPI document.

In and Out stay apart. Ranges are checked once, in the domain; the models only document them.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from stablehand.api.bodies import Given as Given  # noqa: PLC0414 - others find these here, with what is built on them
from stablehand.api.bodies import In as In  # noqa: PLC0414
from stablehand.api.bodies import Model as Model  # noqa: PLC0414
from stablehand.api.bodies import Out as Out  # noqa: PLC0414
from stablehand.api.bodies import Query as Query  # noqa: PLC0414
from stablehand.api.mail_schemas import JobMailOut
from stablehand.domain.agents import AgentState
from stablehand.domain.jobs import State
from stablehand.domain.quotas import Hit
from stablehand.domain.recipes import Format


class JobMoveIn(In):
    """Where to. Give one of the two."""

    before: str | None = Field(None, max_length=64, description="Id of the job that it shall come before.")
    to: Literal["front", "back"] | None = Field(None, description="Of your own jobs of this tier.")


class ImagePatch(In):
    starred: bool = Field(description="Whether it is one of the favourites.")


class IdempotencyHeader(Model):
    """Read from the request's headers, of which there are always others."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Sending the same order again with the same key within a day returns the first job.",
    )


class ById(Given):
    id: str = Field(description="As returned when it was made.", min_length=1, max_length=64)


class Nothing(Query):
    """No query parameters."""


class WaitQuery(Query):
    wait: float = Field(0, ge=0, le=60, allow_inf_nan=False, description="Seconds to wait for the job to end.")


class PageQuery(Query):
    limit: int = Field(50, ge=1, le=200, description="Items a page.")
    cursor: str | None = Field(None, max_length=200, description="`next_cursor` of the page before.")


class JobsQuery(PageQuery):
    state: Literal["active", "finished", "queued", "running", "succeeded", "failed", "cancelled"] | None = Field(
        None, description="Only jobs in this state; `active`: not ended, `finished`: ended."
    )
    include: str = Field(
        "", max_length=40, description="`shots`, `images` or `shots,images`: all of each job's, not just the first few."
    )


class ImagesQuery(PageQuery):
    trashed: bool = Field(False, description="Those in the trash instead of the others.")
    search: str | None = Field(None, max_length=200, description="Words that the prompt must hold.")


class DownloadQuery(Query):
    download: bool = Field(False, description="Answer as an attachment with a file name.")


class HitOut(Out):
    name: str = Field(description="Of the limit, as `GET /api/v1/me/limits` names it.")
    most: float
    used: float = Field(description="Without this order.")
    asked: float = Field(description="By this order.")
    over: float = Field(description="By how much it would be passed.")
    frees_at: datetime | None = Field(description="When there is room for it; null when time alone makes none.")

    @classmethod
    def of(cls, hit: Hit) -> "HitOut":
        return cls(name=hit.limit, most=hit.most, used=hit.used, asked=hit.asked, over=hit.over, frees_at=hit.frees_at)


class ErrorBody(Out):
    code: str = Field(description="Stable; meant for programs.")
    message: str = Field(description="What happened.")
    hint: str = Field(description="What to do.")
    fields: dict[str, str] = Field(description="Field -> what it must be; every wrong one at once.")
    limit: HitOut | None = Field(None, description="Which limit of the account was hit; only there if one was.")


class Error(Out):
    error: ErrorBody


class RecipeOut(Out):
    prompt: str
    negative_prompt: str
    kind: str
    checkpoint: str
    width: int
    height: int
    steps: int
    sampler: str
    schedule: str
    cfg_scale: float
    seed: int
    format: Format
    quality: int
    exact: bool
    output_width: int = Field(description="Pixels of the finished picture, after a second pass or a paste-back.")
    output_height: int = Field(description="Pixels of the finished picture.")
    options: dict[str, Any] = Field(
        description="Further fields of the order under their request names, as far as they say anything; what of "
        "checkpoints, `input` and `mask` belongs here too."
    )


class NoteOut(Out):
    """Something that had to be done otherwise than asked for."""

    code: str = Field(description="Stable; meant for programs.")
    message: str = Field(description="A sentence for people.")


class JobNoteOut(NoteOut):
    pictures: int = Field(description="For how many of the job's pictures.")


class ImageOut(Out):
    id: str
    job_id: str
    index: int = Field(description="Which picture of its job, from 0.")
    width: int
    height: int
    format: Format
    seed: int
    created_at: datetime
    starred: bool
    deleted_at: datetime | None = Field(description="Since when it lies in the trash.")
    recipe: RecipeOut
    infotext: str = Field(description="The parameters as they stand in the file.")
    size_bytes: int
    notes: list[NoteOut] = Field(description="What had to be done otherwise than asked for; mostly nothing.")


class ShotErrorOut(Out):
    code: str
    message: str
    hint: str


class ShotOut(Out):
    index: int
    state: State
    progress: float = Field(description="0 to 1.")
    image_id: str | None
    seed: int
    error: ShotErrorOut | None


class QueueOut(Out):
    ahead: int = Field(description="Pictures for its checkpoint that come before its next one; many: at most so many.")
    eta_seconds: float | None = Field(description="Until its last picture is done; null while nothing was measured.")
    eta_low_seconds: float | None = Field(description="The range in which that should lie.")
    eta_high_seconds: float | None
    reason: str | None = Field(description="Why its next picture waits; null when it is simply next.")


class CountsOut(Out):
    queued: int
    running: int
    succeeded: int
    failed: int
    cancelled: int


class NotifyOut(Out):
    """Whom a job tells about itself."""

    email: bool | None = Field(description="null: as the account has chosen.")
    webhook_url: str | None


class JobOut(Out):
    id: str
    kind: str
    state: State
    tier: str
    created_at: datetime
    finished_at: datetime | None
    recipe: RecipeOut
    count: int
    cancel_requested: bool
    retry_of: str | None
    counts: CountsOut = Field(description="Its pictures by state.")
    error: ShotErrorOut | None = Field(description="Why its first failed picture failed.")
    shots: list[ShotOut] = Field(description="Left out of lists unless they are asked for.")
    queue: QueueOut | None
    images: list[ImageOut] = Field(description="In lists the first few, unless all are asked for.")
    notes: list[JobNoteOut] = Field(description="What had to be done otherwise than asked for; mostly nothing.")
    notify: NotifyOut | None
    mail: JobMailOut | None = Field(description="Where its result goes by mail; null: nowhere, or it has ended.")


class JobPage(Out):
    items: list[JobOut]
    next_cursor: str | None


class ImagePage(Out):
    items: list[ImageOut]
    next_cursor: str | None


class DefaultsOut(Out):
    """What an order takes that does not say it."""

    steps: int
    sampler: str
    schedule: str
    cfg_scale: float


class CheckpointOut(Out):
    id: str
    name: str
    family: str
    sha256: str | None = Field(description="Null until it has been computed.")
    native_size: int = Field(description="Pixels a side.")
    resident: bool = Field(description="In an agent's memory now.")
    builtin: bool
    default: bool
    size_bytes: int
    short_hash: str | None = Field(description="The first ten digits of `sha256`, as A1111 shows it.")
    inpainting: bool = Field(description="Made to fill masks: it also sees the mask and what lies around it.")
    prediction: str | None = Field(
        description="`epsilon` or `v_prediction`; null where neither its header nor a file beside it says."
    )
    zero_terminal_snr: bool
    distillation: str | None = Field(description="`lcm`, `turbo` …: made for few steps and little guidance.")
    defaults: DefaultsOut = Field(description="What an order for it takes where it leaves these open.")


class AddonOut(Out):
    id: str
    kind: str = Field(description="`vae`, `embedding` or `upscaler`.")
    name: str = Field(description="An embedding's name is the word that calls it in a prompt.")
    family: str | None = Field(description="What it is for; null where its header does not say.")
    sha256: str | None = Field(description="Null until it has been computed.")
    short_hash: str | None
    size_bytes: int


class AddonPage(Out):
    items: list[AddonOut]
    next_cursor: str | None


class AddonQuery(PageQuery):
    kind: Literal["vae", "embedding", "upscaler"] | None = Field(None, description="Only those of one kind.")


class CheckpointPage(Out):
    items: list[CheckpointOut]
    next_cursor: str | None


class NamedOut(Out):
    name: str
    aliases: list[str]


class NamedPage(Out):
    items: list[NamedOut]
    next_cursor: str | None


class UpscalerOut(NamedOut):
    latent: bool = Field(description="It enlarges latents, between the passes of one picture only.")
    network: bool = Field(description="It is a file of weights, from `models/upscalers` or built in.")
    scale: int | None = Field(
        description="How much larger a network draws; what an order asks for may be another scale. Null for formulas."
    )


class UpscalerPage(Out):
    items: list[UpscalerOut]
    next_cursor: str | None


class QueueCount(Out):
    queued: int
    running: int


class DeviceOut(Out):
    kind: str
    name: str
    precision: str


class AgentOut(Out):
    name: str
    pool: str
    state: AgentState
    runtime: str | None
    device: DeviceOut | None
    seats: int
    running: int
    resident: list[str] = Field(description="Names of the checkpoints in its memory.")
    reason: str = Field(description="Why it is drained or paused; empty while it is not.")
    error: str = Field(description="Why its device is not ready; empty while nothing is wrong.")


class LaneOut(Out):
    """A checkpoint that does not load, in one pool."""

    pool: str
    checkpoint: str
    state: Literal["closed", "open", "condemned"] = Field(
        description="`open`: it is tried again by itself and its pictures wait; `condemned`: they fail; `closed`: it "
        "loads, but not on the agents named."
    )
    error: ShotErrorOut | None
    failures: int = Field(description="In a row.")
    retry_at: datetime | None
    barred: list[str] = Field(description="Agents that do not try it for the time being.")


class PoolOut(Out):
    name: str
    ready: int = Field(description="Agents that take work now.")
    wanted: int = Field(description="Agents that the work of this moment asks for; no pool's limits are applied.")


class CalibrationOut(Out):
    """How the estimates for the latest pictures compare with the time that those took."""

    count: int
    inside_share: float = Field(description="Of the pictures, those whose time lay inside the estimated range.")
    median_ratio: float = Field(description="Of actual to estimated time; 1 when neither is longer.")


class StatusOut(Out):
    version: str
    ready: bool = Field(description="Whether an agent can take work now.")
    queue: QueueCount
    estimates: CalibrationOut | None
    agents: list[AgentOut]
    pools: list[PoolOut]
    lanes: list[LaneOut] = Field(description="Only those in trouble.")
    authentication: bool


class LimitsOut(Out):
    steps: tuple[int, int]
    count: tuple[int, int]
    side: tuple[int, int]
    cfg_scale: tuple[float, float]
    prompt_length: int
    queued_shots: int | None


class MeOut(Out):
    id: str
    name: str
    role: str
    tiers: list[str]
    limits: LimitsOut


class HealthOut(Out):
    status: Literal["ok"]


class ReadyOut(Out):
    ready: bool
    checks: dict[str, str]
    agents: dict[str, str] = Field(description="Agent -> state; never a reason not to be ready.")
