"""The bodies of each route: every field that is known, in the order in which answers echo them, with its default."""

from stablehand.domain.a1111.fields import (
    Field,
    anything_listed,
    mapping,
    number,
    one_of,
    text,
    texts,
    truth,
    whole,
    within,
)

_BEGINNING = (
    Field("prompt", text, ""),
    Field("negative_prompt", text, ""),
    Field("styles", texts),
    Field("seed", whole, -1),
    Field("subseed", whole, -1),
    Field("subseed_strength", number, 0),
    Field("seed_resize_from_h", whole, -1),
    Field("seed_resize_from_w", whole, -1),
    Field("sampler_name", text),
    Field("scheduler", text),
    Field("batch_size", whole, 1),
    Field("n_iter", whole, 1),
    Field("steps", whole, 50),
    Field("cfg_scale", number, 7.0),
    Field("width", whole, 512),
    Field("height", whole, 512),
    Field("restore_faces", truth),
    Field("tiling", truth),
    Field("do_not_save_samples", truth, False),
    Field("do_not_save_grid", truth, False),
    Field("eta", number),
)
_MIDDLE = (
    Field("s_min_uncond", number),
    Field("s_churn", number),
    Field("s_tmax", number),
    Field("s_tmin", number),
    Field("s_noise", number),
    Field("override_settings", mapping),
    Field("override_settings_restore_afterwards", truth, True),
    Field("refiner_checkpoint", text),
    Field("refiner_switch_at", number),
    Field("disable_extra_networks", truth, False),
    Field("firstpass_image", text),
    Field("comments", mapping),
)
_SECOND_PASS = (
    Field("enable_hr", truth, False),
    Field("firstphase_width", whole, 0),
    Field("firstphase_height", whole, 0),
    Field("hr_scale", number, 2.0),
    Field("hr_upscaler", text),
    Field("hr_second_pass_steps", whole, 0),
    Field("hr_resize_x", whole, 0),
    Field("hr_resize_y", whole, 0),
    Field("hr_checkpoint_name", text),
    Field("hr_sampler_name", text),
    Field("hr_scheduler", text),
    Field("hr_prompt", text, ""),
    Field("hr_negative_prompt", text, ""),
)
_PICTURES = (
    Field("init_images", texts),
    Field("resize_mode", whole, 0),
    Field("image_cfg_scale", number),
    Field("mask", text),
    Field("mask_blur_x", whole, 4),
    Field("mask_blur_y", whole, 4),
    Field("mask_blur", whole),
    Field("mask_round", truth, True),
    Field("inpainting_fill", whole, 0),
    Field("inpaint_full_res", truth, True),
    Field("inpaint_full_res_padding", whole, 0),
    Field("inpainting_mask_invert", whole, 0),
    Field("initial_noise_multiplier", number),
    Field("latent_mask", text),
)
_END = (
    Field("script_name", text),
    Field("script_args", anything_listed, (), takes_null=False),
    Field("send_images", truth, True, takes_null=False),
    Field("save_images", truth, False, takes_null=False),
    Field("alwayson_scripts", mapping, {}, takes_null=False),
    Field("infotext", text),
)
_TASK = (Field("force_task_id", text), Field("sampler_index", text, "Euler", takes_null=False))

TXT2IMG = (*_BEGINNING, Field("denoising_strength", number), *_MIDDLE, *_SECOND_PASS, *_TASK, *_END)
IMG2IMG = (
    *_BEGINNING,
    Field("denoising_strength", number, 0.75, takes_null=False),
    *_MIDDLE,
    *_PICTURES,
    *_TASK,
    Field("include_init_images", truth, False, takes_null=False),
    *_END,
)

_SHARE = within(number, 0, 1)
_EXTRAS = (
    Field("resize_mode", one_of(0, 1), 0, takes_null=False),
    Field("show_extras_results", truth, True),
    Field("gfpgan_visibility", _SHARE, 0.0, takes_null=False),
    Field("codeformer_visibility", _SHARE, 0.0, takes_null=False),
    Field("codeformer_weight", _SHARE, 0.0, takes_null=False),
    Field("upscaling_resize", within(number, 0, above=True), 2.0, takes_null=False),
    Field("upscaling_resize_w", within(whole, 1), 512, takes_null=False),
    Field("upscaling_resize_h", within(whole, 1), 512, takes_null=False),
    Field("upscaling_crop", truth, True, takes_null=False),
    Field("upscaler_1", text, "None"),
    Field("upscaler_2", text, "None"),
    Field("extras_upscaler_2_visibility", _SHARE, 0.0, takes_null=False),
    Field("upscale_first", truth, False, takes_null=False),
)
EXTRA_SINGLE = (*_EXTRAS, Field("image", text, ""))
EXTRA_BATCH = (*_EXTRAS, Field("imageList", anything_listed, required=True, takes_null=False))
LISTED_IMAGE = (Field("data", text, required=True, takes_null=False), Field("name", text, required=True))

PNG_INFO = (Field("image", text, required=True, takes_null=False),)
INTERROGATE = (Field("image", text, ""), Field("model", text, "clip"))
INTERNAL_PROGRESS = (
    Field("id_task", text),
    Field("id_live_preview", whole, -1),
    Field("live_preview", truth, True),
)
