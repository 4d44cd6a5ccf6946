"""What training rests on: white latents, orthogonal updates, loss weights, and going on after a kill."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from training import denoiser, export, snapshots
from training import latents as latents_of
from training.autoencoder import build, to_tensor, whiten
from training.latents import encoded
from training.lessons import Lessons, tokens_of
from training.muon import by_rounds, by_squares, orthogonalised
from training.pace import share_of_rate
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


def test_the_rounds_on_the_small_square_come_to_the_rounds_on_the_matrix() -> None:
    torch.manual_seed(2)
    matrix = torch.randn(24, 200)
    matrix /= matrix.norm()
    torch.testing.assert_close(by_squares(matrix), by_rounds(matrix), rtol=1e-4, atol=1e-5)


def test_the_learning_rate_rises_stays_and_falls() -> None:
    shares = [share_of_rate(step, 1_000, 100) for step in range(1_000)]
    assert shares[0] == 0.01
    assert set(shares[100:750]) == {1.0}
    assert shares[750:] == sorted(shares[750:], reverse=True)
    assert shares[-1] < 0.02


def test_a_longer_stretch_begins_as_a_shorter_one() -> None:
    """So that one may be made longer while it runs."""
    assert all(share_of_rate(step, 1_000, 50) == share_of_rate(step, 4_000, 50) for step in range(750))


def test_batches_of_other_shapes_cost_the_same(tmp_path: Path) -> None:
    stage = denoiser.Stage("tiny", ((64, 64), (96, 48), (128, 128)), steps=3, batch=8, rate=1e-3, scenes=4)
    tokens = tokens_of(export.tokenizer_of(tmp_path), 5, 4, wordings=3)
    assert tokens.shape == (4, 3, 77)
    latents = {shape: torch.randn(4, 4, shape[1] // 8, shape[0] // 8) for shape in stage.shapes}
    lessons = Lessons(latents, tokens, 900)
    batches = [denoiser.batch_of(lessons, 1, stage, step) for step in range(3)]
    assert [clean.shape for clean, _ in batches] == [(8, 4, 8, 8), (7, 4, 6, 12), (2, 4, 16, 16)]
    assert [words.shape for _, words in batches] == [(8, 77), (7, 77), (2, 77)]
    for clean, words in batches:
        known = latents[clean.shape[3] * 8, clean.shape[2] * 8]
        for one, said in zip(clean, words, strict=True):
            scene = next(index for index in range(4) if torch.equal(one, known[index]))
            assert any(torch.equal(said, caption.long()) for caption in tokens[scene])
    again = denoiser.batch_of(lessons, 1, stage, 1)
    assert all(torch.equal(a, b) for a, b in zip(batches[1], again, strict=True))


@torch.no_grad()
def test_latents_that_were_cut_short_are_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed in the third chunk and called again, it encodes no scene twice and ends with the same latents."""
    torch.manual_seed(1)
    autoencoder = build()
    shop = Workshop(tmp_path / "a", CPU, 1, compiled=False)
    monkeypatch.setattr(latents_of, "_CHUNK", 2)
    whole = encoded(autoencoder, shop, 5, (64, 32), 6)
    assert whole.shape == (6, 4, 4, 8)
    again = replace(shop, state=tmp_path / "b")
    chunk = latents_of._chunk
    asked: list[range] = []

    def two_chunks(*arguments: Any, **named: Any) -> Any:
        if len(asked) == 2:
            raise KeyboardInterrupt
        asked.append(named["indices"])
        return chunk(*arguments, **named)

    monkeypatch.setattr(latents_of, "_chunk", two_chunks)
    with pytest.raises(KeyboardInterrupt):
        encoded(autoencoder, again, 5, (64, 32), 6)
    asked.pop(0)
    assert torch.equal(encoded(autoencoder, again, 5, (64, 32), 6), whole)
    assert asked == [range(2, 4), range(4, 6)]


def test_clear_pictures_weigh_less_and_those_of_little_but_noise_more() -> None:
    weights = denoiser.loss_weights(DDPMScheduler(**denoiser.NOISE).alphas_cumprod, 5.0, 12.0)
    assert weights.shape == (1000,)
    assert weights[0] < 0.01
    assert weights[-1] == 12.0
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
    stage = denoiser.Stage("tiny", ((64, 64),), steps=3, batch=2, rate=1e-3, scenes=4)
    plan = denoiser.Plan(stages=(stage,), save_every=2)
    lessons = Lessons(
        {(64, 64): torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(3))},
        tokens_of(tokenizer, 5, 4, wordings=2),
        len(tokenizer),
    )
    unbroken = denoiser.run_stage(stage, plan, lessons, Workshop(tmp_path / "a", CPU, 1, compiled=False), start=None)
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
            denoiser.run_stage(stage, plan, lessons, halted, start=None)
    resumed = denoiser.run_stage(replace(stage), plan, lessons, halted, start=None)
    assert unbroken.keys() == resumed.keys()
    assert all(torch.allclose(unbroken[name], resumed[name], atol=1e-5) for name in unbroken)
