"""Which doors may be opened to whom."""

from ipaddress import ip_address

from stablehand.domain.errors import BadSettings
from stablehand.settings import Settings


def check_exposure(settings: Settings) -> None:
    """Refuse to open a door that nothing guards. Raises BadSettings."""
    if not settings.api.authentication and not is_loopback(settings.api.host):
        raise BadSettings(
            f"Serving on {settings.api.host} without authentication would give everybody who can reach this machine "
            "the owner's account.",
            hint="Set api.authentication to true, or use --host 127.0.0.1 (the default) and an SSH tunnel: "
            f"ssh -L {settings.api.port or 7868}:127.0.0.1:{settings.api.port or 7868} THIS-MACHINE.",
        )


def check_role(settings: Settings, role: str, *, no_agent: bool) -> None:
    """Refuse a role that cannot be filled. Raises BadSettings."""
    if role != "all" and settings.storage.database_url is None:
        raise BadSettings(
            f"The role {role} is for one process of several, and SQLite serves one only.",
            hint="Set storage.database_url to a PostgreSQL server, or leave --role away.",
        )
    if role != "all" and settings.api.authentication and settings.auth.secret_key is None:
        raise BadSettings(
            f"The role {role} is for one process of several, and each would sign sessions with a key of its own.",
            hint="Set auth.secret_key to the same text in all of them, at least 32 characters long.",
        )
    if role != "all" and no_agent:
        raise BadSettings(f"The role {role} never has an agent of its own.", hint="Leave --no-agent away.")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
