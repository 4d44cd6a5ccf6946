"""What training rests on: white latents, orthogonal updates, loss weights, and going on after a kill."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from training import denoiser, export, snapshots
from training.autoencoder import build, cosine, to_tensor, whiten
from training.muon import orthogonalised
from training.renders import render
from training.workshop import Workshop

CPU = torch.device("cpu")


@torch.no_grad()
def test_whitening_changes_the_latents_and_no_picture() -> None:
    torch.manual_seed(1)
    autoencoder = build()
    pictures = np.stack([render(index, 5, 64) for index in range(16)])
    target = to_tensor(pictures, CPU)
    before = autoencoder.decode(autoencoder.encode(target).latent_dist.mode()).sample
    whiten(autoencoder, pictures, CPU)
    posterior = autoencoder.encode(target).latent_dist
    latents = posterior.mode()
    assert torch.allclose(latents.mean(dim=(0, 2, 3)), torch.zeros(4), atol=1e-3)
    assert torch.allclose(latents.std(dim=(0, 2, 3)), torch.ones(4), atol=1e-3)
    assert torch.allclose(autoencoder.decode(latents).sample, before, atol=1e-3)


def test_an_autoencoder_shrinks_eightfold_to_four_channels() -> None:
    latents = build().encode(torch.zeros(1, 3, 64, 96)).latent_dist.mode()
    assert latents.shape == (1, 4, 8, 12)


@pytest.mark.parametrize("shape", [(8, 40), (40, 8), (16, 16)])
def test_an_update_is_made_nearly_orthogonal(shape: tuple[int, int]) -> None:
    torch.manual_seed(2)
    singular = torch.linalg.svdvals(orthogonalised(torch.randn(shape)))
    assert singular.min() > 0.4
    assert singular.max() < 1.4


def test_the_learning_rate_rises_and_falls() -> None:
    shares = [cosine(step, 1_000, 100) for step in range(1_000)]
    assert shares[0] == 0.01
    assert max(shares) == 1.0 == shares[100]
    assert shares[100:] == sorted(shares[100:], reverse=True)
    assert shares[-1] < 0.011


def test_clear_pictures_weigh_less_and_noisy_ones_fully() -> None:
    weights = denoiser.snr_weights(DDPMScheduler(**denoiser.NOISE).alphas_cumprod, 5.0)
    assert weights.shape == (1000,)
    assert weights[0] < 0.01
    assert weights[-1] == 1.0
    assert bool((weights.diff() >= 0).all())


def test_a_state_is_read_back_and_a_missing_one_is_none(tmp_path: Path) -> None:
    assert snapshots.load(tmp_path / "nothing.pt") is None
    snapshots.save(tmp_path / "deep" / "state.pt", {"step": 3, "weights": torch.arange(4)})
    state = snapshots.load(tmp_path / "deep" / "state.pt")
    assert state is not None
    assert state["step"] == 3
    assert torch.equal(state["weights"], torch.arange(4))
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["state.pt"]


def test_a_killed_run_ends_where_an_unbroken_one_does(tmp_path: Path) -> None:
    """Three steps in one go, and the same three with the process forgotten after the second."""
    tokenizer = export.tokenizer_of(tmp_path / "tokenizer")
    stage = denoiser.Stage("tiny", 64, steps=3, batch=2, rate=1e-3, scenes=4)
    plan = denoiser.Plan(stages=(stage,), save_every=2)
    latents = torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    unbroken = denoiser.run_stage(
        stage, plan, latents, tokenizer, Workshop(tmp_path / "a", CPU, 1, compiled=False), start=None
    )
    halted = Workshop(tmp_path / "b", CPU, 1, compiled=False)

    class Killed(Exception):
        pass

    def killed(*_: object) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        steps_before_the_kill = 2
        batch_of = denoiser.batch_of
        patch.setattr(
            denoiser,
            "batch_of",
            lambda *arguments: batch_of(*arguments) if arguments[3] < steps_before_the_kill else killed(),
        )
        with pytest.raises(Killed):
            denoiser.run_stage(stage, plan, latents, tokenizer, halted, start=None)
    resumed = denoiser.run_stage(replace(stage), plan, latents, tokenizer, halted, start=None)
    assert unbroken.keys() == resumed.keys()
    assert all(torch.allclose(unbroken[name], resumed[name], atol=1e-5) for name in unbroken)
