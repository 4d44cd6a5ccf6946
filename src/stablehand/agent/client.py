"""The agent protocol over HTTP: one method a message, and the few ways in which a call can end badly.

Every trouble is translated here into one of four exceptions; the rest of the agent knows no status codes.
"""

from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from stablehand import protocol

Answer = TypeVar("Answer", bound=protocol.Message)

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_OWN_DOORS = "/agent/v1/"
#: codes of a full disk; a 507 may come from a proxy's page without our JSON
_STORAGE_FULL = "storage_full"


class Unreachable(Exception):
    """No answer, or one that says "not now": ask again later, nothing is decided."""

    def __init__(self, reason: str, *, retry_after_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class Forgotten(Exception):
    """The server does not know this incarnation or this token (any more): say hello first."""

    def __init__(self, reason: str, *, unauthorized: bool = False) -> None:
        super().__init__(reason)
        self.unauthorized = unauthorized


class Dismissed(Exception):
    """A newer process of this agent works for the server: this one must end."""


class Refused(Exception):
    """The server understood and said no; the same words will be refused again."""

    def __init__(self, status: int, code: str, message: str, hint: str) -> None:
        super().__init__(f"{message} ({status} {code})")
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint

    @property
    def is_lease_lost(self) -> bool:
        return self.status in (404, 409, 410)

    @property
    def is_storage_full(self) -> bool:
        return self.code == _STORAGE_FULL


class Client:
    """Calls of one agent to one server. Threads may share it: connections are pooled and kept alive."""

    def __init__(self, server: str, token: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(
            base_url=server.rstrip("/"),
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(10.0, connect=3.0),
            # A proxy from the environment is for the outside world, never for the server on this machine.
            trust_env=(urlsplit(server).hostname or "") not in _LOOPBACK,
            transport=transport,
        )
        # For links into the object store: our token is none of its business.
        self._outside = httpx.Client(timeout=httpx.Timeout(30.0, connect=3.0))
        self._beside = httpx.Client(timeout=httpx.Timeout(30.0, connect=3.0), trust_env=False)

    def close(self) -> None:
        for client in (self._http, self._outside, self._beside):
            client.close()

    def hello(self, message: protocol.Hello) -> protocol.Welcome:
        return self._post("hello", message, protocol.Welcome)

    def claim(self, message: protocol.Claim) -> protocol.Leases:
        return self._post("claim", message, protocol.Leases, read_seconds=message.wait_seconds + 10.0)

    def renew(self, message: protocol.Renew) -> protocol.Renewed:
        return self._post("renew", message, protocol.Renewed, read_seconds=5.0)

    def upload(self, shot_id: str, token: int, data: bytes) -> protocol.Uploaded:
        """Send a picture's bytes. Raises Refused with :attr:`Refused.is_lease_lost` when the shot is no longer ours."""
        response = self._send(
            "PUT",
            f"/agent/v1/shots/{shot_id}/picture",
            params={"token": token},
            content=data,
            headers={"Content-Type": "application/octet-stream"},
            timeout=httpx.Timeout(60.0, connect=3.0),
        )
        return _parse(response, protocol.Uploaded)

    def stage(self, message: protocol.Stage) -> protocol.Staged:
        """Ask for a link to put a picture straight into the object store."""
        return self._post("stage", message, protocol.Staged)

    def put_staged(self, staged: protocol.Staged, data: bytes) -> None:
        """Put a picture where a link leads. Raises Unreachable for whatever goes wrong: the server is still there."""
        url = staged.url or ""
        client = self._beside if (urlsplit(url).hostname or "") in _LOOPBACK else self._outside
        try:
            response = client.put(url, content=data, headers=staged.headers)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        if not response.is_success:
            raise Unreachable(f"the object store answered {response.status_code}")

    def park(self, message: protocol.Park, state: bytes) -> protocol.Done:
        """Save the state of a running shot."""
        response = self._send(
            "POST",
            "/agent/v1/park",
            params=message.model_dump(),
            content=state,
            headers={"Content-Type": "application/octet-stream"},
            timeout=httpx.Timeout(30.0, connect=3.0),
        )
        return _parse(response, protocol.Done)

    def stored(self, address: str) -> bytes:
        """A saved state or an input, from the address in a lease. Raises Refused when there is none."""
        if not address.startswith(_OWN_DOORS):  # our token is for this server only
            raise Refused(400, "bad_address", f"{address!r} is no address of ours.", "")
        return self._send("GET", address, timeout=httpx.Timeout(15.0, connect=3.0)).content

    def deliver(self, message: protocol.Deliver) -> protocol.Delivered:
        return self._post("deliver", message, protocol.Delivered, read_seconds=30.0)

    def fail(self, message: protocol.Fail) -> protocol.Done:
        return self._post("fail", message, protocol.Done)

    def release(self, message: protocol.Release, *, read_seconds: float = 10.0) -> protocol.Done:
        return self._post("release", message, protocol.Done, read_seconds=read_seconds)

    def preview(self, message: protocol.Preview) -> protocol.Done:
        return self._post("preview", message, protocol.Done, read_seconds=5.0)

    def _post(
        self, verb: str, message: protocol.Message, answer: type[Answer], *, read_seconds: float = 10.0
    ) -> Answer:
        response = self._send(
            "POST",
            f"/agent/v1/{verb}",
            content=message.model_dump_json().encode(),
            headers={"Content-Type": "application/json"},
            timeout=httpx.Timeout(read_seconds, connect=3.0),
        )
        return _parse(response, answer)

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **request)
        except httpx.TransportError as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        if response.is_success:
            return response
        said = _said(response)
        if said.is_storage_full:
            raise said
        if response.status_code in (401, 403):
            raise Forgotten(said.message, unauthorized=True)
        if said.code == "unknown_incarnation":
            raise Forgotten(said.message)
        if said.code == "superseded":
            raise Dismissed(said.message)
        if response.status_code >= 500 or response.status_code in (408, 425, 429):
            raise Unreachable(str(said), retry_after_seconds=_retry_after(response))
        raise said


def _parse(response: httpx.Response, answer: type[Answer]) -> Answer:
    try:
        return answer.model_validate_json(response.content)
    except ValueError as error:
        # Half an answer (a proxy's page, a cut connection) decides nothing.
        raise Unreachable(f"the answer is no {answer.__name__}: {error}") from error


def _said(response: httpx.Response) -> Refused:
    """The server's error body, or what can be said without one."""
    try:
        error = response.json()["error"]
        return Refused(response.status_code, str(error["code"]), str(error["message"]), str(error.get("hint", "")))
    except (ValueError, KeyError, TypeError, AttributeError):
        code = _STORAGE_FULL if response.status_code == 507 else "http_error"
        return Refused(response.status_code, code, f"The server answered {response.status_code}.", "")


def _retry_after(response: httpx.Response) -> float:
    """Seconds of a Retry-After header; dates and nonsense count as none. At most a minute is believed."""
    try:
        return min(60.0, max(0.0, float(response.headers.get("Retry-After", "0"))))
    except ValueError:
        return 0.0
