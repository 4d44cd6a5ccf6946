"""The whole way from prompt to pixels gives what diffusers' own pipeline gives from the same noise."""

from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from stablehand.engine.batch import Batch
from stablehand.engine.checkpoints import load_checkpoint
from stablehand.engine.noise import Noise
from stablehand.engine.seats import Finished
from tests.engine.drawing import PLACEMENT, holding, make_recipe

pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")


@pytest.fixture(scope="module")
def pipeline(tiny: Path) -> Any:
    diffusers.utils.logging.disable_progress_bar()
    pipeline: Any = diffusers.StableDiffusionPipeline.from_pretrained(str(tiny), local_files_only=True)
    pipeline.scheduler = diffusers.EulerDiscreteScheduler.from_config(
        pipeline.scheduler.config, timestep_spacing="linspace"
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.mark.parametrize("cfg_scale", [1.0, 6.0])
@pytest.mark.parametrize("negative_prompt", ["", "fog and rain"])
def test_a_picture_is_that_of_diffusers(tiny: Path, pipeline: Any, cfg_scale: float, negative_prompt: str) -> None:
    recipe = make_recipe(cfg_scale=cfg_scale, negative_prompt=negative_prompt, steps=5, width=96)
    batch = Batch(PLACEMENT, holding(load_checkpoint("tiny", tiny, PLACEMENT)))
    batch.add("x", recipe, "tiny", tiny)
    batch.add("neighbour", make_recipe(seed=5, steps=3, width=96), "tiny", tiny)
    pixels: dict[str, Any] = {}
    while batch.ids():
        pixels |= {ended.picture_id: ended.pixels for ended in batch.tick() if isinstance(ended, Finished)}
    theirs = pipeline(
        recipe.prompt,
        negative_prompt=negative_prompt,
        width=96,
        height=64,
        num_inference_steps=5,
        guidance_scale=cfg_scale,
        latents=Noise(recipe.seed, (4, 8, 12)).at(0)[None].to(torch.float32),
        output_type="np",
    ).images[0]
    difference = np.abs(pixels["x"] - theirs * 255)
    assert difference.max() < 1.5
    assert difference.mean() < 0.5
