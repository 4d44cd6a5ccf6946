"""Further fields of a recipe under the names by which they are ordered: the way back from domain.order_options."""

from typing import Any

from stablehand.domain.order_options import MASK_FILLS, RESIZE_MODES
from stablehand.domain.recipes import Hires, NoiseOptions, Recipe, SamplerOptions, Source, TextOptions


def further_fields(recipe: Recipe) -> dict[str, Any]:
    """Request name -> value, of all that is not as it would be anyway. Ordering with them gives the same recipe."""
    found: dict[str, Any] = {}
    for name in ("eta", "s_churn", "s_tmin", "s_tmax", "s_noise", "ensd", "discard_next_to_last_sigma"):
        if getattr(recipe.sampler_options, name) != getattr(SamplerOptions(), name):
            found[name] = getattr(recipe.sampler_options, name)
    found |= _noise(recipe.noise) | _text(recipe.text)
    if recipe.source is not None:
        found |= _source(recipe.kind, recipe.source)
    if recipe.hires is not None:
        found |= _hires(recipe.hires)
    if recipe.refiner is not None:
        found["refiner_checkpoint"] = recipe.refiner.checkpoint
        found["refiner_switch_at"] = recipe.refiner.switch_at
    vae = next((addon.name for addon in recipe.addons if addon.kind == "vae"), None)
    if vae is not None:
        found["vae"] = vae
    if recipe.kind == "upscale" and recipe.source is not None and recipe.source.width:
        found["upscaler"] = recipe.upscaler
        found["scale"] = recipe.width / recipe.source.width
    return found


def _noise(noise: NoiseOptions) -> dict[str, Any]:
    found: dict[str, Any] = {} if noise.source == "CPU" else {"noise_source": noise.source}
    if noise.subseed_strength:
        found |= {"subseed": noise.subseed, "subseed_strength": noise.subseed_strength}
    if noise.seed_resize_from_w and noise.seed_resize_from_h:
        found |= {"seed_resize_from_w": noise.seed_resize_from_w, "seed_resize_from_h": noise.seed_resize_from_h}
    return found


def _text(text: TextOptions) -> dict[str, Any]:
    found: dict[str, Any] = {} if text.clip_skip == 1 else {"clip_skip": text.clip_skip}
    return found if text.emphasis == "Original" else {**found, "emphasis": text.emphasis}


def _source(kind: str, source: Source) -> dict[str, Any]:
    found: dict[str, Any] = {"input": source.input}
    if kind == "upscale":
        return found
    found["denoising_strength"] = source.denoising_strength
    if source.resize_mode != "Just resize":
        found["resize_mode"] = RESIZE_MODES.index(source.resize_mode)
    if source.initial_noise_multiplier != 1.0:
        found["initial_noise_multiplier"] = source.initial_noise_multiplier
    if kind == "inpaint":
        found |= {
            "mask": source.mask,
            "mask_blur": source.mask_blur,
            "inpainting_fill": MASK_FILLS.index(source.mask_fill),
            "inpaint_full_res": source.only_masked,
        }
        if source.only_masked:
            found["inpaint_full_res_padding"] = source.only_masked_padding
        if source.mask_invert:
            found["inpainting_mask_invert"] = 1
    return found


def _hires(hires: Hires) -> dict[str, Any]:
    found: dict[str, Any] = {
        "enable_hr": True,
        "hr_resize_x": hires.width,
        "hr_resize_y": hires.height,
        "hr_upscaler": hires.upscaler,
        "hr_second_pass_steps": hires.steps,
        "denoising_strength": hires.denoising_strength,
        "hr_sampler_name": hires.sampler,
        "hr_scheduler": hires.schedule,
        "hr_prompt": hires.prompt,
        "hr_negative_prompt": hires.negative_prompt,
    }
    return {name: value for name, value in found.items() if value is not None}
