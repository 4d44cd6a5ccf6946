"""What this dialect says of itself."""

from collections.abc import Sequence

from stablehand.api.dialects.a1111.refused import REFUSED
from stablehand.api.dialects.description import Description, FieldNote
from stablehand.domain.a1111.bodies import EXTRA_BATCH, EXTRA_SINGLE, IMG2IMG, INTERNAL_PROGRESS, PNG_INFO, TXT2IMG
from stablehand.domain.a1111.client_options import EFFECTIVE
from stablehand.domain.a1111.fields import Field
from stablehand.domain.calls import RESUME_SECONDS

_NOTHING = ""
#: field -> what it does, where its name does not say it or where it does nothing
_NOTES = {
    "styles": _NOTHING,
    "restore_faces": _NOTHING,
    "tiling": _NOTHING,
    "do_not_save_samples": _NOTHING,
    "do_not_save_grid": _NOTHING,
    "s_min_uncond": _NOTHING,
    "override_settings_restore_afterwards": _NOTHING,
    "firstpass_image": _NOTHING,
    "comments": _NOTHING,
    "image_cfg_scale": _NOTHING,
    "mask_round": _NOTHING,
    "latent_mask": _NOTHING,
    "script_args": _NOTHING,
    "show_extras_results": _NOTHING,
    "codeformer_weight": _NOTHING,
    "upscale_first": _NOTHING,
    "sampler_name": "a name, an alias or a joined label such as `DPM++ 2M Karras`; an unknown one is DPM++ 2M",
    "prompt": "tags of networks (`<lora:…>`) are taken out of it: there are none here",
    "hr_prompt": "as `prompt`",
    "disable_extra_networks": "leaves such tags in the prompt, as words",
    "sampler_index": "where there is no `sampler_name`",
    "scheduler": "a name or a label; an unknown one is Automatic",
    "batch_size": "times `n_iter`: how many pictures the job has",
    "n_iter": "times `batch_size`: how many pictures the job has",
    "width": "rounded down to a multiple of 8",
    "height": "rounded down to a multiple of 8",
    "override_settings": "options for this request: " + ", ".join(f"`{key}`" for key in EFFECTIVE),
    "hr_checkpoint_name": "only the checkpoint of the first pass",
    "hr_upscaler": "one of `/latent-upscale-modes` or `/upscalers`; none is Latent",
    "init_images": "one picture: base64, a data URL, or an address",
    "mask": "white is painted; where it is drawn in transparency, what is opaque",
    "mask_blur_x": "the larger of both counts",
    "mask_blur_y": "the larger of both counts",
    "force_task_id": "comes back as `X-Task-Id`; asked for with `?id_task=`",
    "script_name": "none; any other is refused by name",
    "alwayson_scripts": "`Refiner`; `Sampler` and `Seed` do nothing; any other that is on is refused by name",
    "save_images": "every picture is kept in the gallery anyway; with several, a grid stands before them",
    "infotext": "fills every field that the request leaves open",
    "gfpgan_visibility": "0; anything else is refused",
    "codeformer_visibility": "0; anything else is refused",
    "upscaler_2": "none, or at visibility 0; anything else is refused",
    "extras_upscaler_2_visibility": "0, unless `upscaler_2` is none",
    "upscaling_resize": "1 to 8",
    "upscaler_1": "one of `/upscalers`; none gives the picture back",
}


def _notes(fields: Sequence[Field]) -> list[FieldNote]:
    return [
        FieldNote(
            field.name,
            "required" if field.required else _default(field.default),
            _NOTES.get(field.name, "as upstream"),
        )
        for field in fields
    ]


def _default(value: object) -> str:
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    return '""' if value == "" else "[]" if value == () else str(value)


DESCRIPTION = Description(
    title="A1111's web UI",
    blueprint="a1111",
    about=(
        "Clients of `/sdapi/v1` work with the address of this server and an API key: as password of HTTP Basic with "
        "any user name, as bearer token, or as `X-Api-Key`. Bodies are read as leniently as upstream reads them: "
        "numbers as texts, texts as numbers, null for nearly everything, unknown keys passed over. Names, defaults, "
        "echoes, `info` and the shapes of errors are those of v1.10.1."
    ),
    differences=(
        "Every call is a job like any other: it waits in the queue under the account's best tier, counts against its "
        "limits, and its pictures lie in the gallery.",
        "A call waits `api.dialect_wait_seconds`. Then it ends with 504 and names its job, which goes on; the same "
        f"body sent again within {RESUME_SECONDS / 60:g} minutes waits for that job instead of ordering another.",
        "A client that hangs up keeps its job, or takes it along, as `api.dialect_hang_up` says.",
        "`POST /options` sets options for the calling key alone, or for the account where there is no key; they are "
        "remembered and change nothing for others. `override_settings` holds for its request, whatever "
        "`override_settings_restore_afterwards` says, and so does `samples_format` in it.",
        "Progress, interrupt and skip mean the newest unfinished call of the calling key, or the one of `?id_task=`. "
        "Skip stops the whole call, as interrupt does; a picture that is not finished is not in the answer.",
        "An unknown checkpoint is 404, in a request as in `POST /options`; upstream would draw with another one.",
        "Scripts that are not here are refused by name with 422, unless they are switched off.",
        "Values beyond the limits of this server are 422, and name the field.",
        "The prompt may be empty. `#` begins a comment unless the option `enable_prompt_comments` is false.",
        "`randn_source` is `CPU` by default, so that a picture comes out the same on any machine.",
        "One request starts from one picture: PNG, JPEG or WebP.",
        "A larger picture of an extra bears the words of the picture that it was made from, as upstream has it; in the "
        "gallery it bears its own.",
        "Pictures at addresses are fetched from the public internet, and from networks in `safety.fetch_networks`.",
        "A picture that cannot be read, an address that is not fetched and a `samples_format` that is none are 422, "
        "where upstream says 500: whoever sent it is wrong, not the server.",
        "`/memory` has no figures: pictures are drawn by agents, on whichever machines they run.",
        "Options that say where files lie cannot be set.",
        "A body without a Content-Type is taken from API keys only; where nobody signs in, from programs only.",
        "A refusal for want of room is 429 (this account's own calls, queue or quota) or 503 (everybody's), with "
        "`Retry-After`.",
    ),
    bodies={
        "POST /sdapi/v1/txt2img": _notes(TXT2IMG),
        "POST /sdapi/v1/img2img": _notes(IMG2IMG),
        "POST /sdapi/v1/extra-single-image": _notes(EXTRA_SINGLE),
        "POST /sdapi/v1/extra-batch-images": _notes(EXTRA_BATCH),
        "POST /sdapi/v1/png-info": _notes(PNG_INFO),
        "POST /internal/progress": _notes(INTERNAL_PROGRESS),
    },
    refused={
        **{f"{method} {path}": f"{status}: {why}" for (method, path), (status, why) in REFUSED.items()},
        "POST /sdapi/v1/interrogate": "404: describing pictures is not available.",
    },
)
