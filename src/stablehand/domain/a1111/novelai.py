"""Pictures of NovelAI, whose words stand in keys of their own, read as the infotext that would draw them."""

import json
from collections.abc import Mapping

from stablehand.domain.infotext import format_infotext
from stablehand.domain.samplers import find_sampler


def novelai_infotext(items: Mapping[str, str], width: int, height: int) -> str | None:
    """``items``: texts of a PNG; its size in pixels. None for a picture of anybody else's, or one that says too little.

    Its models skip a layer of the text encoder and shift the seeds of later noise by 31337.
    """
    if items.get("Software") != "NovelAI":
        return None
    try:
        said = json.loads(items.get("Comment", ""))
        parameters = {
            "Steps": int(said["steps"]),
            "Sampler": find_sampler(str(said.get("sampler", ""))) or "Euler a",
            "CFG scale": float(said["scale"]),
            "Seed": int(said["seed"]),
            "Size": f"{width}x{height}",
            "Clip skip": 2,
            "ENSD": 31337,
        }
        return format_infotext(items.get("Description", ""), str(said.get("uc", "")), parameters)
    except (ValueError, TypeError, KeyError, OverflowError):
        return None
