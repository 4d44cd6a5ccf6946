"""The data directory: made, held by one server at a time, and the secret that lies in it."""

import fcntl
import os
import secrets
from typing import IO

from stablehand.agent.child import write_token
from stablehand.domain.errors import BadSettings
from stablehand.settings import Settings

SECRET_KEY_MIN_CHARACTERS = 32


def prepare_data_dir(settings: Settings) -> None:
    """Make the folders that everything else relies on. Raises BadSettings when that cannot be done."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        for folder in ("checkpoints", "vae", "embeddings", "loras", "upscalers", "tokenizers"):
            (settings.models_dir / folder).mkdir(parents=True, exist_ok=True)
        if settings.storage.url is None:
            settings.objects_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadSettings(
            f"The folder {error.filename} cannot be made: {error.strerror}.",
            hint="Choose a folder that this user may write to: --data-dir DIR.",
        ) from error


def lock_data_dir(settings: Settings) -> IO[str]:
    """Hold the data directory for this process and those it forks, until the file is closed or they have ended.

    Raises BadSettings when another server holds it.
    """
    path = settings.data_dir / "stablehand.lock"
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        raise BadSettings(
            f"Another Stablehand uses the data directory {settings.data_dir}"
            + (f" (process {holder})." if holder else "."),
            hint="End that one first, or give this one a directory of its own: --data-dir DIR.",
        ) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def secret_key(settings: Settings) -> str:
    """The configured key, or the one kept in the data directory, made there on first use (mode 0600).

    Raises BadSettings when it is too short to sign with.
    """
    if settings.auth.secret_key is not None:
        key, where = settings.auth.secret_key.get_secret_value(), "auth.secret_key"
    else:
        path = settings.data_dir / "secret_key"
        if not path.exists():
            write_token(path, secrets.token_urlsafe(48))
        key, where = path.read_text(encoding="utf-8").strip(), str(path)
    if len(key) < SECRET_KEY_MIN_CHARACTERS:
        raise BadSettings(
            f"The key in {where} is shorter than {SECRET_KEY_MIN_CHARACTERS} characters.",
            hint="Make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'",
        )
    return key
