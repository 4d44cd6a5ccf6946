"""Distillation: the consistency function, the teacher's step, and the folder that shares its sibling's parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, LCMScheduler
from torch import Tensor, nn

from stablehand.engine.checkpoints import load_checkpoint
from stablehand.engine.devices import Placement
from training import distil, export
from training.autoencoder import build
from training.denoiser import NOISE, Denoiser, Stage
from training.distil import LEVELS, Levels, Plan, pseudo_huber, teacher_step
from training.lessons import Lessons, tokens_of
from training.printing import QUICK, generate, load
from training.workshop import Workshop

CPU = torch.device("cpu")


class Fixed(nn.Module):
    """Answers with its context, whatever the picture; callable as a UNet is."""

    def forward(self, noisy: Tensor, timesteps: Tensor, context: Tensor) -> object:
        class Answer:
            sample = context

        return Answer


def test_the_student_is_asked_at_the_timesteps_samplers_use() -> None:
    scheduler = LCMScheduler(**NOISE, original_inference_steps=LEVELS)
    scheduler.set_timesteps(LEVELS)
    assert sorted(scheduler.timesteps.tolist()) == Levels(CPU).timesteps.tolist()


def test_the_consistency_function_is_the_samplers() -> None:
    """diffusers' own scheduler, given the same noise prediction, comes to the same clean picture."""
    levels, scheduler = Levels(CPU), LCMScheduler(**NOISE, original_inference_steps=LEVELS, clip_sample=False)
    scheduler.set_timesteps(4)
    noisy, predicted = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    for timestep in scheduler.timesteps:
        wanted = scheduler.step(predicted, timestep, noisy, return_dict=True).denoised
        ours = levels.answer(Fixed(), noisy, timestep[None], predicted)
        assert torch.allclose(ours, wanted, atol=1e-4)


def test_the_teachers_step_is_ddim_with_guidance() -> None:
    levels = Levels(CPU)
    noisy, asked, empty = torch.randn(3, 2, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    start, end = levels.timesteps[[15, 20]], levels.timesteps[[14, 19]]
    ours = teacher_step(levels, Fixed(), noisy, start=start, end=end, contexts=torch.cat([asked, empty]), guidance=4.0)
    scheduler = DDIMScheduler(**NOISE, clip_sample=False, set_alpha_to_one=False)
    scheduler.set_timesteps(LEVELS)
    guided = empty + 4.0 * (asked - empty)
    for index in range(2):
        wanted = scheduler.step(guided[index], int(start[index]), noisy[index]).prev_sample
        assert torch.allclose(ours[index], wanted, atol=1e-4)


def test_the_loss_is_square_near_nothing_and_straight_far_off() -> None:
    zero = torch.zeros(1)
    near = [float(pseudo_huber(torch.tensor([1e-3 * k]), zero, 0.1)) for k in (1, 2)]
    far = [float(pseudo_huber(torch.tensor([100.0 * k]), zero, 0.1)) for k in (1, 2)]
    assert np.isclose(near[1] / near[0], 4, rtol=0.01)
    assert np.isclose(far[1] / far[0], 2, rtol=0.01)


def test_a_student_goes_on_after_a_kill_and_its_folder_is_drawn_from(tmp_path: Path) -> None:
    tokenizer = export.tokenizer_of(tmp_path / "tokenizer")
    torch.manual_seed(3)
    teacher = Denoiser(len(tokenizer)).state_dict()
    lessons = Lessons({(64, 64): torch.randn(4, 4, 8, 8)}, tokens_of(tokenizer, 5, 4), len(tokenizer))
    stage = Stage("tiny", ((64, 64),), steps=1, batch=2, rate=1e-3, scenes=4)
    unbroken, halted = (Workshop(tmp_path / name, CPU, 1, compiled=False) for name in ("a", "b"))
    lesson: dict[str, Any] = {"stage": stage, "lessons": lessons, "tokenizer": tokenizer}
    whole = distil.distil(teacher, Plan(steps=3, save_every=1), workshop=unbroken, **lesson)
    # Level ground begins after the warm-up, so a shorter plan takes the same first steps.
    distil.distil(teacher, Plan(steps=2, save_every=1), workshop=halted, **lesson)
    student = distil.distil(teacher, Plan(steps=3, save_every=1), workshop=halted, **lesson)
    assert all(torch.allclose(whole[name], student[name], atol=1e-5) for name in whole)
    assert any(not torch.equal(student[name], teacher[f"unet.{name}"]) for name in student)

    export.export(build(), teacher, tmp_path / "postcard")
    export.export_quick(student, tmp_path / "quick", tmp_path / "postcard")
    assert {file.parent.name for file in (tmp_path / "quick").rglob("*.safetensors")} == {"unet"}
    assert json.loads((tmp_path / "quick/scheduler/scheduler_config.json").read_text())["_class_name"] == "LCMScheduler"
    pictures = generate(load(tmp_path / "quick", CPU), ["a red house"], QUICK)
    assert [picture.size for picture in pictures] == [(256, 256)]
    resident = load_checkpoint("quick", tmp_path / "quick", Placement(CPU, "test", "fp32", 2**33))
    key = next(iter(student))
    assert torch.allclose(resident.unet.state_dict()[key], student[key], atol=1e-3)
