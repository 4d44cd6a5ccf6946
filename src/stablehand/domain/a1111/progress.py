"""How far a client's newest job is, in the web UI's words."""

from datetime import datetime
from typing import Any

from stablehand.domain.calls import Call
from stablehand.domain.jobs import Job, State

#: what a job shows from the moment when it is there
LEAST = 0.01


def progress_of(job: Job) -> float:
    """0 to 1 over all pictures."""
    ended = [1.0 if shot.state.is_terminal else shot.progress for shot in job.shots]
    return sum(ended) / len(ended) if ended else 0.0


def state_of(call: Call | None, job: Job | None) -> dict[str, Any]:
    """The object ``state``. Where nothing goes on there are no jobs, and the rest is as the last one left it."""
    state: dict[str, Any] = {
        "skipped": False,
        "interrupted": job is not None and job.cancel_requested,
        "stopping_generation": False,
        "job": "",
        "job_count": 0,
        "job_timestamp": "0",
        "job_no": 0,
        "sampling_step": 0,
        "sampling_steps": 0,
    }
    if call is None or job is None:
        return state
    steps = job.recipe.steps
    state |= {"job_timestamp": f"{job.created_at:%Y%m%d%H%M%S}", "sampling_step": steps, "sampling_steps": steps}
    if job.state.is_terminal:
        return state
    ended = sum(shot.state.is_terminal for shot in job.shots)
    size = max(1, job.count // max(1, call.batches))
    furthest = max((shot.progress for shot in job.shots if shot.state is State.RUNNING), default=0.0)
    name = f"scripts_{call.kind}" if call.batches == 1 else f"Batch {ended // size + 1} out of {call.batches}"
    return {
        **state,
        "job": name,
        "job_count": call.batches,
        "job_no": ended // size,
        "sampling_step": int(furthest * steps),
    }


def progress_answer(call: Call | None, job: Job | None, now: datetime, current_image: str | None) -> dict[str, Any]:
    """``current_image``: as text without prefix, where there is one to see."""
    if job is None or job.state.is_terminal:
        return {
            "progress": 0.0,
            "eta_relative": 0.0,
            "state": state_of(call, job),
            "current_image": None,
            "textinfo": None,
        }
    done = progress_of(job)
    progress = min(1.0, LEAST + done)
    return {
        "progress": progress,
        "eta_relative": _eta(job, done, now),
        "state": state_of(call, job),
        "current_image": current_image,
        "textinfo": _words(job),
    }


def _eta(job: Job, done: float, now: datetime) -> float:
    if job.queue is not None and job.queue.eta_seconds is not None:
        return round(job.queue.eta_seconds, 3)
    elapsed = (now - job.created_at).total_seconds()
    return round(max(0.0, elapsed / done - elapsed), 3) if done else 0.0


def _words(job: Job) -> str | None:
    if job.state is not State.QUEUED or job.queue is None:
        return None
    return job.queue.reason or f"In queue: {job.queue.ahead + 1}"


def internal_answer(job: Job | None, now: datetime, preview: str | None, *, number: int, seen: int) -> dict[str, Any]:
    """Of ``/internal/progress``. ``preview``: a data URL, the ``number``-th; ``seen``: the last that the client has."""
    running = job is not None and job.state is State.RUNNING
    queued = job is not None and job.state is State.QUEUED
    answer: dict[str, Any] = {
        "active": running,
        "queued": queued,
        "completed": job is not None and job.state.is_terminal,
        "progress": None,
        "eta": None,
        "live_preview": None,
        "id_live_preview": -1,
        "textinfo": "Waiting...",
    }
    if job is None or not running:
        return {**answer, "textinfo": _words(job)} if queued and job is not None else answer
    done = progress_of(job)
    is_new = preview is not None and number != seen
    return {
        **answer,
        "progress": min(1.0, LEAST + done),
        "eta": _eta(job, done, now),
        "live_preview": preview if is_new else None,
        "id_live_preview": number if preview is not None else seen,
        "textinfo": None,
    }
