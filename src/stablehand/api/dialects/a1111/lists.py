"""Lists of what there is, in this dialect's words; empty where there is none of a kind."""

from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, Response

from stablehand.api.dialects.a1111.speaking import say
from stablehand.api.door import Door
from stablehand.domain.a1111.labels import list_samplers, list_schedulers
from stablehand.domain.a1111.scripts import list_scripts, script_info
from stablehand.domain.a1111.titles import listed
from stablehand.domain.addons import AddonFile
from stablehand.domain.upscalers import LATENT_UPSCALERS
from stablehand.services.addons import list_addons
from stablehand.services.catalogue import allowed_checkpoints
from stablehand.services.rescan import rescan
from stablehand.services.upscalers import Upscaler, list_upscalers

#: width of a learned word, by the family that it is for
_WORD_WIDTHS = {"sd1": 768, "sd2": 1024, "sdxl": 2048}
#: upstream's number for upscalers that take any
_ANY_SCALE = 4.0
_NOT_HERE = "not told: pictures are drawn by agents, on whichever machines they run"

_FLAGS: dict[str, Any] = {
    "api": True,
    "api_auth": None,
    "api_server_stop": False,
    "ckpt_dir": None,
    "cors_allow_origins": None,
    "data_dir": "",
    "embeddings_dir": None,
    "gradio_auth": None,
    "listen": False,
    "lora_dir": None,
    "medvram": False,
    "nowebui": True,
    "port": None,
    "share": False,
    "styles_file": [],
    "subpath": None,
    "vae_dir": None,
    "xformers": False,
}
#: at these addresses there is nothing to list yet, or ever
_EMPTY: dict[str, Any] = {
    "hypernetworks": [],
    "loras": [],
    "face-restorers": [],
    "realesrgan-models": [],
    "prompt-styles": [],
}
#: what is kept fresh without being told, or is not for a client to say
_DONE: dict[str, Any] = {
    "refresh-checkpoints": None,
    "refresh-vae": None,
    "refresh-embeddings": None,
    "refresh-loras": None,
    "unload-checkpoint": {},
    "reload-checkpoint": {},
}
_CONTROL_TYPE = {"module_list": ["none"], "model_list": ["None"], "default_option": "none", "default_model": "None"}


def add(api: Blueprint, door: Door) -> None:
    def constant(path: str, value: Any, method: str = "GET") -> None:
        api.add_url_rule(path, _endpoint(path), lambda: say(value), methods=[method])

    def made(path: str, make: Callable[[], Any]) -> None:
        api.add_url_rule(path, _endpoint(path), lambda: say(make()), methods=["GET"])

    made("/sdapi/v1/sd-models", lambda: [listed(entry) for entry in allowed_checkpoints(door.services, door.account)])
    made("/sdapi/v1/sd-vae", lambda: [_vae(entry) for entry in list_addons(door.services, "vae")])
    made("/sdapi/v1/embeddings", lambda: _embeddings(list_addons(door.services, "embedding")))
    made("/sdapi/v1/samplers", list_samplers)
    made("/sdapi/v1/schedulers", list_schedulers)
    made("/sdapi/v1/upscalers", lambda: _upscalers(list_upscalers(door.services)))
    constant("/sdapi/v1/latent-upscale-modes", [{"name": name} for name in LATENT_UPSCALERS])
    constant("/sdapi/v1/scripts", list_scripts())
    constant("/sdapi/v1/script-info", script_info())
    constant("/sdapi/v1/cmd-flags", _FLAGS)
    constant("/sdapi/v1/memory", {"ram": {"error": _NOT_HERE}, "cuda": {"error": _NOT_HERE}})
    for name, value in _EMPTY.items():
        constant(f"/sdapi/v1/{name}", value)

    constant("/controlnet/version", {"version": 3})
    constant("/controlnet/model_list", {"model_list": []})
    constant("/controlnet/control_types", {"control_types": {"All": _CONTROL_TYPE}})
    constant("/controlnet/settings", {"control_net_unit_count": 3})

    @api.get("/controlnet/module_list", endpoint="get_module_list")
    def module_list() -> Response:
        return say({"module_list": ["none"], "module_detail": {"none": {"model_free": False, "sliders": []}}})

    # What the web UI's own page is made of: clients look for who has signed in, and for names of upscalers.
    constant("/user", None)
    made("/config", lambda: _config(list_upscalers(door.services)))

    for name, value in _DONE.items():
        _add_refresh(api, door, name, value)


def _add_refresh(api: Blueprint, door: Door, name: str, value: Any) -> None:
    """Folders are looked at by themselves; an administrator's client may have that done at once."""

    @api.post(f"/sdapi/v1/{name}", endpoint=name)
    def view() -> Response:
        if name.startswith("refresh") and door.caller.may("admin"):
            rescan(door.services)
        return say(value)


def _endpoint(path: str) -> str:
    return "get_" + path.rpartition("/")[2]


def _vae(addon: AddonFile) -> dict[str, str]:
    name = addon.path.rpartition("/")[2]
    return {"model_name": name, "filename": name}


def _embeddings(known: tuple[AddonFile, ...]) -> dict[str, Any]:
    """``vectors``: how many words one stands for is known to the agents only."""
    return {
        "loaded": {
            addon.name: {
                "step": None,
                "sd_checkpoint": None,
                "sd_checkpoint_name": None,
                "shape": _WORD_WIDTHS.get(addon.family or "", 768),
                "vectors": 1,
            }
            for addon in known
        },
        "skipped": {},
    }


def _config(known: Sequence[Upscaler]) -> dict[str, Any]:
    names = [one.name for one in known]
    choices = [*LATENT_UPSCALERS, "None", *(name for name in names if name not in LATENT_UPSCALERS)]
    return {"components": [{"props": {"elem_id": "txt2img_hr_upscaler", "choices": choices}}]}


def _upscalers(known: Sequence[Upscaler]) -> list[dict[str, Any]]:
    """Those of pixels, after the one that does nothing."""
    return [
        {
            "name": one.name,
            "model_name": None if one.network is None else one.network.name,
            "model_path": None if one.network is None else one.network.path,
            "model_url": None,
            "scale": float(one.scale or _ANY_SCALE),
        }
        for one in (Upscaler("None"), *known)
        if not one.latent
    ]
