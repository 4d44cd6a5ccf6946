"""Infotext: the line of parameters inside a picture, in the grammar that A1111's web UI writes and everybody reads.

prompt
Negative prompt: what to avoid
Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.0, Seed: 42, Size: 512x512, …
"""

import json
import re
from collections.abc import Mapping

from stablehand.domain.infotext_keys import Hashes, enlargement_parameters, noise_parameters, part_parameters
from stablehand.domain.recipes import Recipe
from stablehand.domain.samplers import AUTOMATIC_SCHEDULES

NEGATIVE_PREFIX = "Negative prompt:"

#: A last line with fewer parameters than this belongs to the prompt.
FEWEST_PARAMETERS = 3

#: What readers assume for keys that are left out.
DEFAULTS: dict[str, object] = {
    "Clip skip": "1",
    "Hires resize-1": 0,
    "Hires resize-2": 0,
    "Hires sampler": "Use same sampler",
    "Hires schedule type": "Use same scheduler",
    "Hires checkpoint": "Use same checkpoint",
    "Hires prompt": "",
    "Hires negative prompt": "",
    "Mask mode": "Inpaint masked",
    "Masked content": "original",
    "Inpaint area": "Whole picture",
    "Masked area padding": 32,
    "RNG": "GPU",
    "Schedule type": "Automatic",
    "Schedule max sigma": 0,
    "Schedule min sigma": 0,
    "Schedule rho": 0,
    "VAE Encoder": "Full",
    "VAE Decoder": "Full",
    "FP8 weight": "Disable",
    "Refiner switch by sampling steps": False,
}

_PARAMETER = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_SIZE = re.compile(r"(\d+)x(\d+)")
_EMPHASIS = re.compile(r"(?<!\\)[(\[]")


def write_infotext(
    recipe: Recipe, checkpoint_sha256: str | None, version: str, addon_hashes: Hashes | None = None
) -> str:
    """The infotext of one picture. ``recipe`` carries the picture's own seed; ``version`` is Stablehand's own.

    Automatic is written as the schedule it means where the sampler has a favourite, as A1111 does. The version is not
    a bare number, because readers would take a low one for an ancient A1111 and change the meaning of the rest.

    A picture that was only made larger has the words it is found by, its size, and what made it larger.
    """
    size, ours = f"{recipe.width}x{recipe.height}", f"Stablehand {version}"
    if recipe.kind == "upscale":
        done = enlargement_parameters(recipe)
        return format_infotext(recipe.prompt, recipe.negative_prompt, {"Size": size, **done, "Version": ours})
    hashes = addon_hashes or {}
    schedule = recipe.schedule
    if schedule == "Automatic":
        schedule = AUTOMATIC_SCHEDULES.get(recipe.sampler, schedule)
    return format_infotext(
        recipe.prompt,
        recipe.negative_prompt,
        {
            "Steps": recipe.steps,
            "Sampler": recipe.sampler,
            "Schedule type": schedule,
            "CFG scale": float(recipe.cfg_scale),
            "Seed": recipe.seed,
            "Size": size,
            "Model hash": checkpoint_sha256[:10] if checkpoint_sha256 else None,
            "Model": recipe.checkpoint,
            **noise_parameters(recipe, hashes),
            "RNG": recipe.noise.source if recipe.noise.source != "GPU" else None,
            **part_parameters(recipe, hashes),
            "Version": ours,
        },
    )


def format_infotext(prompt: str, negative_prompt: str, parameters: Mapping[str, object]) -> str:
    """Any infotext, parameters in their order; those that are None are left out."""
    negative = f"\n{NEGATIVE_PREFIX} {negative_prompt}" if negative_prompt else ""
    line = ", ".join(
        key if key == value else f"{key}: {_quote(value)}" for key, value in parameters.items() if value is not None
    )
    return f"{prompt}{negative}\n{line}".strip()


def parse_infotext(text: str) -> dict[str, object]:
    """Every parameter as a string, with "Prompt" and "Negative prompt", and the defaults of absent keys.

    A value like ``512x768`` becomes two keys, ``Size-1`` and ``Size-2``.
    """
    *lines, last = text.strip().split("\n")
    if len(_PARAMETER.findall(last)) < FEWEST_PARAMETERS:
        lines.append(last)
        last = ""
    prompt: list[str] = []
    negative: list[str] = []
    part = prompt
    for line in map(str.strip, lines):
        if line.startswith(NEGATIVE_PREFIX):
            part = negative
            line = line[len(NEGATIVE_PREFIX) :].strip()  # noqa: PLW2901
        part.append(line)
    found: dict[str, object] = {}
    for key, value in _PARAMETER.findall(last):
        plain = _unquote(value)
        size = _SIZE.fullmatch(plain)
        if size:
            found[f"{key}-1"], found[f"{key}-2"] = size.groups()
        else:
            found[key] = plain
    found["Prompt"] = "\n".join(prompt)
    found["Negative prompt"] = "\n".join(negative)
    _modernise(found)
    for key, default in DEFAULTS.items():
        found.setdefault(key, default)
    if _EMPHASIS.search(f"{found['Prompt']}{found['Negative prompt']}"):
        found.setdefault("Emphasis", "Original")
    return found


def _modernise(found: dict[str, object]) -> None:
    """Older writers called the first pass of a two-pass picture by other names."""
    if "First pass size-1" in found:
        found["Hires resize-1"], found["Hires resize-2"] = found.get("Size-1", 0), found.get("Size-2", 0)
        found["Size-1"], found["Size-2"] = found.pop("First pass size-1"), found.pop("First pass size-2")
    network = found.pop("Hypernet", None)
    if network is not None:
        found["Prompt"] = f"{found['Prompt']}<hypernet:{network}:{found.pop('Hypernet strength', '1.0')}>"


def _quote(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ",\n:") else text


def _unquote(text: str) -> str:
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    try:
        plain = json.loads(text)
    except ValueError:
        return text
    return str(plain)
