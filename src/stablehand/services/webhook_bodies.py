"""What a webhook is told: ``{"type", "timestamp", "data"}``, made anew for each try so that its links are fresh."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from stablehand.domain.errors import NotFound
from stablehand.domain.images import Image
from stablehand.domain.jobs import Job
from stablehand.domain.notices import Notice
from stablehand.domain.webhooks import IMAGES_TOLD, TYPES
from stablehand.services import Services
from stablehand.services.links import HOUR_SECONDS, Addresses


def body_of(services: Services, addresses: Addresses, notice: Notice, now: datetime) -> bytes:
    """JSON. Links to pictures in it work for an hour from ``now`` on."""
    told = {
        "type": TYPES[notice.kind],
        "timestamp": notice.created_at.isoformat(),
        "data": _data(services, addresses, notice, now),
    }
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()


def _data(services: Services, addresses: Addresses, notice: Notice, now: datetime) -> Mapping[str, Any]:
    payload = dict(notice.payload)
    try:
        match notice.kind:
            case "job_submitted":
                return {"job": _job(services.store.job(notice.job_id))}
            case "image_delivered":
                image = services.store.image(str(payload["image_id"]), notice.account_id)
                shown = _Shown(services, addresses, notice.account_id, now)
                return {"job_id": notice.job_id, "image": shown.image(image), "links_until": shown.until}
            case "job_finished":
                job = services.store.job(notice.job_id)
                shown = _Shown(services, addresses, notice.account_id, now)
                return {
                    "job": _job(job),
                    "images": [shown.image(image) for image in job.images[:IMAGES_TOLD]],
                    "images_left_out": max(0, len(job.images) - IMAGES_TOLD),
                    "links_until": shown.until,
                }
    except NotFound:  # deleted meanwhile: what the notice itself knows is left
        return {"job_id": notice.job_id, **payload, "deleted": True}
    return payload


def _job(job: Job) -> dict[str, Any]:
    error = job.error
    return {
        "id": job.id,
        "state": job.state.value,
        "kind": job.recipe.kind,
        "prompt": job.recipe.prompt,
        "checkpoint": job.recipe.checkpoint,
        "tier": job.tier,
        "count": job.count,
        "counts": {state.value: count for state, count in job.counts.items()},
        "created_at": job.created_at.isoformat(),
        "finished_at": job.finished_at and job.finished_at.isoformat(),
        "retry_of": job.retry_of,
        "error": error and {"code": error.code, "message": error.message, "hint": error.hint},
    }


class _Shown:
    """Pictures of an account with links that work for an hour."""

    def __init__(self, services: Services, addresses: Addresses, account_id: str, now: datetime) -> None:
        self.until = datetime.fromtimestamp(int(now.timestamp()) + HOUR_SECONDS, now.tzinfo).isoformat()
        self._addresses = addresses
        self._stamp = services.store.link_stamp(account_id)
        self._now = now.timestamp()

    def image(self, image: Image) -> dict[str, Any]:
        return {
            "id": image.id,
            "index": image.index,
            "width": image.width,
            "height": image.height,
            "format": image.format,
            "seed": image.seed,
            "size_bytes": image.size_bytes,
            "sha256": image.sha256,
            "url": self._addresses.hour(image, stamp=self._stamp, now=self._now),
        }
