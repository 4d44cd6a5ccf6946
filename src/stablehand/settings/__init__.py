"""The one table of settings: where each value comes from, what it means and what it must be.

Values come, first found first used, from the command line, the environment (``STABLEHAND_SECTION__NAME``), a YAML file
(``--config``, else ``stablehand.yaml`` in the data directory) and the defaults below. A YAML file whose single root key
is ``stable-diffusion-webui`` is read as if its content stood at the root. Unknown keys are refused, never ignored.
"""

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from platformdirs import user_data_path
from pydantic import BaseModel, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from stablehand.domain.errors import BadSettings
from stablehand.domain.quotas import Quotas
from stablehand.domain.tiers import Tiers
from stablehand.settings.accounts import AuthSettings, MailSettings
from stablehand.settings.costs import CostsSettings
from stablehand.settings.file import FILE_NAME as FILE_NAME
from stablehand.settings.file import file_of as file_of
from stablehand.settings.file import from_file
from stablehand.settings.masking import Mask, secrets_in
from stablehand.settings.safety import SafetySettings
from stablehand.settings.section import Section
from stablehand.settings.tiers import TiersSettings
from stablehand.settings.values import DatabaseUrl, Hosts, Origins, PoolName, Rate, RedisUrl
from stablehand.settings.webhooks import WebhookSettings

PREFIX = "STABLEHAND_"


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


class ApiSettings(Section):
    host: str = Field(
        "127.0.0.1", description="Address to listen on. Anything but loopback needs `api.authentication`."
    )
    port: int = Field(7868, ge=0, le=65535, description="Port to listen on; 0 takes a free one and prints it.")
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/\s]+$",
        description="Address that browsers use, such as `https://images.example.org`.",
    )
    allowed_hosts: Hosts = Field(
        default_factory=list, description="Further names that may stand in a request's Host header."
    )
    cors_origins: Origins = Field(
        default_factory=list,
        description="Origins of other sites whose pages may call the API; `*` passes only requests with an API key.",
    )
    authentication: bool = Field(
        False, description="Accounts and sign-in. Without it everybody who reaches the server is the owner."
    )
    trusted_proxies: int = Field(
        0, ge=0, le=8, description="How many reverse proxies in front of the server set X-Forwarded headers."
    )
    dialect_wait_seconds: float = Field(
        300.0,
        gt=0,
        le=86_400,
        description="Seconds that a request of a dialect (`/sdapi`, `/v1`) waits for its pictures; its job goes on.",
    )
    dialect_hang_up: Literal["keep", "cancel"] = Field(
        "keep", description="What becomes of the job when a client of a dialect hangs up before its pictures are there."
    )
    max_body_bytes: int = Field(
        1_048_576, ge=1024, description="Largest request body of the native API; agents' pictures have their own limit."
    )
    requests_per_address: Rate = Field(
        "6000/minute",
        description="Requests that may come from one address (of IPv6, one /64), where people sign in; empty: any. "
        "Agents, health and metrics are not counted.",
    )
    requests_per_account: Rate = Field(
        "3000/minute", description="Requests of one account, where people sign in; empty: any."
    )


class ModelsSettings(Section):
    location: Path | None = Field(
        None, description="Folder with `checkpoints/`, `loras/` and so on. Default: `models` in the data directory."
    )
    default_model: str | None = Field(
        None, description="Default checkpoint: its name, or an https address or `hf:owner/name[/file]` to fetch once."
    )
    hub: str = Field("https://huggingface.co", description="Where `hf:owner/name` lies: Hugging Face or a mirror.")
    cache_gigabytes: float = Field(100.0, gt=0, description="Largest size of an agent's cache of fetched weights.")
    vae: str | None = Field(None, description="Autoencoder of `vae/` to use in place of every checkpoint's own.")


class ComputeSettings(Section):
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field("auto", description="What the engine computes in.")
    runtime: Literal["native", "null"] = Field(
        "native", description="How the embedded agent draws; `null` paints gradients in milliseconds, for trials."
    )
    null_seconds_per_step: float = Field(
        0.002, ge=0, le=60, description="Seconds that the null runtime takes for one step of all its pictures."
    )
    seats: int | None = Field(
        None, ge=1, le=256, description="Pictures drawn at once. Default: measured on the device."
    )
    threads: int | None = Field(None, ge=1, description="CPU threads of the engine. Default: the machine's cores.")
    exact_rows: int | None = Field(
        None, ge=1, le=64, description="Rows of a call for `exact` pictures. Default: 2 on a CPU, 2 to 16 on a GPU."
    )
    xformers: bool = Field(
        False, description="Memory-efficient attention; PyTorch's own is always used, so this changes nothing."
    )
    pools: dict[PoolName, list[str] | None] = Field(
        {}, description="Pool of agents -> checkpoints that it alone runs; null: any. Default: one pool, `default`."
    )
    cuda: bool = Field(False, description="`true` refuses to start an agent on a machine without CUDA.")


class QueueSettings(Section):
    max_size: int = Field(10_000, ge=1, description="Queued pictures that one account may have.")
    timeout: float = Field(600.0, gt=0, le=604_800, description="Seconds that one attempt at a picture may run.")
    retry_count: int = Field(3, ge=0, description="Reported errors after which a picture fails.")
    premium_seats: int = Field(
        1,
        ge=0,
        le=256,
        description="Seats of each agent that normal pictures leave free, so that premium ones need not "
        "wait; an agent keeps one seat for normal pictures at least.",
    )
    max_running: int | None = Field(
        None, ge=1, description="Pictures of one account that agents may have at once. Default: any number."
    )
    park_seconds: float = Field(
        30.0,
        ge=0,
        le=86_400,
        description="Seconds between two saved states of a picture in the making, from which another agent goes on if "
        "this one is lost; 0 saves none.",
    )
    lease_seconds: float = Field(
        30.0, ge=3, le=86_400, description="Length of a lease; an agent renews it at least three times."
    )
    redis_url: RedisUrl = Field(
        None,
        description="Redis that carries doorbells and live events between several server processes, such as "
        "`redis://:PASSWORD@HOST:6379/0`. It keeps nothing that is needed.",
    )
    redis_prefix: str = Field(
        "stablehand",
        pattern=r"^[\w.-]+$",
        description="Beginning of the names of Redis channels; another for each installation that shares a Redis.",
    )
    notices_file: Path | None = Field(
        None, description="File to which the courier appends every notice as a line of JSON. Default: none."
    )


class StorageSettings(Section):
    database_url: DatabaseUrl = Field(
        None,
        description="PostgreSQL to use, as `postgresql://USER:PASSWORD@HOST/NAME`. Default: SQLite in the data "
        "directory.",
    )
    database_timeout: float = Field(30.0, ge=1, description="Seconds that the database may take for one statement.")
    database_connections: int = Field(
        32, ge=2, le=1000, description="Connections to the database that one process may have open at once."
    )
    output_dir: Path | None = Field(
        None, description="Folder of the local object store. Default: `objects` in the data directory."
    )
    url: str | None = Field(
        None,
        pattern=r"^s3://[^/\s]+(/\S*)?$",
        description="Bucket to keep pictures in, such as `s3://bucket/prefix`, instead of the folder.",
    )
    endpoint: str | None = Field(
        None, pattern=r"^https?://[^/\s]+/?$", description="Address of an S3-compatible server. Default: Amazon's."
    )
    region: str | None = Field(None, description="The bucket's region. Default: `AWS_REGION`, else `us-east-1`.")
    access_key_id: str | None = Field(
        None, description="Key for the bucket. Default: the AWS environment variables, else the machine's role."
    )
    secret_access_key: SecretStr | None = Field(None, description="The secret that belongs to the key.")
    path_style: bool | None = Field(
        None,
        description="The bucket's name stands in the path, not in the host. Default: when there is an endpoint.",
    )
    presigned_uploads: bool = Field(
        True, description="Agents send pictures straight to the bucket, by links for one object each."
    )
    public_url: str | None = Field(
        None,
        pattern=r"^(presigned|https?://[^\s?#]+)$",
        description="Sends browsers to the bucket for pictures: `presigned` by links that expire, an address by "
        "links below it. Default: pictures come from this server.",
    )
    save_format: Literal["png", "webp", "jpeg"] = Field("webp", description="File format when a request names none.")
    quality: int = Field(90, ge=1, le=100, description="Quality of WebP and JPEG when a request names none.")
    trash_days: float = Field(30.0, ge=0, le=36_500, description="Days that a deleted picture can be restored.")


class ObservabilitySettings(Section):
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least important line to log.")
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="`auto` writes text to a terminal and JSON lines elsewhere."
    )
    log_requests: bool = Field(False, description="One line for every request, not only for those that went wrong.")
    metrics: bool = Field(True, description="Prometheus metrics at `/metrics`.")


class Settings(BaseSettings):
    """Every setting of every command."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=PREFIX, env_nested_delimiter="__", case_sensitive=False
    )

    api: ApiSettings = ApiSettings()
    models: ModelsSettings = ModelsSettings()
    compute: ComputeSettings = ComputeSettings()
    queue: QueueSettings = QueueSettings()
    storage: StorageSettings = StorageSettings()
    mail: MailSettings = MailSettings()
    tiers: TiersSettings = TiersSettings()
    costs: CostsSettings = CostsSettings()
    auth: AuthSettings = AuthSettings()
    safety: SafetySettings = SafetySettings()
    webhooks: WebhookSettings = WebhookSettings()
    observability: ObservabilitySettings = ObservabilitySettings()

    #: where everything is kept; not a key of the file, since the file may lie in it
    _data_dir: Path = Path()

    @model_validator(mode="after")
    def _check(self) -> Self:
        unknown = sorted(set(self.auth.oidc.tiers.values()) - set(self.tiers.by_name))
        if unknown:
            raise ValueError(f"auth.oidc.tiers names tiers that are not there: {', '.join(unknown)}")
        unknown = sorted(set(self.costs.tier_factors) - set(self.tiers.by_name))
        if unknown:
            raise ValueError(f"costs.tier_factors names tiers that are not there: {', '.join(unknown)}")
        return self

    @property
    def data_dir(self) -> Path:
        return self._data_dir

    @property
    def mask(self) -> Mask:
        """Puts asterisks in place of everything secret that stands here."""
        return Mask(secrets_in(self))

    @property
    def models_dir(self) -> Path:
        return _absolute(self.models.location) if self.models.location else self._data_dir / "models"

    @property
    def objects_dir(self) -> Path:
        return _absolute(self.storage.output_dir) if self.storage.output_dir else self._data_dir / "objects"

    @property
    def tiers_in_force(self) -> Tiers:
        return self.tiers.in_force(Quotas(queued=self.queue.max_size, running=self.queue.max_running))

    def with_storage(self, **values: Any) -> "Settings":
        """The same settings but for these of the section ``storage``. Raises BadSettings."""
        given = {name: getattr(self.storage, name) for name in self.storage.model_fields_set}
        try:
            storage = StorageSettings(**{**given, **values})
        except ValidationError as error:
            lines = (f"  storage.{line}" for line in _explain(error))
            raise BadSettings(
                "This does not do:\n" + "\n".join(lines), hint="`stablehand settings` says what each must be."
            ) from error
        changed = self.model_copy(update={"storage": storage})
        changed._data_dir = self._data_dir
        return changed

    @property
    def database_path(self) -> Path:
        return self._data_dir / "stablehand.db"


def default_data_dir() -> Path:
    """``./data`` when the working directory is a clone of the project, else the platform's place for user data."""
    here = Path.cwd()
    if (here / "src" / "stablehand" / "settings").is_dir():
        return here / "data"
    return user_data_path("stablehand", appauthor=False)


def load(
    *,
    data_dir: Path | None = None,
    config: Path | None = None,
    command_line: Mapping[str, Mapping[str, Any]] | None = None,
) -> Settings:
    """Read all sources into one checked table.

    ``command_line`` holds sections with the values given as options. Raises BadSettings naming every wrong key at once.
    """
    root = (data_dir or Path(os.environ.get("STABLEHAND_DATA_DIR") or default_data_dir())).expanduser().absolute()
    file = from_file(config, root)
    _refuse_unknown_sections(os.environ)

    class Sourced(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=file)

    try:
        options: dict[str, Any] = {section: dict(values) for section, values in (command_line or {}).items()}
        settings = Sourced(**options)
    except ValidationError as error:
        raise BadSettings(
            "These settings are not valid:\n" + "\n".join(f"  {line}" for line in _explain(error)),
            hint="`stablehand settings` lists every setting with its meaning.",
        ) from error
    settings._data_dir = root
    return settings


def rows() -> Iterator[tuple[str, str, str, str]]:
    """(key, environment variable, default, meaning) of every setting, in the table's order."""
    yield from _rows_below(Settings, ())


def _rows_below(model: type[BaseModel], above: tuple[str, ...]) -> Iterator[tuple[str, str, str, str]]:
    for name, info in model.model_fields.items():
        inner, path = info.annotation, (*above, name)
        if isinstance(inner, type) and issubclass(inner, Section):
            yield from _rows_below(inner, path)
        elif above:
            default = info.get_default(call_default_factory=True)
            shown = "" if default is None else str(default).lower() if isinstance(default, bool) else str(default)
            yield ".".join(path), f"{PREFIX}{'__'.join(path)}".upper(), shown, info.description or ""


def _refuse_unknown_sections(variables: Mapping[str, str]) -> None:
    """Refuse ``STABLEHAND_APY__PORT``.

    Names with single underscores only are left alone: container platforms inject such variables for a service called
    stablehand.
    """
    for name in variables:
        section, separator, _ = name.upper().removeprefix(PREFIX).lower().partition("__")
        if name.upper().startswith(PREFIX) and separator and section not in Settings.model_fields:
            near = difflib.get_close_matches(section, Settings.model_fields, n=1, cutoff=0.5)
            raise BadSettings(
                f"The environment variable {name} belongs to no section of the settings.",
                hint=f"Did you mean the section {near[0]}?" if near else "Unset it, or see `stablehand settings`.",
            )


def _explain(error: ValidationError) -> Iterator[str]:
    """One line a problem; an unknown key is answered with the nearest known one."""
    known = [key for key, *_ in rows()]
    for problem in error.errors(include_url=False, include_input=False):
        key = ".".join(part for part in problem["loc"][:3] if isinstance(part, str))
        if problem["type"] == "extra_forbidden":
            names = known if "." in key else list(Settings.model_fields)
            near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
            yield f"{key}: unknown" + (f"; did you mean {near[0]}?" if near else "; no such setting")
        else:
            yield f"{key}: {problem['msg'][0].lower()}{problem['msg'][1:]}"
