"""Pictures that start from pictures, second passes and the change of checkpoints, on tiny networks."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pictures

from stablehand.domain.passes import passes, progress
from stablehand.domain.recipes import Hires, Recipe, Refiner, Source
from stablehand.domain.upscalers import LATENT_UPSCALERS, PIXEL_UPSCALERS
from stablehand.engine.batch import Batch
from stablehand.engine.checkpoints import Resident, load_checkpoint
from stablehand.engine.decode import decode, encode
from stablehand.engine.residents import Extras, Place
from stablehand.engine.seats import Finished
from stablehand.engine.sources import blurred, filled, prepare
from stablehand.engine.upscaling import upscale_latent, upscale_pixels
from tests.engine.drawing import PLACEMENT, make_recipe
from tests.engine.kinds import FOLDER, INPUTS, batch_of, run


def draw(batch: Batch, recipe: Recipe, *, extras: Extras | None = None, name: str = "x") -> Finished:
    batch.add(name, recipe, "tiny", FOLDER, inputs=INPUTS, extras=extras or Extras())
    ended = run(batch)[name]
    assert isinstance(ended, Finished), ended
    return ended


def image(**changes: Any) -> Recipe:
    source = Source(**{"input": "square", **changes})
    return make_recipe(kind="inpaint" if source.mask else "image", steps=6, source=source)


def test_a_weak_start_stays_near_the_input_and_a_strong_one_does_not(batch: Batch, resident: Resident) -> None:
    [back] = decode(resident.autoencoder, list(encode(resident.autoencoder, [np.asarray(_open("square"))])))
    assert back is not None
    near = draw(batch, image(denoising_strength=0.0)).pixels
    far = draw(batch, image(denoising_strength=1.0)).pixels
    assert _difference(near, back) < _difference(far, back)


def test_steps_follow_the_strength(batch: Batch, resident: Resident) -> None:
    calls: list[int] = []
    resident.unet.register_forward_pre_hook(lambda _unet, _args: calls.append(1))
    for strength, expected in ((0.0, 1), (0.5, 4), (0.75, 5), (1.0, 6)):
        calls.clear()
        draw(batch, image(denoising_strength=strength))
        assert len(calls) == expected, strength


@pytest.mark.parametrize("fill", ["fill", "original", "latent noise", "latent nothing"])
def test_outside_of_the_mask_the_input_stays(batch: Batch, fill: str) -> None:
    recipe = image(mask="mask", mask_fill=fill, mask_blur=2, denoising_strength=1.0)
    drawn = draw(batch, recipe).pixels
    original = np.asarray(_open("square"))
    assert np.abs(drawn[:8].astype(int) - original[:8]).max() <= 1
    assert np.abs(drawn[50:].astype(int) - original[50:]).max() <= 1
    assert _difference(drawn[20:36, 20:36], original[20:36, 20:36]) > 3


def test_an_inverted_mask_keeps_what_is_white(batch: Batch) -> None:
    recipe = image(mask="mask", mask_invert=True, mask_blur=0, denoising_strength=1.0)
    drawn = draw(batch, recipe).pixels
    original = np.asarray(_open("square"))
    assert np.abs(drawn[18:38, 18:38].astype(int) - original[18:38, 18:38]).max() <= 1
    assert _difference(drawn[:12], original[:12]) > 3


def test_a_blank_mask_is_none(batch: Batch) -> None:
    plain = draw(batch, image())
    blank = draw(batch, replace(image(mask="blank"), kind="inpaint"))
    assert np.array_equal(plain.pixels, blank.pixels)


def test_only_the_masked_part_is_drawn_at_full_size_and_put_back(batch: Batch) -> None:
    source = Source(input="input", mask="mask", only_masked=True, only_masked_padding=4, denoising_strength=1.0)
    recipe = make_recipe(kind="inpaint", steps=4, source=source, width=64, height=64)
    prepared = prepare(recipe, INPUTS)
    assert prepared.frame is not None
    assert prepared.frame.box is not None
    left, top, right, bottom = prepared.frame.box.corners
    assert (left < 24, right > 60, top < 16, bottom > 40) == (True,) * 4  # the mask is stretched like the picture
    assert (left >= 0, right <= 96, top >= 0, bottom <= 64) == (True,) * 4
    assert abs((right - left) - (bottom - top)) <= 1
    drawn = draw(batch, recipe).pixels
    assert drawn.shape == (64, 96, 3)
    original = np.asarray(_open("input"))
    outside = np.ones((64, 96), bool)
    outside[max(0, top - 12) : bottom + 12, max(0, left - 12) : right + 12] = False
    assert np.abs(drawn[outside].astype(int) - original[outside]).max() <= 1


@pytest.mark.parametrize("mode", ["Just resize", "Crop and resize", "Resize and fill", "Just resize (latent upscale)"])
def test_inputs_of_other_shapes_are_brought_to_size(batch: Batch, mode: str) -> None:
    recipe = replace(image(input="input", resize_mode=mode), width=64, height=96)
    assert draw(batch, recipe).pixels.shape == (96, 64, 3)


@pytest.mark.parametrize("upscaler", [*LATENT_UPSCALERS, *PIXEL_UPSCALERS])
def test_a_second_pass_draws_larger(batch: Batch, resident: Resident, upscaler: str) -> None:
    calls: list[int] = []
    resident.unet.register_forward_pre_hook(lambda _unet, args: calls.append(args[0].shape[-1]))
    hires = Hires(width=128, height=96, upscaler=upscaler, steps=3, denoising_strength=0.6)
    drawn = draw(batch, make_recipe(steps=4, hires=hires))
    assert drawn.pixels.shape == (96, 128, 3)
    assert calls == [8] * 4 + [16] * 3


def test_a_second_pass_has_prompts_of_its_own(batch: Batch) -> None:
    hires = Hires(width=96, height=96, denoising_strength=0.9)
    same = draw(batch, make_recipe(hires=hires))
    other = draw(batch, make_recipe(hires=replace(hires, prompt="something else")))
    assert not np.array_equal(same.pixels, other.pixels)


def test_progress_runs_once_from_0_to_1_over_both_passes(batch: Batch) -> None:
    batch.add("x", make_recipe(steps=4, hires=Hires(width=128, height=128, steps=4)), "tiny", FOLDER)
    seen = []
    while batch.ids():
        seen.append(batch.progress().get("x", 1.0))
        batch.tick()
    assert seen == sorted(seen)
    assert seen[0] == 0.0
    assert 0 < seen[len(seen) // 2] < 1


def test_a_refiner_takes_over_in_the_middle(tiny: Path, other_tiny: Path) -> None:
    base, refiner = load_checkpoint("tiny", tiny, PLACEMENT), load_checkpoint("refiner", other_tiny, PLACEMENT)
    batch = batch_of(base, refiner)
    calls: list[str] = []
    for resident in (base, refiner):
        resident.unet.register_forward_pre_hook(lambda _unet, _args, name=resident.slot: calls.append(name))
    recipe = make_recipe(steps=5, refiner=Refiner(checkpoint_id="refiner", checkpoint="refiner", switch_at=0.6))
    draw(batch, recipe, extras=Extras(refiner=Place("refiner", other_tiny)))
    assert calls == ["tiny"] * 3 + ["refiner"] * 2


def test_passes_say_how_far_a_picture_is() -> None:
    recipe = make_recipe(steps=10, hires=Hires(width=128, height=128, steps=10))
    assert [one.number for one in passes(recipe)] == [0, 1]
    assert progress(recipe, 0, 0.0) == 0.0
    assert progress(recipe, 0, 1.0) == pytest.approx(0.2)
    assert progress(recipe, 1, 1.0) == 1.0
    assert passes(replace(recipe, kind="upscale")) == ()


def test_blur_and_fill() -> None:
    shade = np.zeros((21, 21), np.float32)
    shade[10, 10] = 255
    soft = blurred(shade, 2)
    assert soft.sum() == pytest.approx(255, rel=1e-3)
    assert soft[10, 10] == soft.max()
    assert np.allclose(soft, soft.T)
    assert np.array_equal(blurred(shade, 0), shade)
    red = Pictures.new("RGB", (64, 64), (200, 20, 20))
    red.paste((0, 0, 255), (20, 20, 40, 40))
    hole = Pictures.new("L", (64, 64), 0)
    hole.paste(255, (20, 20, 40, 40))
    painted = np.asarray(filled(red, hole)).astype(int)
    assert np.abs(painted - [200, 20, 20]).max() <= 12


def test_upscaling_keeps_proportions_and_cuts_evenly() -> None:
    latent = torch.randn(4, 8, 8)
    for name in LATENT_UPSCALERS:
        assert upscale_latent(name, latent, 16, 24).shape == (4, 16, 24)
    pixels = np.asarray(_open("square"))
    for name in PIXEL_UPSCALERS:
        assert upscale_pixels(name, pixels, 96, 128).shape == (96, 128, 3)


def _open(name: str) -> Pictures.Image:
    return Pictures.open(io.BytesIO(INPUTS[name])).convert("RGB")


def _difference(one: Any, other: Any) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())
