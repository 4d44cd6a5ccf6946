"""SDXL: two text encoders, a summary of the text and sizes, as diffusers' own pipeline has them."""

from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from torch import Tensor

from stablehand.engine.batch import Batch
from stablehand.engine.checkpoints import load_checkpoint
from stablehand.engine.noise import Noise
from stablehand.engine.seats import Finished
from tests.engine.drawing import PLACEMENT, holding, make_recipe
from tests.engine.families import make_networks, write_file
from tests.engine.published import single_file

pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")

PROMPT, NEGATIVE = "a photo of a cat", "fog"
#: CLIP's own ids of the two, known from OpenAI's vocabulary
IDS = {PROMPT: [320, 1125, 539, 320, 2368], NEGATIVE: [9417]}


def encoded(networks: dict[str, Any], prompt: str) -> tuple[Tensor, Tensor]:
    """What Podell et al. feed the UNet: both penultimate layers side by side, and the second encoder's summary."""
    parts, summary = [], None
    for name, pad in (("text_encoder", 49407), ("text_encoder_2", 0)):
        if name in networks:
            ids = [49406, *IDS[prompt], 49407]
            out = networks[name](
                input_ids=torch.tensor([ids + [pad] * (77 - len(ids))]), output_hidden_states=True, return_dict=True
            )
            parts.append(out.hidden_states[-2])
            summary = out.text_embeds if name == "text_encoder_2" else summary
    assert summary is not None
    return torch.cat(parts, dim=-1), summary


@pytest.mark.parametrize("negative", ["", NEGATIVE])
@pytest.mark.parametrize("cfg_scale", [1.0, 6.0])
def test_a_picture_is_that_of_diffusers(tmp_path: Path, cfg_scale: float, negative: str) -> None:
    networks = make_networks("sdxl")
    path = write_file(tmp_path / "xl.safetensors", single_file(networks, "sdxl"))
    recipe = make_recipe(prompt=PROMPT, negative_prompt=negative, cfg_scale=cfg_scale, steps=4, width=96)
    batch = Batch(PLACEMENT, holding(load_checkpoint("xl", path, PLACEMENT)))
    batch.add("x", recipe, "xl", path)
    batch.add("neighbour", make_recipe(seed=5, steps=3, width=96), "xl", path)
    pixels: dict[str, Any] = {}
    while batch.ids():
        pixels |= {ended.picture_id: ended.pixels for ended in batch.tick() if isinstance(ended, Finished)}

    context, summary = encoded(networks, PROMPT)
    # No words at all are zeros to SDXL.
    other, other_summary = (
        encoded(networks, negative) if negative else (torch.zeros_like(context), torch.zeros_like(summary))
    )
    pipeline = pipeline_of(networks)
    theirs = pipeline(
        prompt_embeds=context,
        pooled_prompt_embeds=summary,
        negative_prompt_embeds=other,
        negative_pooled_prompt_embeds=other_summary,
        width=96,
        height=64,
        num_inference_steps=4,
        guidance_scale=cfg_scale,
        latents=Noise(recipe.seed, (4, 8, 12)).at(0)[None].to(torch.float32),
        output_type="np",
    ).images[0]
    difference = np.abs(pixels["x"] - theirs * 255)
    assert difference.max() < 1.5
    assert difference.mean() < 0.5


def pipeline_of(networks: dict[str, Any]) -> Any:
    scheduler = diffusers.EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="linspace"
    )
    pipeline: Any = diffusers.StableDiffusionXLPipeline(
        **networks, tokenizer=None, tokenizer_2=None, scheduler=scheduler, add_watermarker=False
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
