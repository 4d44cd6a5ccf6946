"""The options that clients of this dialect take for the server's. Here each credential has its own.

What GET gives, POST takes back whole; keys that nobody knows are passed over, because clients of all ages send many.
Where files lie and who may fetch from where is not theirs to set.
"""

import math
from collections.abc import Mapping
from typing import Any

from stablehand.domain.a1111.errors import Refused
from stablehand.domain.orders import can_be_kept
from stablehand.domain.recipes import Format

#: key -> default, of options that change what is drawn here. Whole numbers are floats, as upstream writes them.
EFFECTIVE: dict[str, Any] = {
    "sd_model_checkpoint": None,
    "sd_vae": "Automatic",
    "CLIP_stop_at_last_layers": 1.0,
    "samples_format": "png",
    "jpeg_quality": 80.0,
    "eta_noise_seed_delta": 0,
    "eta_ancestral": 1.0,
    "eta_ddim": 0.0,
    "s_churn": 0.0,
    "s_tmin": 0.0,
    "s_tmax": 0.0,
    "s_noise": 1.0,
    "randn_source": "CPU",
    "emphasis": "Original",
    "enable_prompt_comments": True,
    "always_discard_next_to_last_sigma": False,
    "initial_noise_multiplier": 1.0,
    "return_grid": True,
    "grid_only_if_multiple": True,
}
#: key -> default, of options that are remembered for those who look, and change nothing
REMEMBERED: dict[str, Any] = {
    "webp_lossless": False,
    "samples_save": True,
    "grid_save": True,
    "grid_format": "png",
    "n_rows": -1.0,
    "enable_pnginfo": True,
    "save_txt": False,
    "add_model_hash_to_info": True,
    "add_model_name_to_info": True,
    "add_vae_hash_to_info": True,
    "add_vae_name_to_info": True,
    "add_version_to_infotext": True,
    "add_user_name_to_info": False,
    "lora_add_hashes_to_infotext": True,
    "textual_inversion_add_hashes_to_infotext": True,
    "sd_lora": "None",
    "sd_hypernetwork": "None",
    "s_min_uncond": 0.0,
    "comma_padding_backtrack": 20.0,
    "img2img_fix_steps": False,
    "img2img_color_correction": False,
    "img2img_extra_noise": 0.0,
    "img2img_background_color": "#ffffff",
    "inpainting_mask_weight": 1.0,
    "overlay_inpaint": True,
    "return_mask": False,
    "return_mask_composite": False,
    "face_restoration": False,
    "face_restoration_model": "CodeFormer",
    "code_former_weight": 0.5,
    "tiling": False,
    "upscaler_for_img2img": None,
    "ESRGAN_tile": 192.0,
    "ESRGAN_tile_overlap": 8.0,
    "token_merging_ratio": 0.0,
    "token_merging_ratio_img2img": 0.0,
    "token_merging_ratio_hr": 0.0,
    "hires_fix_refiner_pass": "second pass",
    "live_previews_enable": True,
    "show_progress_every_n_steps": 10.0,
    "show_progress_type": "Approx NN",
    "show_progress_grid": True,
    "live_previews_image_format": "png",
    "sd_checkpoints_limit": 1.0,
    "sd_vae_encode_method": "Full",
    "sd_vae_decode_method": "Full",
    "fp8_storage": "Disable",
    "use_old_karras_scheduler_sigmas": False,
    "sgm_noise_multiplier": False,
    "no_dpmpp_sde_batch_determinism": False,
    "use_old_scheduling": False,
    "sd_noise_schedule": "Default",
    "sigma_min": 0.0,
    "sigma_max": 0.0,
    "rho": 0.0,
    "beta_dist_alpha": 0.6,
    "beta_dist_beta": 0.6,
    "uni_pc_variant": "bh1",
    "uni_pc_skip_type": "time_uniform",
    "uni_pc_order": 3.0,
    "uni_pc_lower_order_final": True,
    "control_net_unit_count": 3.0,
    "control_net_no_detectmap": False,
    "do_not_show_images": False,
}
#: key -> what it says here whatever anybody posts
FIXED: dict[str, Any] = {
    "api_enable_requests": True,
    "api_forbid_local_requests": True,
    "api_useragent": "",
    "outdir_samples": "",
    "outdir_txt2img_samples": "",
    "outdir_img2img_samples": "",
    "outdir_extras_samples": "",
    "outdir_grids": "",
    "outdir_txt2img_grids": "",
    "outdir_img2img_grids": "",
    "outdir_save": "",
    "save_to_dirs": False,
    "directories_filename_pattern": "",
    "samples_filename_pattern": "",
    "quicksettings_list": [],
    "hide_samplers": [],
    "disabled_extensions": [],
}
_KNOWN = EFFECTIVE | REMEMBERED
TEXT_MAX_CHARACTERS = 512

_FORMATS: Mapping[str, Format] = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "webp": "webp"}


def all_options(
    chosen: Mapping[str, Any], checkpoint_title: str | None, checkpoint_sha256: str | None
) -> dict[str, Any]:
    """What GET answers: defaults, what the credential has chosen, and the checkpoint that is drawn with now."""
    return {
        **_KNOWN,
        **FIXED,
        **{key: value for key, value in chosen.items() if key in _KNOWN},
        "sd_model_checkpoint": checkpoint_title,
        "sd_checkpoint_hash": checkpoint_sha256 or "",
    }


def changed_options(chosen: Mapping[str, Any], posted: Mapping[str, Any]) -> dict[str, Any]:
    """What the credential has chosen after a POST: of what is known, all that is not as it would be anyway.

    A value of another kind than its key has changes nothing, as upstream's own defaults would bring it back.
    """
    found = {key: value for key, value in chosen.items() if key in _KNOWN}
    for key, value in posted.items():
        if key not in _KNOWN or not _fits(value, _KNOWN[key]) or (key == "samples_format" and not _is_format(value)):
            continue
        if value == _KNOWN[key] or value is None:
            found.pop(key, None)
        else:
            found[key] = value
    return found


def _is_format(value: Any) -> bool:
    """Whether pictures can be sent so: else every later request of this credential would be refused."""
    return value in (None, "") or value.strip().lower() in _FORMATS


def _fits(value: Any, default: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, str):
        return (
            (default is None or isinstance(default, str)) and len(value) <= TEXT_MAX_CHARACTERS and can_be_kept(value)
        )
    if isinstance(value, bool):
        return isinstance(default, bool)
    if isinstance(default, bool) or not isinstance(default, (int, float)):
        return False
    return isinstance(value, (int, float)) and math.isfinite(value)


class Choices:
    """The options of one request: what it overrides, else what its credential has chosen, else the defaults."""

    def __init__(self, chosen: Mapping[str, Any], overrides: Mapping[str, Any] | None) -> None:
        # Null and nothing say nothing: then the next one is asked.
        self._values = {key: value for key, value in chosen.items() if value not in (None, "")}
        self._values |= {key: value for key, value in (overrides or {}).items() if value not in (None, "")}

    def text(self, key: str) -> str | None:
        value = self._values.get(key, EFFECTIVE[key])
        return None if value is None else str(value)

    def number(self, key: str) -> float:
        """The default where somebody wrote no number."""
        try:
            value = float(self._values.get(key, EFFECTIVE[key]))
        except (TypeError, ValueError, OverflowError):
            value = math.nan
        return value if math.isfinite(value) else float(EFFECTIVE[key])

    def other_number(self, key: str) -> float | None:
        """None unless it is another one than the default."""
        value = self.number(key)
        return None if value == float(EFFECTIVE[key]) else value

    def truth(self, key: str) -> bool:
        value = self._values.get(key, EFFECTIVE[key])
        return value.strip().lower() in ("true", "1", "yes", "on") if isinstance(value, str) else bool(value)

    @property
    def format(self) -> Format:
        """Raises Refused for one that no answer is written in."""
        found = _FORMATS.get((self.text("samples_format") or "").strip().lower())
        if found is None:
            raise Refused(422, "Invalid image format")
        return found

    @property
    def quality(self) -> int:
        return int(min(100, max(1, self.number("jpeg_quality"))))
