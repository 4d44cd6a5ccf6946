"""Those who order: they send jobs until the server has said 202 to each, however often it dies in between."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

#: Pictures a job, and queued pictures beyond which nobody orders more.
COUNT, QUEUED_MOST = 20, 2000


@dataclass(slots=True)
class Orders:
    """``shots`` pictures in jobs of COUNT, sent to ``urls`` in turn. ``may_send``: how many pictures so far."""

    urls: list[str]
    shots: int
    seed: int
    may_send: Callable[[], int]
    accepted: dict[str, int] = field(default_factory=dict)  #: job id -> pictures, of jobs that were answered with 202
    resent: int = 0  #: orders that had to be sent more than once
    server_errors: int = 0  #: answers with 500, which a server may give in no trouble whatever
    _ending: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    error: str = ""

    def start(self) -> None:
        self._thread = threading.Thread(target=self._send_all, name="orders", daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def sent(self) -> int:
        return sum(self.accepted.values())

    @property
    def are_sent(self) -> bool:
        return self._thread is not None and not self._thread.is_alive()

    def _send_all(self) -> None:
        chance = random.Random(self.seed)
        with httpx.Client(timeout=10.0, trust_env=False) as client:
            sent = 0
            while sent < self.shots and not self._ending.is_set():
                if sent >= self.may_send():
                    self._ending.wait(0.05)
                    continue
                count = min(COUNT, self.shots - sent)
                order = {
                    "prompt": f"chaos {sent}",
                    "count": count,
                    "steps": chance.randint(1, 6),
                    "width": 64,
                    "height": 64,
                    "format": "jpeg",
                    "quality": 60,
                    "tier": "premium" if chance.random() < 0.3 else "normal",
                    "seed": sent,
                }
                job_id = self._send(client, order, f"{self.seed}-{sent}", chance)
                if job_id is None:
                    return
                self.accepted[job_id] = count
                sent += count

    def _send(self, client: httpx.Client, order: dict[str, Any], key: str, chance: random.Random) -> str | None:
        tries = 0
        while not self._ending.is_set():
            tries += 1
            try:
                answer = client.post(
                    f"{chance.choice(self.urls)}/api/v1/jobs", json=order, headers={"Idempotency-Key": key}
                )
            except httpx.HTTPError:
                time.sleep(0.05)
                continue
            if answer.status_code == 202:
                self.resent += tries > 1
                return str(answer.json()["id"])
            if answer.status_code not in (429, 500, 502, 503, 504):
                self.error = f"An order was answered with {answer.status_code}: {answer.text[:300]}"
                return None
            self.server_errors += answer.status_code == 500
            time.sleep(0.1)
        return None
