"""From a job that has ended to the answer of ``/txt2img`` and ``/img2img``, key for key."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from stablehand.domain.a1111.drafts import Draft
from stablehand.domain.images import Image
from stablehand.domain.infotext import parse_infotext
from stablehand.domain.infotext_keys import part_parameters
from stablehand.domain.jobs import Job
from stablehand.domain.recipes import SEED_MAX, Recipe

#: a sheet of more pixels is not put together: whoever orders so many pictures can do that better
SHEET_MAX_PIXELS = 32 * 2**20


def sheet_shape(count: int) -> tuple[int, int]:
    """(columns, rows) of a sheet with so many pictures, about as many of both."""
    rows = max(1, round(math.sqrt(count)))
    return math.ceil(count / rows), rows


def has_sheet(draft: Draft, images: Sequence[Image]) -> bool:
    """Whether a sheet of all pictures stands before them."""
    if not draft.with_grid or not images:
        return False
    columns, rows = sheet_shape(len(images))
    side = max(image.width for image in images) * max(image.height for image in images)
    return columns * rows * side <= SHEET_MAX_PIXELS


def echo(draft: Draft) -> dict[str, Any]:
    """The request as it was read, all defaults with it; its pictures only if asked for."""
    values = dict(draft.values)
    if not values.get("include_init_images", True):
        values["init_images"] = values["mask"] = None
    values["script_args"] = list(values["script_args"])
    return values


def info_of(draft: Draft, job: Job, images: Sequence[Image], version: str) -> str:
    """The JSON text of what was drawn. ``images``: those that are answered, in order; none where it was interrupted."""
    recipe = job.recipe
    seeds = [image.recipe.seed for image in images] or [recipe.seed]
    subseeds = [_subseed(image.recipe, image.index) for image in images] or [_subseed(recipe, 0)]
    prompts = [recipe.prompt] * len(seeds)
    negatives = [recipe.negative_prompt] * len(seeds)
    infotexts = [image.infotext for image in images]
    with_grid = has_sheet(draft, images)
    vae = next((addon for addon in recipe.addons if addon.kind == "vae"), None)
    sha256 = next((image.checkpoint_sha256 for image in images if image.checkpoint_sha256), None)
    return json.dumps(
        {
            "prompt": prompts[0],
            "all_prompts": prompts,
            "negative_prompt": negatives[0],
            "all_negative_prompts": negatives,
            "seed": seeds[0],
            "all_seeds": seeds,
            "subseed": subseeds[0],
            "all_subseeds": subseeds,
            "subseed_strength": recipe.noise.subseed_strength,
            "width": recipe.width,
            "height": recipe.height,
            "sampler_name": recipe.sampler,
            "cfg_scale": float(recipe.cfg_scale),
            "steps": recipe.steps,
            "batch_size": draft.batch_size,
            "restore_faces": False,
            "face_restoration_model": None,
            "sd_model_name": recipe.checkpoint,
            "sd_model_hash": None if sha256 is None else sha256[:10],
            "sd_vae_name": None if vae is None else vae.name,
            "sd_vae_hash": _vae_hash(infotexts),
            "seed_resize_from_w": recipe.noise.seed_resize_from_w or -1,
            "seed_resize_from_h": recipe.noise.seed_resize_from_h or -1,
            "denoising_strength": _strength(recipe),
            "extra_generation_params": {"Schedule type": recipe.schedule, **part_parameters(recipe, {})},
            "index_of_first_image": int(with_grid),
            "infotexts": [infotexts[0], *infotexts] if with_grid else infotexts,
            "styles": list(draft.values["styles"] or []),
            "job_timestamp": f"{job.created_at:%Y%m%d%H%M%S}",
            "clip_skip": recipe.text.clip_skip,
            "is_using_inpainting_conditioning": False,
            "version": f"Stablehand {version}",
        }
    )


def _subseed(recipe: Recipe, index: int) -> int:
    """Of a picture: its variation seed, or what that would count from where it has no say."""
    return recipe.noise.subseed if recipe.noise.subseed_strength else (recipe.noise.subseed + index) % (SEED_MAX + 1)


def _strength(recipe: Recipe) -> float | None:
    if recipe.hires is not None:
        return recipe.hires.denoising_strength
    return None if recipe.source is None else recipe.source.denoising_strength


def _vae_hash(infotexts: Sequence[str]) -> str | None:
    found = parse_infotext(infotexts[0]).get("VAE hash") if infotexts else None
    return None if found is None else str(found)


def failure_of(job: Job) -> str:
    """Why a job ended without its pictures, in one sentence that names it."""
    words = "it ended without a picture" if job.error is None else f"{job.error.message} {job.error.hint}".strip()
    return f"The job {job.id} failed: {words}"


def png_info_of(infotext: str | None, items: Mapping[str, str]) -> dict[str, Any]:
    """What stands in a picture; ``items``: whatever else its file says in words."""
    return {
        "info": infotext or "",
        "items": dict(items),
        "parameters": parse_infotext(infotext) if infotext else {},
    }
