"""What is wrong with this installation, and how to mend it. Looks at everything, changes nothing."""

import functools
import importlib.metadata
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
from packaging.version import Version

from stablehand.adapters.hub import is_source
from stablehand.api import server
from stablehand.domain.errors import BadSettings, StablehandError
from stablehand.services.catalogue import default_checkpoint, list_checkpoints
from stablehand.settings import Settings, rows
from stablehand.wiring import exposure, safety, serving
from stablehand.wiring.lines import try_out_counts, try_out_redis
from stablehand.wiring.mail import try_out_mail
from stablehand.wiring.objects import open_objects, try_out
from stablehand.wiring.provider import try_out_provider

PYTHON = "3.11"
LIBRARIES = {"torch": "2.13", "diffusers": "0.42", "transformers": "5.0", "flask": "3.1", "sqlalchemy": "2.0.41"}
#: bytes below which there is soon no room for pictures, and below which there is none
SPACE_LOW, SPACE_GONE = 5 * 10**9, 2 * 10**8
MEMORY_LOW = 2 * 10**9
BUILTIN = Path(__file__).parent / "builtin" / "checkpoints" / "postcard"

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    topic: str
    level: Level
    text: str
    mend: str = ""  #: what to do about it


def examine(settings: Settings) -> Iterator[Finding]:
    """Every finding, in the order in which a first start would meet them."""
    yield from _python()
    yield from _exposure(settings)
    yield from _data_dir(settings)
    yield from _secret_key(settings)
    yield from _safety(settings)
    yield from _database(settings)
    yield from _objects(settings)
    yield from _redis(settings)
    yield from _provider(settings)
    yield from _mail(settings)
    yield from _port(settings)
    yield from _page()
    yield from _device(settings)
    yield from _memory()


def changed_settings(settings: Settings) -> Iterator[tuple[str, str]]:
    """(key, value) of every setting that is not at its default; secrets are masked."""
    for key, _, default, _ in rows():
        value = functools.reduce(getattr, key.split("."), settings)
        shown = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        if shown != default:
            yield key, settings.mask(shown)  # SecretStr prints itself as asterisks


def _python() -> Iterator[Finding]:
    found = ".".join(str(part) for part in sys.version_info[:3])
    if Version(found) >= Version(PYTHON):
        yield Finding("python", "ok", f"Python {found}")
    else:
        yield Finding("python", "problem", f"Python {found} is too old.", f"Install Python {PYTHON} or newer.")
    for name, least in LIBRARIES.items():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding("libraries", "problem", f"{name} is not installed.", "Run `make install`.")
            continue
        if Version(version) < Version(least):
            yield Finding("libraries", "problem", f"{name} {version} is older than {least}.", "Run `make install`.")
        else:
            yield Finding("libraries", "ok", f"{name} {version}")


def _exposure(settings: Settings) -> Iterator[Finding]:
    try:
        exposure.check_exposure(settings)
        yield Finding("exposure", "ok", f"serves on {settings.api.host}, this machine only")
    except StablehandError as error:
        yield Finding("exposure", "problem", error.message, error.hint)
    public = settings.api.public_url or ""
    if (
        settings.api.authentication
        and exposure.is_loopback(settings.api.host)
        and public
        and not settings.api.trusted_proxies
    ):
        yield Finding(
            "exposure",
            "note",
            f"{public} seems to lead here through a proxy, but api.trusted_proxies is 0: all visitors count as one.",
            "Set it to the number of proxies in front, or a stranger's wrong passwords make everybody wait.",
        )
    if (
        settings.api.authentication
        and not public.startswith("https://")
        and not exposure.is_loopback(settings.api.host)
    ):
        yield Finding(
            "exposure",
            "note",
            "passwords and sessions travel in the open: api.public_url does not begin with https.",
            "Put a proxy with TLS in front, and set api.public_url to its address.",
        )
    if "*" in settings.api.cors_origins:
        yield Finding(
            "exposure",
            "note",
            'api.cors_origins holds "*", so that pages of any site may call with an API key.',
            "Name the origins instead, if you know them.",
        )


def _data_dir(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent  # serve makes the missing ones
    try:
        with tempfile.TemporaryFile(dir=folder):
            yield Finding("data", "ok", f"{settings.data_dir} can be written to")
    except OSError as error:
        yield Finding(
            "data",
            "problem",
            f"{settings.data_dir} cannot be written to: {error.strerror}.",
            "Give this user the right to, or choose another place with --data-dir DIR.",
        )
    free = shutil.disk_usage(folder).free
    text = f"{free / 1e9:.1f} GB free below {folder}"
    mend = "Delete what is not needed, or move the data directory to a larger disk."
    if free < SPACE_GONE:
        yield Finding("disk", "problem", text, mend)
    else:
        yield Finding("disk", "note" if free < SPACE_LOW else "ok", text, mend if free < SPACE_LOW else "")


def _secret_key(settings: Settings) -> Iterator[Finding]:
    path = settings.data_dir / "secret_key"
    if settings.auth.secret_key is None and path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield Finding("secrets", "problem", f"{path} can be read by other users.", f"chmod 600 {path}")
    else:
        yield Finding("secrets", "ok", "the secret key is nobody else's to read")


def _safety(settings: Settings) -> Iterator[Finding]:
    """What operators list, and who looks at pictures: said only where there is something of it."""
    try:
        if safety.open_blocklist(settings) is not None:
            yield Finding("safety", "ok", "the blocklist can be read")
        if safety.open_checker(settings) is not None:
            yield Finding("safety", "ok", f"{settings.safety.checker} looks at every picture")
    except BadSettings as error:
        yield Finding("safety", "problem", error.message, error.hint)


def _database(settings: Settings) -> Iterator[Finding]:
    if settings.storage.database_url is None and not settings.database_path.exists():
        yield Finding("database", "ok", "none yet; the first start makes it")
        if (BUILTIN / "model_index.json").is_file():
            yield Finding("checkpoint", "ok", "the bundled Postcard is there")
        else:
            yield Finding("checkpoint", "problem", f"{BUILTIN} is missing.", "Install the package again.")
        return
    try:
        services = serving.open_services(settings)
    except BadSettings as error:
        yield Finding("database", "problem", f"it has not been looked at: {error.message}", error.hint)
        return
    try:
        services.store.check()
        if not services.store.is_current():
            yield Finding("database", "problem", "its schema is not this version's.", "Run `stablehand migrate`.")
            return
        yield Finding("database", "ok", f"{services.store.place} has this version's schema")
        default = default_checkpoint(services)
        wanted = settings.models.default_model
        if wanted and is_source(wanted) and default is not None:
            yield Finding("checkpoint", "ok", f"the default checkpoint is {default.name}; wanted is {wanted}")
        elif default is None or (wanted and wanted.casefold() not in (default.name.casefold(), default.id.casefold())):
            names = ", ".join(checkpoint.name for checkpoint in list_checkpoints(services)) or "none"
            yield Finding(
                "checkpoint",
                "problem",
                f"the default checkpoint {wanted or 'Postcard'} is not in the catalogue (there: {names}).",
                f"Put it into {settings.models_dir / 'checkpoints'}, or correct models.default_model.",
            )
        else:
            yield Finding("checkpoint", "ok", f"the default checkpoint is {default.name}")
    except BadSettings as error:
        yield Finding("database", "problem", error.message, error.hint)
    except Exception as error:
        yield Finding(
            "database",
            "problem",
            f"{services.store.place} cannot be read: {error}",
            "Put back a backup with `stablehand restore FILE`, or with PostgreSQL's own tools.",
        )
    finally:
        services.store.close()


def _objects(settings: Settings) -> Iterator[Finding]:
    """A bucket is written to, read and cleaned; a folder has been looked at with the data directory."""
    if settings.storage.url is None:
        return
    try:
        yield Finding("objects", "ok", f"pictures can be written to {try_out(open_objects(settings))}")
    except StablehandError as error:
        yield Finding("objects", "problem", f"{settings.storage.url}: {error.message}", error.hint)


def _redis(settings: Settings) -> Iterator[Finding]:
    """Several processes hear of each other through it; one alone needs none."""
    url = settings.queue.redis_url
    if url is None:
        return
    try:
        yield Finding("redis", "ok", try_out_redis(url.get_secret_value(), settings.queue.redis_prefix))
        if settings.api.authentication:
            try_out_counts(url.get_secret_value(), settings.queue.redis_prefix)
    except StablehandError as error:
        # Work flows without it, but whoever has set it wants it.
        yield Finding("redis", "problem", error.message, error.hint)


def _provider(settings: Settings) -> Iterator[Finding]:
    issuer = settings.auth.oidc.issuer
    if issuer is None or not settings.api.authentication:
        return
    try:
        yield Finding("sign-in", "ok", try_out_provider(issuer))
    except StablehandError as error:
        yield Finding("sign-in", "problem", error.message, error.hint)


def _mail(settings: Settings) -> Iterator[Finding]:
    """As whoever carries letters would: up to the point where one would be handed over."""
    try:
        said = try_out_mail(settings)
    except StablehandError as error:
        yield Finding("mail", "problem", error.message, error.hint)
        return
    if said is not None:
        yield Finding("mail", "ok", said)


def _port(settings: Settings) -> Iterator[Finding]:
    url = f"http://{settings.api.host}:{settings.api.port}"
    try:
        server.bind(settings.api.host, settings.api.port).close()
        yield Finding("port", "ok", f"{url} is free")
    except StablehandError as error:
        try:
            is_ours = "checks" in httpx.get(f"{url}/readyz", timeout=2.0, trust_env=False).json()
        except (httpx.HTTPError, ValueError):
            is_ours = False
        if is_ours:
            yield Finding("port", "ok", f"Stablehand is running at {url}")
        else:
            yield Finding("port", "problem", error.message, error.hint)


def _page() -> Iterator[Finding]:
    if (serving.STATIC_DIR / "index.html").is_file():
        yield Finding("page", "ok", "the web page is built")
    else:
        yield Finding("page", "problem", "the web page has not been built.", "Run `make install`.")


def _device(settings: Settings) -> Iterator[Finding]:
    """Asked in a process of its own: torch takes seconds to load and belongs to the engine alone."""
    question = "import torch; print(torch.cuda.get_device_name(0) if torch.cuda.is_available() else '')"
    asked = subprocess.run(  # noqa: S603 - our own interpreter and our own words
        [sys.executable, "-c", question], capture_output=True, text=True, timeout=120, check=False
    )
    if asked.returncode:
        last = (asked.stderr.strip().splitlines() or ["no word why"])[-1]
        yield Finding("device", "problem", f"torch does not load: {last}", "Run `make install`.")
        return
    name = asked.stdout.strip()
    if name:
        yield Finding("device", "ok", f"CUDA device {name}")
    elif settings.compute.cuda:
        yield Finding(
            "device",
            "problem",
            "compute.cuda is true, but torch sees no CUDA device.",
            "Install NVIDIA's driver and a CUDA build of torch, or set compute.cuda to false.",
        )
    elif shutil.which("nvidia-smi"):
        yield Finding(
            "device",
            "note",
            "there is an NVIDIA driver, but torch sees no CUDA device; pictures are drawn on the CPU.",
            "Install a CUDA build of torch.",
        )
    else:
        yield Finding("device", "ok", f"no CUDA device; pictures are drawn on {os.cpu_count()} CPU cores")


def _memory() -> Iterator[Finding]:
    try:
        available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return  # this platform does not tell
    text = f"{available / 1e9:.1f} GB of memory free"
    if available < MEMORY_LOW:
        yield Finding("memory", "note", text, "Larger checkpoints will not load; close something.")
    else:
        yield Finding("memory", "ok", text)
