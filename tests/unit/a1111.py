"""Bodies of A1111's dialect for tests: what there is, and what an order becomes of them."""

from dataclasses import replace
from typing import Any

from stablehand.domain.a1111.drafts import Draft, draft_of
from stablehand.domain.checkpoints import Checkpoint
from stablehand.domain.orders import problems

HASH = "6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa"


def checkpoint(name: str, *, sha256: str | None = None, path: str | None = None) -> Checkpoint:
    return Checkpoint(
        id=f"id-{name}",
        name=name,
        path=path or f"checkpoints/{name}.safetensors",
        family="sd1",
        native_size=512,
        size_bytes=1,
        sha256=sha256,
        builtin=False,
    )


KNOWN = (checkpoint("v1-5", sha256=HASH), checkpoint("other"), checkpoint("postcard", path="builtin:postcard"))


def draft(body: dict[str, Any], *, kind: str = "txt2img", chosen: dict[str, Any] | None = None) -> Draft:
    return draft_of(kind, {"prompt": "a cat", **body}, chosen or {}, KNOWN, default=KNOWN[2])


def ordered(body: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The fields of the order that ``body`` becomes, which must be one without problems."""
    order = draft(body, **more).order
    given = replace(order, input="a" * 64, mask="b" * 64 if order.kind == "inpaint" else None) if order.kind else order
    assert problems(given) == {}
    return {name: getattr(order, name) for name in order.__dataclass_fields__ if getattr(order, name) is not None}


PLAIN = {
    "prompt": "a cat", "width": 512, "height": 512, "steps": 50, "sampler": "Euler", "schedule": "Automatic",
    "cfg_scale": 7.0, "seed": -1, "count": 1, "format": "png", "quality": 80, "may_be_wordless": True,
}  # fmt: skip


PICTURE = {"init_images": ["aGVsbG8="]}
