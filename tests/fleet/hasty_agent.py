"""`stablehand agent` that gives up on silent lines after a tenth of the time; everything else is an agent's own."""

import functools
import runpy
from typing import Any

import httpx

from stablehand.agent import settings
from stablehand.agent.client import Client

PATIENCE_SECONDS = 3.0

send = Client._send


def send_in_haste(self: Client, method: str, path: str, **request: Any) -> httpx.Response:
    return send(self, method, path, **{**request, "timeout": PATIENCE_SECONDS})


Client._send = send_in_haste  # type: ignore[method-assign]
settings.AgentSettings = functools.partial(settings.AgentSettings, claim_wait_seconds=1.0)  # type: ignore[assignment,misc]
runpy.run_module("stablehand", run_name="__main__")
