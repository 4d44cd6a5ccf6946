"""Pictures from a Postcard folder, drawn with diffusers' own pipeline."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DPMSolverMultistepScheduler, LCMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from PIL import Image
from tqdm import tqdm

from stablehand.domain.siblings import PARTS_FROM


@dataclass(frozen=True)
class Manner:
    """How pictures are drawn: width and height in pixels, steps, guidance."""

    width: int = 256
    height: int = 256
    steps: int = 20
    guidance: float = 6.0


QUICK = Manner(steps=4, guidance=1.0)
"""What the distilled sibling was made for."""


def load(folder: Path, device: torch.device) -> Any:
    """The checkpoint in float32, with DPM++ 2M and Karras noise levels; the distilled one with LCM's steps."""
    index = json.loads((folder / "model_index.json").read_text())
    sibling = index.get(PARTS_FROM)
    whole = folder.parent / sibling if sibling else folder
    pipeline = StableDiffusionPipeline.from_pretrained(whole, safety_checker=None, local_files_only=True)
    if sibling:
        pipeline.unet = UNet2DConditionModel.from_pretrained(folder / "unet", local_files_only=True)
        pipeline.scheduler = LCMScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
    else:
        pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config, use_karras_sigmas=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def generate(
    pipeline: Any,
    captions: list[str],
    manner: Manner,
    *,
    negatives: list[str] | None = None,
    seeds: list[int] | None = None,
    batch: int = 8,
) -> list[Image.Image]:
    """One picture a caption; picture i has seed i unless `seeds` says otherwise."""
    pictures: list[Image.Image] = []
    numbers = seeds or list(range(len(captions)))
    for start in tqdm(range(0, len(captions), batch), "pictures", mininterval=5, leave=False):
        part = slice(start, start + batch)
        made = pipeline(
            captions[part],
            negative_prompt=negatives[part] if negatives else None,
            height=manner.height,
            width=manner.width,
            num_inference_steps=manner.steps,
            guidance_scale=manner.guidance,
            generator=[torch.Generator("cpu").manual_seed(number) for number in numbers[part]],
        )
        pictures.extend(made.images)
    return pictures
