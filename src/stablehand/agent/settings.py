"""What an agent process is told when it starts."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    server: str  #: base URL, "http://127.0.0.1:7868"
    token: str = field(repr=False)
    runtime: str  #: name said in hello before the runtime itself exists
    pool: str | None = None  #: None: whatever the token belongs to
    grace_seconds: float = 5.0  #: after SIGTERM: how long running pictures may still end
    parent_pid: int | None = None  #: end when this process is no longer our parent
    claim_wait_seconds: float = 20.0  #: longest wait of one claim
    upload_threads: int = 2
    preview_interval_seconds: float = 0.5  #: between two previews of one watched shot
