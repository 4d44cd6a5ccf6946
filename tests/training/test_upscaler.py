"""The upscaler's training, and the network that ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from stablehand.engine.devices import Placement
from stablehand.engine.enlargements import enlarge
from stablehand.engine.upscalers import load_upscaler
from training import upscaler
from training.renders import HELD_OUT_SEED, render
from training.upscaler import FILE, Plan, crops, enlarged, export, psnr, train

TINY = Plan(width=32, convolutions=2, scenes=2, steps=2, batch=2, crop=16, save_every=1, fresh=1)


def test_what_it_is_given_and_what_it_should_draw_show_the_same() -> None:
    large = np.stack([render(index, 5, upscaler.LARGE) for index in range(2)])
    small = np.stack([np.asarray(Image.fromarray(picture).reduce(2)) for picture in large])
    given, wanted = crops(large, np.concatenate([small, small]), TINY, np.random.default_rng(1))
    assert given.shape == (2, 3, 16, 16)
    assert wanted.shape == (2, 3, 32, 32)
    assert torch.allclose(torch.nn.functional.avg_pool2d(wanted, 2), given, atol=2 / 255)


def test_training_goes_on_where_it_was_and_its_file_is_read_again(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    train(Plan(**{**TINY.__dict__, "steps": 1}), tmp_path, 1)
    network = train(TINY, tmp_path, 1)
    assert torch.load(tmp_path / "upscaler.pt", weights_only=True)["step"] == 2
    export(network, tmp_path / "out" / "net.safetensors")
    loaded = load_upscaler(tmp_path / "out" / "net.safetensors", Placement(torch.device("cpu"), "test", "fp32", 2**33))
    picture = render(0, 5, 32)
    [drawn], _ = enlarge(loaded, [picture])
    assert drawn is not None
    assert np.abs(drawn.astype(int) - enlarged(network, picture)).max() <= 2


def test_the_one_that_ships_is_small_and_better_than_a_formula() -> None:
    assert FILE.stat().st_size < 4_000_000
    network = load_upscaler(FILE, Placement(torch.device("cpu"), "test", "fp32", 2**33))
    assert (network.scale, network.parameters) == (2, 256_572)
    gains = []
    for index in range(2):
        wanted = render(1_000 + index, HELD_OUT_SEED, 512)
        small = np.asarray(Image.fromarray(wanted).resize((256, 256), Image.Resampling.BICUBIC))
        [drawn], _ = enlarge(network, [small])
        assert drawn is not None
        formula = np.asarray(Image.fromarray(small).resize((512, 512), Image.Resampling.LANCZOS))
        gains.append(psnr(drawn, wanted) - psnr(formula, wanted))
    assert np.mean(gains) > 4.0
