"""A real server where people have keys, for clients of other programs. Its agent paints on the null runtime."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from stablehand import settings
from stablehand.domain.audit import Deed
from stablehand.services.identity import new_id
from stablehand.services.keys import make_key
from stablehand.store.credentials import SignUp
from stablehand.wiring import serving
from tests.api.site import write_checkpoint
from tests.running import RunningService


@dataclass
class DialectHouse:
    service: RunningService
    keys: dict[str, str] = field(default_factory=dict)  #: name of an account -> its key

    def add_account(self, name: str) -> str:
        """The key of a new account, of the tier that everybody gets."""
        services = serving.open_services(settings.load(data_dir=self.service.data_dir))
        try:
            account = services.store.sign_up(
                SignUp(
                    new_id=new_id(),
                    address=f"{name}@example.org",
                    password_hash=None,
                    uniquifier=uuid.uuid4().hex,
                    confirmed=True,
                ),
                Deed(action="test.done"),
            )
            assert account.tier == "normal"
            _, secret = make_key(services, account, name=name, scopes=("generate", "read"), days=None)
        finally:
            services.store.close()
        self.keys[name] = secret
        return secret

    def client(self, name: str, *, basic: bool = True) -> httpx.Client:
        """An HTTP client with an account's key: as password, or as bearer token."""
        key = self.keys[name]
        headers = {} if basic else {"Authorization": f"Bearer {key}"}
        auth = ("anybody", key) if basic else None
        return httpx.Client(base_url=self.service.url, headers=headers, auth=auth, timeout=120.0, trust_env=False)

    def jobs(self, name: str) -> list[dict[str, Any]]:
        """All jobs of an account, as its own API tells them."""
        with self.client(name, basic=False) as client:
            items: list[dict[str, Any]] = client.get("/api/v1/jobs?limit=200").json()["items"]
            return items


@contextmanager
def open_house(folder: Path, *accounts: str, **changes: str | float) -> Iterator[DialectHouse]:
    """``changes``: of the settings, by their environment names."""
    write_checkpoint(folder / "data" / "models" / "checkpoints" / "tiny")
    service = RunningService(
        folder / "data", COMPUTE__RUNTIME="null", API__AUTHENTICATION="true", API__DIALECT_HANG_UP="cancel", **changes
    )
    try:
        service.start()
        house = DialectHouse(service)
        for name in accounts:
            house.add_account(name)
        yield house
    finally:
        service.end()
