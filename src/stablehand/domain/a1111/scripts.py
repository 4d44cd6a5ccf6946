"""Scripts that clients name in a request: what is there, and the refusal of the rest by name."""

from collections.abc import Mapping
from typing import Any

from stablehand.domain.a1111.errors import Refused

#: those whose fields a request has anyway; upstream ignores what stands in the last two as well
KNOWN = ("refiner", "sampler", "seed")

_NOTHING = {"minimum": None, "maximum": None, "step": None, "choices": None}


def list_scripts() -> dict[str, list[str]]:
    return {"txt2img": list(KNOWN), "img2img": list(KNOWN)}


def script_info() -> list[dict[str, Any]]:
    refiner = [
        {"label": "Refiner", "value": False, **_NOTHING},
        {"label": "Checkpoint", "value": "", **_NOTHING},
        {"label": "Switch at", "value": 0.8, **_NOTHING, "minimum": 0.01, "maximum": 1.0, "step": 0.01},
    ]
    return [
        {"name": name, "is_alwayson": True, "is_img2img": is_img2img, "args": refiner if name == "refiner" else []}
        for is_img2img in (False, True)
        for name in KNOWN
    ]


def read_scripts(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of the request that its scripts stand for.

    Raises Refused: for a script that is not here and was to do something. One that is switched off does nothing
    anywhere.
    """
    name = (values["script_name"] or "").strip()
    if name and name.casefold() != "none":
        raise Refused(422, f"Script '{name}' not found")
    found: dict[str, Any] = {}
    for title, entry in values["alwayson_scripts"].items():
        args = entry.get("args") if isinstance(entry, dict) else entry
        listed = args if isinstance(args, list) else [] if args is None else [args]
        if title.casefold() not in KNOWN:
            if not _is_off(listed):
                raise Refused(422, f"Script '{title}' not found")
        elif title.casefold() == "refiner" and len(listed) >= 2 and listed[0] is True:
            found["refiner_checkpoint"] = str(listed[1])
            if len(listed) > 2 and isinstance(listed[2], (int, float)):
                found["refiner_switch_at"] = float(listed[2])
    return found


def _is_off(args: list[Any]) -> bool:
    """Nothing is asked of it: its first switch is off, or each of its units is."""
    if args and args[0] is False:
        return True
    return all(arg is None or (isinstance(arg, dict) and _is_unit_off(arg)) for arg in args)


def _is_unit_off(unit: Mapping[str, Any]) -> bool:
    """It says so, or, as ADetailer has it, its model is none."""
    return unit.get("enabled") is False or unit.get("ad_model") == "None"
