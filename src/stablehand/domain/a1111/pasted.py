"""A request's ``infotext``: the words inside a picture, as the fields that they were written from."""

from collections.abc import Mapping
from typing import Any

from stablehand.domain.infotext import parse_infotext
from stablehand.domain.order_options import MASK_FILLS, RESIZE_MODES

#: key -> field, taken as it stands
_FIELDS = {
    "Prompt": "prompt",
    "Negative prompt": "negative_prompt",
    "Steps": "steps",
    "Sampler": "sampler_name",
    "Schedule type": "scheduler",
    "CFG scale": "cfg_scale",
    "Image CFG scale": "image_cfg_scale",
    "Seed": "seed",
    "Size-1": "width",
    "Size-2": "height",
    "Batch size": "batch_size",
    "Denoising strength": "denoising_strength",
    "Variation seed": "subseed",
    "Variation seed strength": "subseed_strength",
    "Seed resize from-1": "seed_resize_from_w",
    "Seed resize from-2": "seed_resize_from_h",
    "Hires upscale": "hr_scale",
    "Hires upscaler": "hr_upscaler",
    "Hires steps": "hr_second_pass_steps",
    "Hires resize-1": "hr_resize_x",
    "Hires resize-2": "hr_resize_y",
    "Hires checkpoint": "hr_checkpoint_name",
    "Hires sampler": "hr_sampler_name",
    "Hires schedule type": "hr_scheduler",
    "Hires prompt": "hr_prompt",
    "Hires negative prompt": "hr_negative_prompt",
    "Refiner": "refiner_checkpoint",
    "Refiner switch at": "refiner_switch_at",
    "Mask blur": "mask_blur",
    "Masked area padding": "inpaint_full_res_padding",
    "Eta": "eta",
    "Eta DDIM": "eta",
    "Sigma churn": "s_churn",
    "Sigma tmin": "s_tmin",
    "Sigma tmax": "s_tmax",
    "Sigma noise": "s_noise",
    "Noise multiplier": "initial_noise_multiplier",
}
#: key -> option
_OPTIONS = {
    "Clip skip": "CLIP_stop_at_last_layers",
    "RNG": "randn_source",
    "VAE": "sd_vae",
    "ENSD": "eta_noise_seed_delta",
    "Emphasis": "emphasis",
    "Discard penultimate sigma": "always_discard_next_to_last_sigma",
}
_NOT_MASKED = "Inpaint not masked"
_ONLY_MASKED = "Only masked"


def pasted_fields(infotext: str) -> dict[str, Any]:
    """What a text gives, under the names of a request; ``override_settings`` besides.

    Hires fix is on where the text has a strength and anything of a second pass.
    """
    found = parse_infotext(infotext)
    fields: dict[str, Any] = {name: found[key] for key, name in _FIELDS.items() if key in found}
    options = {name: found[key] for key, name in _OPTIONS.items() if key in found}
    names = [found["Model"]] if "Model" in found else []
    if "Model hash" in found:
        names.append(f"[{found['Model hash']}]" if names else found["Model hash"])
    if names:
        options["sd_model_checkpoint"] = " ".join(map(str, names))
    if found.get("Mask mode") == _NOT_MASKED:
        fields["inpainting_mask_invert"] = 1
    fields["inpaint_full_res"] = found.get("Inpaint area") == _ONLY_MASKED
    if found.get("Masked content") in MASK_FILLS:
        fields["inpainting_fill"] = MASK_FILLS.index(found["Masked content"])
    if found.get("Resize mode") in RESIZE_MODES:
        fields["resize_mode"] = RESIZE_MODES.index(found["Resize mode"])
    second_pass = any(str(found.get(key, "0")) != "0" for key in ("Hires upscale", "Hires upscaler", "Hires resize-1"))
    fields["enable_hr"] = "Denoising strength" in found and second_pass
    return {**fields, "override_settings": options}


def with_infotext(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with every field that it leaves open as its ``infotext`` has it; what it says itself counts."""
    text = body.get("infotext")
    if not isinstance(text, str) or not text.strip():
        return dict(body)
    pasted = pasted_fields(text)
    options = pasted.pop("override_settings")
    given = body.get("override_settings")
    if given is None or isinstance(given, dict):
        options |= {key: value for key, value in (given or {}).items() if value is not None}
        return {**pasted, **body, "override_settings": options}
    return {**pasted, **body}
