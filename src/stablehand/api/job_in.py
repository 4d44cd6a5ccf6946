"""An order for pictures as it comes in. Ranges are checked once, in the domain; this only documents them."""

from typing import Any

from pydantic import Field

from stablehand.api.schemas import In
from stablehand.domain.notify import ADDRESS_MAX_CHARACTERS
from stablehand.domain.order_options import EMPHASES, LIMITS_OF_OPTIONS, NOISE_SOURCES, WHOLE_LIMITS
from stablehand.domain.orders import KINDS, LIMITS, PROMPT_MAX_CHARACTERS, SIDE_MULTIPLE

_RANGES = {**LIMITS, **WHOLE_LIMITS, **LIMITS_OF_OPTIONS}


def _ranged(field: str, description: str, **more: Any) -> Any:
    low, high = _RANGES[field]
    return Field(None, description=description, json_schema_extra={"minimum": low, "maximum": high, **more})


def _one_of(names: tuple[str, ...], description: str) -> Any:
    return Field(None, description=description, json_schema_extra={"enum": [*names, None]})


class NotifyIn(In):
    """Whom the job tells about itself."""

    email: bool | None = Field(
        None, description="Whether the result comes by mail; default: as your account has chosen."
    )
    webhook_url: str | None = Field(
        None,
        description="Told when the job has ended, as webhooks are: signed with your account's signing secret.",
        json_schema_extra={"maxLength": ADDRESS_MAX_CHARACTERS, "format": "uri"},
        examples=["https://example.org/hooks/pictures"],
    )


class JobIn(In):
    """An order for pictures. Only ``prompt`` is needed."""

    prompt: str = Field(
        description="What to draw; may be empty for the kind `upscale`.",
        json_schema_extra={"maxLength": PROMPT_MAX_CHARACTERS},
        examples=["a red house in a meadow at sunset, purple mountains"],
    )
    negative_prompt: str | None = Field(
        None, description="What to avoid.", json_schema_extra={"maxLength": PROMPT_MAX_CHARACTERS}
    )
    kind: str | None = Field(
        None,
        description="`text`: from words alone. `image`: from words and a picture. `inpaint`: within a mask. `upscale`: "
        "a picture, larger. Fields that do nothing for the kind are refused.",
        json_schema_extra={"enum": [*KINDS, None]},
    )
    checkpoint: str | None = Field(None, description="Name or id from `/checkpoints`; default: the default checkpoint.")
    width: int | None = _ranged("width", "Pixels; default: the checkpoint's own size.", multipleOf=SIDE_MULTIPLE)
    height: int | None = _ranged("height", "Pixels; default: the checkpoint's own size.", multipleOf=SIDE_MULTIPLE)
    steps: int | None = _ranged("steps", "Denoising steps; default: the checkpoint's, mostly 20.")
    sampler: str | None = Field(
        None, description="A label or alias from `/samplers`; default: the checkpoint's, mostly `DPM++ 2M`."
    )
    schedule: str | None = Field(
        None, description="A label or alias from `/schedules`; default: the checkpoint's, mostly `Automatic`."
    )
    cfg_scale: float | None = _ranged(
        "cfg_scale", "Guidance; 1 is none and costs half. Default: the checkpoint's, mostly 7."
    )
    seed: int | None = _ranged("seed", "Seed of the first picture, counting up; -1 or none: random.")
    count: int | None = _ranged("count", "How many pictures; default 1.")
    format: str | None = Field(
        None, description="File format of the pictures.", json_schema_extra={"enum": ["png", "webp", "jpeg", None]}
    )
    quality: int | None = _ranged("quality", "Of WebP and JPEG.")
    exact: bool | None = Field(None, description="Bit-equal whatever else is drawn at the same time; slower.")
    tier: str | None = Field(None, description="Class of service; default: the account's best.")
    notify: NotifyIn | None = Field(None, description="Whom the job tells about itself.")
    input: str | None = Field(
        None, description="Id of the picture to start from: from `/inputs`, or one of your images.", examples=["3f9a…"]
    )
    mask: str | None = Field(None, description="Id of the mask, as `input`; white is repainted.")
    denoising_strength: float | None = _ranged(
        "denoising_strength", "How much is drawn anew; default 0.75, for a second pass 0.7."
    )
    resize_mode: int | None = _ranged(
        "resize_mode", "0 just resize (default), 1 crop and resize, 2 resize and fill, 3 resize the latents."
    )
    initial_noise_multiplier: float | None = _ranged("initial_noise_multiplier", "Of the first noise; default 1.")
    mask_blur: int | None = _ranged("mask_blur", "Pixels by which the mask's edge is softened; default 4.")
    inpainting_fill: int | None = _ranged(
        "inpainting_fill", "Under the mask at first: 0 fill, 1 original (default), 2 latent noise, 3 latent nothing."
    )
    inpaint_full_res: bool | None = Field(
        None, description="Draw only around the mask, at full size; the result has the input's size. Default false."
    )
    inpaint_full_res_padding: int | None = _ranged(
        "inpaint_full_res_padding", "Pixels around the mask that are drawn with it; default 32."
    )
    inpainting_mask_invert: int | None = _ranged("inpainting_mask_invert", "1: black is repainted.")
    enable_hr: bool | None = Field(None, description="A second pass at a larger size (hires fix).")
    hr_scale: float | None = _ranged("hr_scale", "How much larger; default 2.")
    hr_resize_x: int | None = _ranged("hr_resize_x", "Width after the second pass, instead of `hr_scale`; 0: fitting.")
    hr_resize_y: int | None = _ranged("hr_resize_y", "Height after the second pass; 0: fitting.")
    hr_upscaler: str | None = Field(None, description="Between the passes, from `/upscalers`; default `Latent`.")
    hr_second_pass_steps: int | None = _ranged("hr_second_pass_steps", "0: as many as `steps`.")
    hr_sampler_name: str | None = Field(None, description="Of the second pass; default: `sampler`.")
    hr_scheduler: str | None = Field(None, description="Of the second pass; default: `schedule`.")
    hr_prompt: str | None = Field(None, description="Of the second pass; default: `prompt`.")
    hr_negative_prompt: str | None = Field(None, description="Of the second pass; default: `negative_prompt`.")
    refiner_checkpoint: str | None = Field(
        None, description="Name or id of a checkpoint that takes over in the middle."
    )
    refiner_switch_at: float | None = _ranged("refiner_switch_at", "After which share of the steps; default 0.8.")
    subseed: int | None = _ranged("subseed", "The variation seed; -1 or none: random.")
    subseed_strength: float | None = _ranged(
        "subseed_strength", "How much it says; above 0 it counts up from picture to picture, and `seed` stays."
    )
    seed_resize_from_w: int | None = _ranged("seed_resize_from_w", "Width at which the seed was liked, in pixels.")
    seed_resize_from_h: int | None = _ranged("seed_resize_from_h", "Height at which the seed was liked, in pixels.")
    noise_source: str | None = _one_of(NOISE_SOURCES, "What makes the noise; default `CPU`, equal everywhere.")
    eta: float | None = _ranged("eta", "Share of noise that samplers with a choice put back.")
    s_churn: float | None = _ranged("s_churn", "Of samplers that know it.")
    s_tmin: float | None = _ranged("s_tmin", "Of samplers that know it.")
    s_tmax: float | None = _ranged("s_tmax", "Of samplers that know it; 0: no upper end.")
    s_noise: float | None = _ranged("s_noise", "Of samplers that know it; default 1.")
    ensd: int | None = _ranged("ensd", "Added to the seed of the noise after the first.")
    discard_next_to_last_sigma: bool | None = Field(None, description="Leave the next-to-last noise level out.")
    clip_skip: int | None = _ranged("clip_skip", "Which layer of the text encoder, from the end; default 1.")
    emphasis: str | None = _one_of(EMPHASES, "How `(word:1.2)` is weighed; default `Original`.")
    vae: str | None = Field(None, description="Name of an autoencoder in `models/vae`; default: the checkpoint's own.")
    upscaler: str | None = Field(
        None, description="Of the kind `upscale`: one for pixels from `/upscalers`; default `Lanczos`."
    )
    scale: float | None = _ranged("scale", "Of the kind `upscale`: how much larger; default 2.")
