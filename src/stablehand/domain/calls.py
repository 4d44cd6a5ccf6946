"""Calls: synchronous requests of clients that know nothing of jobs, and wait until their pictures are there.

A call stands for one job. It is remembered for as long as its client may ask how far it is, or send it again because
nobody waited for the end.
"""

import hashlib
import json
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

#: so long the same body attaches to a job that nobody waited for to the end
RESUME_SECONDS = 600.0
TASK_ID_MAX_CHARACTERS = 128
_LETTERS = string.ascii_uppercase + string.digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """``credential``: what it came with; one client sees the calls of its own credential only."""

    account_id: str
    credential: str
    kind: str  #: what was called, such as "txt2img"
    task_id: str  #: by which its client knows it
    fingerprint: str  #: of the body
    job_id: str
    created_at: datetime
    batches: int = 1  #: in which the client believes that its pictures come


def fingerprint_of(kind: str, body: Mapping[str, Any]) -> str:
    """A SHA-256 by which two sendings of the same body to the same route are known as one."""
    canonical = json.dumps([kind, body], sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def new_task_id(kind: str) -> str:
    """An id in the form that A1111's clients know."""
    return f"task({kind}-{''.join(secrets.choice(_LETTERS) for _ in range(7))})"


def clean_task_id(wanted: str | None) -> str | None:
    """The id that a client has chosen; None where it has not, or where no header could carry it."""
    text = (wanted or "").strip()
    fits = 0 < len(text) <= TASK_ID_MAX_CHARACTERS and text.isascii() and text.isprintable()
    return text if fits else None
