"""The agent protocol: every message that passes between an agent and the server under ``/agent/v1``.

Both ends parse with these models, so neither can drift. All requests carry the agent's bearer token and, after hello,
its incarnation: leases belong to an incarnation, and a restarted agent starts a new one.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Message(BaseModel):
    """Unknown fields are ignored: an older peer must be able to read a newer one."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Device(Message):
    kind: Literal["cpu", "cuda", "mps", "none"]
    name: str
    memory_bytes: int = 0
    precision: str = "fp32"  #: what the engine computes in


class Hello(Message):
    """POST /agent/v1/hello: once before the device is ready, once after, and again after the server forgot us."""

    incarnation: str
    runtime: str  #: "native" or "null"
    pool: str | None = None  #: must equal the token's pool when given
    kinds: list[str] = Field(default_factory=lambda: ["text"])
    device: Device
    ready: bool = False  #: True once jobs can run
    seats: int = 0  #: shots it can run at once
    present: list[str] = Field(default_factory=list)  #: SHA-256 of checkpoints on its disk
    resident: list[str] = Field(default_factory=list)  #: ids of checkpoints in its memory
    version: str = ""
    error: str = ""  #: why it will never be ready; the agent's last word


class Welcome(Message):
    agent_id: str
    lease_seconds: float
    renew_seconds: float  #: how often to renew while shots run
    park_seconds: float = 0.0  #: how often to save the states of running shots; 0: never
    stages: bool = False  #: True: pictures may be put straight into the object store, see Stage


class Claim(Message):
    """POST /agent/v1/claim: long poll for work."""

    incarnation: str
    seats: int = Field(ge=1, le=256)  #: free seats
    resident: list[str] = Field(default_factory=list)
    loading: str | None = None  #: id of the checkpoint that is being brought into memory
    wait_seconds: float = Field(default=20.0, ge=0.0, le=20.0)


class CheckpointRef(Message):
    """Where an agent finds weights: a folder of the package, a file below its shared folder, or by hash."""

    id: str
    name: str
    path: str  #: relative to the models folder, or "builtin:NAME"
    sha256: str | None = None
    source: str | None = None


class AddonRef(Message):
    """Where an agent finds weights that are used beside a checkpoint: as for a checkpoint."""

    kind: Literal["vae", "embedding", "upscaler"]
    id: str
    name: str
    path: str  #: relative to the models folder
    sha256: str | None = None
    source: str | None = None


class Lease(Message):
    shot_id: str
    job_id: str
    index: int
    token: int  #: fencing token; every later word about this shot must carry it
    attempt: int
    lease_seconds: float
    timeout_seconds: float  #: how long this attempt may run
    recipe: dict[str, Any]  #: Recipe.as_dict(), with this shot's own seed
    checkpoint: CheckpointRef
    addons: list[AddonRef] = Field(default_factory=list)  #: those that the recipe names
    refiner: CheckpointRef | None = None  #: the recipe's second checkpoint
    inputs: dict[str, str] = Field(default_factory=dict)  #: SHA-256 of an input -> where to GET it with our token
    account_id: str = ""  #: whose it is; tells an agent nothing but which shots belong together
    #: address of a saved state to go on from, to be fetched with GET and our token; whoever cannot begins anew
    resume_from: str | None = None
    resumed_progress: float = Field(default=0.0, ge=0.0, le=1.0)  #: how far that state is


class Leases(Message):
    leases: list[Lease]
    drain: bool = False  #: True: claim no more


class Held(Message):
    shot_id: str
    token: int
    progress: float = Field(default=0.0, ge=0.0, le=1.0)


class Loaded(Message):
    """How long it took to bring a checkpoint into memory."""

    checkpoint_id: str
    seconds: float = Field(ge=0.0, allow_inf_nan=False)


class Renew(Message):
    """POST /agent/v1/renew: one heartbeat for everything the agent runs."""

    incarnation: str
    shots: list[Held]
    resident: list[str] = Field(default_factory=list)
    loading: str | None = None  #: as in Claim: an agent that dies now died over this checkpoint, not over its shots
    loads: list[Loaded] = Field(default_factory=list, max_length=64)  #: since the last renewal that was answered
    busy_share: float | None = Field(default=None, ge=0.0, le=1.0)  #: of its time, spent drawing; see domain.busy


class Renewed(Message):
    cancelled: list[str]  #: shot ids to stop
    lost: list[str]  #: shot ids that are no longer ours: stop, deliver nothing
    watched: list[str]  #: shot ids somebody looks at: send previews
    drain: bool = False


class Uploaded(Message):
    """Answer to PUT /agent/v1/shots/{shot_id}/picture?token=N with the picture's bytes as body."""

    upload: str  #: names the stored bytes in the delivery that follows
    sha256: str
    size_bytes: int
    notes: list[str] = Field(default_factory=list)  #: codes of domain.notes, to be delivered with the agent's own


class Stage(Message):
    """POST /agent/v1/stage: where may this picture be put without passing through the server?"""

    incarnation: str
    shot_id: str
    token: int
    size_bytes: int = Field(ge=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Staged(Message):
    """Where to PUT the picture. What lies there is looked at when it is delivered.

    Whoever cannot use the link uploads through the server.
    """

    url: str | None  #: None: upload through the server
    upload: str = ""  #: names the bytes in the delivery that follows
    headers: dict[str, str] = Field(default_factory=dict)  #: to be sent along
    seconds: float = 0.0  #: how long the link is good


class Picture(Message):
    shot_id: str
    token: int
    upload: str
    width: int
    height: int
    format: str
    seed: int
    infotext: str
    device_seconds: float  #: this picture's share of device time
    notes: list[str] = Field(default_factory=list, max_length=64)  #: codes of domain.notes
    #: domain.manifests.Manifest.as_dict(); one that cannot be read is left out, the picture counts all the same
    manifest: dict[str, Any] | None = None


class Deliver(Message):
    """POST /agent/v1/deliver: several pictures in one call, each fenced alone."""

    incarnation: str
    pictures: list[Picture]


class Delivered(Message):
    accepted: list[str]  #: shot ids whose picture is now the result (also when it already was, from this same token)
    refused: list[str]  #: shot ids whose lease was no longer ours
    #: shot ids whose staged bytes are not there, or are not the picture: upload them again, through the server
    missing: list[str] = Field(default_factory=list)


class Failure(Message):
    shot_id: str
    token: int
    #: agent_sick: the device cannot go on. The server gives this process nothing more; it should end and be restarted.
    error_class: Literal["retry", "final", "agent_sick"]
    code: str
    message: str
    hint: str = ""
    at_load: bool = False  #: the shot's checkpoint did not load: counts against its lane, not against the shot


class Fail(Message):
    """POST /agent/v1/fail."""

    incarnation: str
    failures: list[Failure]


class Release(Message):
    """POST /agent/v1/release: give shots back unharmed; counts as neither error nor loss."""

    incarnation: str
    shots: list[Held]
    #: True: this process will end soon. Its claims get nothing from now on, and what it has left goes on.
    closing: bool = False
    #: True: this process ends. Its claims, also one that still waits for work, get nothing from now on; without this
    #: word the shots that it gives back could be leased to the very process that is leaving.
    leaving: bool = False


class Park(Message):
    """Query of POST /agent/v1/park, whose body is the state of a running shot as the runtime has saved it.

    It replaces an older one of the same shot. The shot runs on; to leave it, release it afterwards.
    """

    incarnation: str
    shot_id: str
    token: int
    step: int = Field(ge=0)
    steps: int = Field(ge=1)
    device_seconds: float = Field(default=0.0, ge=0.0)  #: what it took to get so far, in all attempts


class Preview(Message):
    """POST /agent/v1/preview: a small picture of a watched shot as it forms."""

    incarnation: str
    shot_id: str
    token: int
    progress: float = Field(ge=0.0, le=1.0)
    data_url: str = Field(max_length=65536, pattern=r"^data:image/(jpeg|webp|png);base64,[A-Za-z0-9+/=]+$")


class Done(Message):
    """The plain answer of fail, release, park and preview: which shots the words were still valid for."""

    accepted: list[str]
