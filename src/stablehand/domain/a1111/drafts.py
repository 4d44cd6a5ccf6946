"""From a body of ``/txt2img``, ``/img2img`` or an extra to an order of ours.

A draft is an order without the pictures that it starts from: these are still texts, which only a service can read.
What upstream ignores for what is asked is left out, since our own orders refuse fields without effect.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stablehand.domain.a1111.bodies import IMG2IMG, TXT2IMG
from stablehand.domain.a1111.client_options import Choices
from stablehand.domain.a1111.errors import Refused
from stablehand.domain.a1111.fields import read_body, wrong
from stablehand.domain.a1111.labels import meant, resolve_sampler
from stablehand.domain.a1111.pasted import with_infotext
from stablehand.domain.a1111.scripts import read_scripts
from stablehand.domain.a1111.titles import find_by_title
from stablehand.domain.checkpoints import Checkpoint
from stablehand.domain.order_options import RESIZE_MODES, SIDE_MULTIPLE
from stablehand.domain.orders import JobOrder
from stablehand.domain.samplers import SAMPLERS, find_sampler, find_schedule

#: strength of the second pass where a client gives none
DEFAULT_HIRES_STRENGTH = 0.7
_COMMENT_LINE = re.compile(r"(^|\n)#[^\n]*(\n|$)")
_COMMENT = re.compile(r"#[^\n]*(\n|$)")
_NETWORK = re.compile(r"<(?:lora|lyco|hypernet):[^>]*>", re.IGNORECASE)
_AUTOMATIC_VAE = frozenset({"automatic", "none", ""})

#: field of our order -> the one that its client knows
NAMES: Mapping[str, str] = {
    "sampler": "sampler_name",
    "schedule": "scheduler",
    "count": "batch_size",
    "checkpoint": "override_settings.sd_model_checkpoint",
    "vae": "override_settings.sd_vae",
    "clip_skip": "override_settings.CLIP_stop_at_last_layers",
    "ensd": "override_settings.eta_noise_seed_delta",
    "emphasis": "override_settings.emphasis",
    "noise_source": "override_settings.randn_source",
    "quality": "override_settings.jpeg_quality",
    "input": "init_images",
    "upscaler": "upscaler_1",
    "scale": "upscaling_resize",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """``values``: every field as it was read. ``picture``, ``mask``: as they were sent; none where there is none."""

    values: Mapping[str, Any]
    order: JobOrder
    picture: str | None = None
    mask: str | None = None
    batch_size: int = 1
    batches: int = 1  #: in which a client believes that its pictures come
    with_grid: bool = False  #: all pictures on one sheet stand before them


def draft_of(
    kind: str,
    body: Mapping[str, Any],
    chosen: Mapping[str, Any],
    checkpoints: Sequence[Checkpoint],
    *,
    default: Checkpoint | None = None,
) -> Draft:
    """``kind``: "txt2img" or "img2img". ``chosen``: what the credential has set for itself. ``default``: the checkpoint
    of a request that names none, if there is one.

    Raises Invalid, Refused.
    """
    values = read_body(TXT2IMG if kind == "txt2img" else IMG2IMG, with_infotext(body))
    asked = {**values, **read_scripts(values)}
    choices = Choices(chosen, asked["override_settings"])
    batch_size, batches = max(1, _or(asked["batch_size"], 1)), max(1, _or(asked["n_iter"], 1))
    order = _common(asked, choices, checkpoints, count=batch_size * batches)
    draft = Draft(
        values=values,
        order=order,
        batch_size=batch_size,
        batches=batches,
        with_grid=bool(asked["save_images"])
        and choices.truth("return_grid")
        and (batch_size * batches > 1 or not choices.truth("grid_only_if_multiple")),
    )
    if kind == "txt2img":
        return _second_pass(draft, asked, checkpoints, default)
    return _from_picture(draft, asked, choices)


def _common(asked: Mapping[str, Any], choices: Choices, checkpoints: Sequence[Checkpoint], *, count: int) -> JobOrder:
    sampler, schedule = resolve_sampler(asked["sampler_name"] or asked["sampler_index"], asked["scheduler"])
    checkpoint = find_by_title(checkpoints, choices.text("sd_model_checkpoint"))
    strength = _or(asked["subseed_strength"], 0.0)
    subseed = _or(asked["subseed"], -1)
    resized = (_or(asked["seed_resize_from_w"], -1), _or(asked["seed_resize_from_h"], -1))
    refiner = _refiner(asked, checkpoints)
    vae = choices.text("sd_vae")
    clip_skip = int(choices.number("CLIP_stop_at_last_layers"))
    clean = choices.truth("enable_prompt_comments")
    return JobOrder(
        may_be_wordless=True,
        prompt=_plain(asked, "prompt", clean),
        negative_prompt=_words(asked["negative_prompt"], clean) or None,
        checkpoint=None if checkpoint is None else checkpoint.id,
        width=_side(asked["width"]),
        height=_side(asked["height"]),
        steps=_or(asked["steps"], 50),
        sampler=sampler,
        schedule=schedule,
        cfg_scale=_or(asked["cfg_scale"], 7.0),
        seed=_or(asked["seed"], -1),
        count=count,
        format=choices.format,
        quality=choices.quality,
        subseed=subseed if strength else None,
        subseed_strength=strength or None,
        seed_resize_from_w=resized[0] if min(resized) > 0 else None,
        seed_resize_from_h=resized[1] if min(resized) > 0 else None,
        refiner_checkpoint=None if refiner is None else refiner.id,
        refiner_switch_at=None if refiner is None else asked["refiner_switch_at"],
        vae=None if (vae or "").strip().casefold() in _AUTOMATIC_VAE else vae,
        clip_skip=clip_skip if clip_skip > 1 else None,
        emphasis=_emphasis(choices),
        noise_source=None if choices.text("randn_source") == "CPU" else choices.text("randn_source"),
        discard_next_to_last_sigma=choices.truth("always_discard_next_to_last_sigma") or None,
        **_of_sampler(sampler, asked, choices),
    )


def _of_sampler(sampler: str, asked: Mapping[str, Any], choices: Choices) -> dict[str, Any]:
    """What this sampler listens to; clients send all of it to every one."""
    knows = next(entry.options for entry in SAMPLERS if entry.name == sampler)
    eta = asked["eta"]
    if eta is None:
        eta = choices.other_number("eta_ddim" if sampler.startswith("DDIM") else "eta_ancestral")
    found: dict[str, Any] = {"eta": None if eta is None else min(1.0, max(0.0, eta))}
    for name in ("s_churn", "s_tmin", "s_tmax", "s_noise"):
        found[name] = choices.other_number(name) if asked[name] is None else asked[name]
    if found["s_tmin"] and found["s_tmax"] and found["s_tmin"] > found["s_tmax"]:
        found["s_tmin"] = found["s_tmax"]
    found["ensd"] = int(choices.number("eta_noise_seed_delta")) or None
    return {name: value for name, value in found.items() if name in knows}


def _second_pass(
    draft: Draft, asked: Mapping[str, Any], checkpoints: Sequence[Checkpoint], default: Checkpoint | None
) -> Draft:
    if not asked["enable_hr"]:
        return draft
    order = draft.order
    first_checkpoint = order.checkpoint or (None if default is None else default.id)
    other = find_by_title(checkpoints, asked["hr_checkpoint_name"])
    if other is not None and other.id != first_checkpoint:
        raise wrong("hr_checkpoint_name", "the second pass is drawn with the checkpoint of the first")
    resized = (max(0, _or(asked["hr_resize_x"], 0)), max(0, _or(asked["hr_resize_y"], 0)))
    first = (_or(asked["firstphase_width"], 0), _or(asked["firstphase_height"], 0))
    if all(first):  # the sizes' old meaning: width and height are those of the result
        resized = (order.width or 0, order.height or 0)
        order = replace(order, width=_side(first[0]), height=_side(first[1]))
    upscaler = asked["hr_upscaler"]
    strength = asked["denoising_strength"]
    order = replace(
        order,
        enable_hr=True,
        hr_scale=None if any(resized) else _or(asked["hr_scale"], 2.0),
        hr_resize_x=resized[0] or None,
        hr_resize_y=resized[1] or None,
        hr_upscaler="Latent" if not upscaler else "Lanczos" if upscaler.casefold() == "none" else upscaler,
        hr_second_pass_steps=max(0, _or(asked["hr_second_pass_steps"], 0)) or None,
        denoising_strength=DEFAULT_HIRES_STRENGTH if strength is None else strength,
        hr_sampler_name=_known_sampler(asked["hr_sampler_name"]),
        hr_scheduler=_known_schedule(asked["hr_scheduler"]),
        hr_prompt=_plain(asked, "hr_prompt", False) or None,
        hr_negative_prompt=asked["hr_negative_prompt"] or None,
    )
    return replace(draft, order=order)


def _from_picture(draft: Draft, asked: Mapping[str, Any], choices: Choices) -> Draft:
    pictures = asked["init_images"] or []
    if not pictures:
        raise Refused(404, "Init image not found")
    if len(pictures) > 1:
        raise Refused(422, f"bad number of images passed: {len(pictures)}; one request starts from one image here")
    mode = min(max(0, _or(asked["resize_mode"], 0)), len(RESIZE_MODES) - 1)
    multiplier = asked["initial_noise_multiplier"]
    if multiplier is None:
        multiplier = choices.other_number("initial_noise_multiplier")
    order = replace(
        draft.order,
        kind="inpaint" if asked["mask"] else "image",
        denoising_strength=asked["denoising_strength"],
        initial_noise_multiplier=multiplier,
    )
    if not asked["mask"]:
        return replace(draft, order=replace(order, resize_mode=mode), picture=pictures[0])
    only_masked = bool(_or(asked["inpaint_full_res"], True))
    blur = asked["mask_blur"]
    if blur is None:
        blur = max(_or(asked["mask_blur_x"], 4), _or(asked["mask_blur_y"], 4))
    order = replace(
        order,
        # Between two passes of latents there is no mask: resizing the pixels comes nearest.
        resize_mode=None if only_masked else mode % (len(RESIZE_MODES) - 1),
        mask_blur=blur,
        inpainting_fill=_or(asked["inpainting_fill"], 0),
        inpaint_full_res=only_masked,
        inpaint_full_res_padding=_or(asked["inpaint_full_res_padding"], 0) if only_masked else None,
        inpainting_mask_invert=1 if asked["inpainting_mask_invert"] else None,
    )
    return replace(draft, order=order, picture=pictures[0], mask=asked["mask"])


def without_comments(prompt: str) -> str:
    """Everything after a # is for people, as the option ``enable_prompt_comments`` has it."""
    return _COMMENT.sub("\n", _COMMENT_LINE.sub("\n", prompt)).strip() if "#" in prompt else prompt


def without_networks(prompt: str) -> str:
    """Without tags of networks, none of which is here: upstream, too, takes out those that it does not find."""
    return _NETWORK.sub("", prompt).strip() if "<" in prompt else prompt


def _plain(asked: Mapping[str, Any], field: str, clean: bool) -> str:
    words = _words(asked[field], clean)
    return words if asked["disable_extra_networks"] else without_networks(words)


def _words(prompt: str | None, clean: bool) -> str:
    return without_comments(prompt or "") if clean else prompt or ""


def _or(value: Any, otherwise: Any) -> Any:
    """Null stands for the default."""
    return otherwise if value is None else value


def _side(value: int | None) -> int:
    return (512 if value is None else value) // SIDE_MULTIPLE * SIDE_MULTIPLE


def _emphasis(choices: Choices) -> str | None:
    text = choices.text("emphasis")
    return None if text in (None, "", "Original") else text


def _refiner(asked: Mapping[str, Any], checkpoints: Sequence[Checkpoint]) -> Checkpoint | None:
    """None where nothing is switched to, or never."""
    switch_at = asked["refiner_switch_at"]
    if switch_at is None or not 0 <= switch_at < 1:
        return None
    return find_by_title(checkpoints, asked["refiner_checkpoint"])


def _known_sampler(text: str | None) -> str | None:
    """None, which is the first pass's own, for none. One that nobody knows is taken for what it says."""
    name = meant(text)
    return None if name is None else find_sampler(name) or resolve_sampler(name, None)[0]


def _known_schedule(text: str | None) -> str | None:
    name = meant(text)
    return None if name is None else find_schedule(name) or "Automatic"
