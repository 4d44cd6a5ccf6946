"""Which doors may be opened to whom, as long as nobody has to sign in."""

from ipaddress import ip_address

from stablehand.domain.errors import BadSettings
from stablehand.settings import Settings


def check_exposure(settings: Settings) -> None:
    """Refuse to open a door that nothing guards. Raises BadSettings."""
    if settings.api.authentication:
        raise BadSettings(
            "api.authentication is true, but this version has no accounts to sign in with yet.",
            hint="Set it to false and serve on 127.0.0.1 only, behind something that asks who comes if need be.",
        )
    if not is_loopback(settings.api.host):
        raise BadSettings(
            f"Serving on {settings.api.host} without authentication would give everybody who can reach this machine "
            "the owner's account.",
            hint="Use --host 127.0.0.1 (the default). From elsewhere, reach it through an SSH tunnel: "
            f"ssh -L {settings.api.port or 7868}:127.0.0.1:{settings.api.port or 7868} THIS-MACHINE.",
        )


def check_role(settings: Settings, role: str, *, no_agent: bool) -> None:
    """Refuse a role that cannot be filled. Raises BadSettings."""
    if role != "all" and settings.storage.database_url is None:
        raise BadSettings(
            f"The role {role} is for one process of several, and SQLite serves one only.",
            hint="Set storage.database_url to a PostgreSQL server, or leave --role away.",
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
