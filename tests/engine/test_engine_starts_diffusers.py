"""Inpainting networks, masks and the refiner give what diffusers' own pipelines give from the same noise."""

import io
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion import pipeline_stable_diffusion_inpaint as inpaint
from diffusers.pipelines.stable_diffusion_xl import pipeline_stable_diffusion_xl_inpaint as inpaint_xl
from PIL import Image as Pictures
from torch import Tensor

from stablehand.domain.recipes import Recipe, Refiner, Source
from stablehand.engine.batch import Batch
from stablehand.engine.checkpoints import Resident, load_checkpoint
from stablehand.engine.noise import Noise
from stablehand.engine.residents import Extras, Place
from stablehand.engine.text import Prompt
from tests.engine.drawing import PLACEMENT, make_recipe
from tests.engine.families import make_networks, write_file
from tests.engine.kinds import INPUTS, batch_of
from tests.engine.published import single_file

pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning", "ignore:.*deprecated:FutureWarning")

EPSILON = {"modelspec.prediction_type": "epsilon"}
STEPS, SEED, SCALE = 6, 5, 4.0
#: Of the largest value in a latent: float32, summed in another order. Grey that is off by half a byte, or a score by
#: one, would be three times as far away.
TOLERANCE = 5e-5


@pytest.fixture(autouse=True)
def no_chance_in_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """diffusers draws a latent from what the encoder thinks possible; ours is the middle of that."""
    for module in (inpaint, inpaint_xl):
        monkeypatch.setattr(module, "retrieve_latents", lambda out, *_, **__: out.latent_dist.mode())


def loaded(folder: Path, family: str, channels: int = 4) -> tuple[dict[str, Any], Resident]:
    networks = make_networks(family, channels=channels)
    path = write_file(folder / f"{family}.safetensors", single_file(networks, family), EPSILON)
    return networks, load_checkpoint("tiny" if family != "sdxl-refiner" else "refiner", path, PLACEMENT)


def scheduler() -> Any:
    return diffusers.EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="linspace", steps_offset=1
    )


def made(kind: Any, networks: Mapping[str, Any], **more: Any) -> Any:
    pipeline = kind(**networks, scheduler=scheduler(), **more)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def words(resident: Resident, recipe: Recipe) -> dict[str, Tensor]:
    """The encoded prompts under diffusers' names; that they are right is shown elsewhere."""
    wanted, other = resident.text.encode([Prompt(recipe.prompt), Prompt(recipe.negative_prompt)])
    given = {"prompt_embeds": wanted.context[None], "negative_prompt_embeds": other.context[None]}
    if wanted.summary is not None and other.summary is not None:
        given |= {
            "pooled_prompt_embeds": wanted.summary[None],
            "negative_pooled_prompt_embeds": other.summary[None],
        }
    return given


def latent_of(batch: Batch, recipe: Recipe, extras: Extras | None = None) -> Tensor:
    """What is finished, before it is decoded; in the company of another picture."""
    batch.add("x", recipe, "tiny", Path(), inputs=INPUTS, extras=extras or Extras())
    batch.add("neighbour", make_recipe(seed=9, steps=2), "tiny", Path())
    while "x" not in batch._drawn:
        batch.tick()
    return batch._drawn["x"].latent[None]


def distance(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


def picture(name: str, mode: str) -> Any:
    return Pictures.open(io.BytesIO(INPUTS[name])).convert(mode)


def pipeline_for(family: str, networks: Mapping[str, Any]) -> Any:
    if family == "sdxl":
        kind = diffusers.StableDiffusionXLInpaintPipeline
        return made(kind, networks, tokenizer=None, tokenizer_2=None, add_watermarker=False)
    kind = diffusers.StableDiffusionInpaintPipeline
    more = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    return made(kind, networks, tokenizer=None, **more)


@pytest.mark.parametrize("channels", [4, 9])
@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_a_masked_part_is_drawn_as_diffusers_draws_it(tmp_path: Path, family: str, channels: int) -> None:
    networks, resident = loaded(tmp_path, family, channels)
    # A1111 counts int(0.64 * 6) + 1 calls, diffusers int(0.7 * 6): four each.
    source = Source(input="square", mask="mask", mask_blur=0, denoising_strength=0.64)
    recipe = make_recipe(kind="inpaint", source=source, steps=STEPS, seed=SEED, cfg_scale=SCALE, negative_prompt="fog")
    ours = latent_of(batch_of(resident, resident), recipe)

    pipeline = pipeline_for(family, networks)
    noise = Noise(SEED, (4, 8, 8)).at(0)[None]
    pixels = torch.from_numpy(np.array(picture("square", "RGB"))).permute(2, 0, 1)[None] / 127.5 - 1
    original = networks["vae"].encode(pixels).latent_dist.mode() * networks["vae"].config.scaling_factor
    hole = torch.from_numpy(np.array(picture("mask", "L").resize((8, 8), Pictures.Resampling.NEAREST)) > 127)

    def keep_what_is_outside(pipe: Any, _step: int, _timestep: Any, given: dict[str, Tensor]) -> dict[str, Tensor]:
        """For networks of nine channels diffusers leaves that to the network; A1111 and we do not."""
        kept = original + noise * pipe.scheduler.sigmas[pipe.scheduler.step_index]
        return {"latents": torch.where(hole, given["latents"], kept)}

    theirs = pipeline(
        **words(resident, recipe),
        image=picture("square", "RGB"),
        mask_image=picture("mask", "L"),
        width=64,
        height=64,
        strength=0.7,
        num_inference_steps=STEPS,
        guidance_scale=SCALE,
        generator=torch.Generator().manual_seed(SEED),
        callback_on_step_end=keep_what_is_outside,
        output_type="latent",
    ).images
    assert distance(ours, theirs) < TOLERANCE
    assert distance(ours[..., hole], original[..., hole]) > 0.1, "under the mask something else was drawn"


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_an_inpainting_network_draws_from_words_alone(tmp_path: Path, family: str) -> None:
    """It is shown an empty picture under a mask of everything."""
    networks, resident = loaded(tmp_path, family, 9)
    recipe = make_recipe(steps=STEPS, seed=SEED, cfg_scale=SCALE, negative_prompt="fog")
    ours = latent_of(batch_of(resident, resident), recipe)
    theirs = pipeline_for(family, networks)(
        **words(resident, recipe),
        image=picture("square", "RGB"),  # under a mask of everything nothing of it is seen
        mask_image=Pictures.new("L", (64, 64), 255),
        width=64,
        height=64,
        strength=1.0,
        num_inference_steps=STEPS,
        guidance_scale=SCALE,
        latents=Noise(SEED, (4, 8, 8)).at(0)[None],
        output_type="latent",
    ).images
    assert distance(ours, theirs) < TOLERANCE


def test_a_network_that_predicts_velocity_draws_as_diffusers_has_it(tmp_path: Path) -> None:
    networks = make_networks("sd2")
    stated = {"modelspec.prediction_type": "v"}
    path = write_file(tmp_path / "velocity.safetensors", single_file(networks, "sd2"), stated)
    resident = load_checkpoint("tiny", path, PLACEMENT)
    recipe = make_recipe(steps=STEPS, seed=SEED, cfg_scale=SCALE, negative_prompt="fog")
    ours = latent_of(batch_of(resident, resident), recipe)
    more = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    pipeline = made(diffusers.StableDiffusionPipeline, networks, tokenizer=None, **more)
    pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config, prediction_type="v_prediction")
    theirs = pipeline(
        **words(resident, recipe),
        width=64,
        height=64,
        num_inference_steps=STEPS,
        guidance_scale=SCALE,
        latents=Noise(SEED, (4, 8, 8)).at(0)[None],
        output_type="latent",
    ).images
    assert distance(ours, theirs) < TOLERANCE


def test_a_refiner_goes_on_as_diffusers_has_it(tmp_path: Path, chance: random.Random) -> None:
    """Handed over by ``denoising_end`` and ``denoising_start``; told how beautiful its picture is."""
    switch_at = chance.choice((0.4, 0.8))
    networks, base = loaded(tmp_path, "sdxl")
    refining, refiner = loaded(tmp_path, "sdxl-refiner")
    recipe = make_recipe(
        steps=5,
        seed=SEED,
        cfg_scale=SCALE,
        negative_prompt="fog",
        refiner=Refiner(checkpoint_id="refiner", checkpoint="refiner", switch_at=switch_at),
    )
    ours = latent_of(batch_of(base, refiner), recipe, Extras(refiner=Place("refiner", Path())))
    common = {"num_inference_steps": 5, "guidance_scale": SCALE, "output_type": "latent"}
    first = made(diffusers.StableDiffusionXLPipeline, networks, tokenizer=None, tokenizer_2=None, add_watermarker=False)
    half = first(
        **words(base, recipe),
        **common,
        width=64,
        height=64,
        latents=Noise(SEED, (4, 8, 8)).at(0)[None],
        denoising_end=switch_at,
    ).images
    second = made(
        diffusers.StableDiffusionXLImg2ImgPipeline,
        {**refining, "text_encoder": None},
        tokenizer=None,
        tokenizer_2=None,
        requires_aesthetics_score=True,
        add_watermarker=False,
    )
    theirs = second(
        **words(refiner, recipe), **common, image=half, denoising_start=switch_at, original_size=(64, 64)
    ).images
    assert distance(ours, theirs) < TOLERANCE
    assert distance(half, theirs) > 20 * TOLERANCE
