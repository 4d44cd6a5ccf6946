"""What one UNet call carries: who shares it, how many rows it has, and who is gone from it."""

from pathlib import Path
from typing import Any

import pytest
import torch

from stablehand.engine.batch import Batch
from stablehand.engine.checkpoints import Resident
from stablehand.engine.seats import Failed, Finished
from tests.engine.drawing import make_recipe

FOLDER = Path("in-memory")


class Watched:
    """A UNet that writes down its calls; ``before`` may raise or change nothing."""

    def __init__(self, unet: Any) -> None:
        self.unet = unet
        self.config = unet.config
        self.calls: list[dict[str, Any]] = []

    def __call__(self, sample: torch.Tensor, timesteps: torch.Tensor, **more: Any) -> Any:
        self.calls.append({"sample": sample, "timesteps": timesteps, **more})
        return self.unet(sample, timesteps, **more)

    @property
    def rows(self) -> list[int]:
        return [len(call["sample"]) for call in self.calls]


@pytest.fixture
def unet(resident: Resident) -> Watched:
    resident.unet = Watched(resident.unet)
    return resident.unet  # type: ignore[no-any-return]


def test_guidance_one_costs_one_row(batch: Batch, unet: Watched) -> None:
    batch.add("plain", make_recipe(cfg_scale=1.0, negative_prompt="fog"), "tiny", FOLDER)
    batch.tick()
    batch.add("guided", make_recipe(cfg_scale=5.0), "tiny", FOLDER)
    batch.tick()
    assert unet.rows == [1, 3]


def test_one_call_serves_different_steps_samplers_and_scales(batch: Batch, unet: Watched) -> None:
    for index, sampler in enumerate(("Euler", "Euler a", "DPM++ 2M", "DDIM")):
        recipe = make_recipe(sampler=sampler, steps=3 + index, cfg_scale=2.0 + index, seed=index, prompt="x" * index)
        batch.add(sampler, recipe, "tiny", FOLDER)
    batch.tick()
    assert unet.rows == [8]
    timesteps = unet.calls[0]["timesteps"]
    assert timesteps.dtype == torch.float32
    assert timesteps[:4].tolist() == timesteps[4:].tolist()
    for _ in range(2):
        batch.tick()
    assert len(set(unet.calls[2]["timesteps"][:4].tolist())) == 4


def test_a_dropped_picture_has_no_rows_in_the_next_call(batch: Batch, unet: Watched) -> None:
    for picture_id in ("kept", "dropped"):
        batch.add(picture_id, make_recipe(), "tiny", FOLDER)
    batch.tick()
    batch.drop("dropped")
    batch.drop("never seen")
    batch.tick()
    assert unet.rows == [4, 2]
    assert batch.ids() == ["kept"]


def test_a_call_is_asked_once_whether_its_numbers_are_sound(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question waits for the device, so it is not one for each picture."""
    asked: list[int] = []
    ask = torch.isfinite

    def count(values: torch.Tensor) -> torch.Tensor:
        asked.append(len(values))
        return ask(values)

    for index in range(3):
        batch.add(str(index), make_recipe(seed=index), "tiny", FOLDER)
    monkeypatch.setattr(torch, "isfinite", count)
    batch.tick()
    assert asked == [3]


def test_only_alike_pictures_share_a_call(batch: Batch, unet: Watched) -> None:
    batch.add("a", make_recipe(), "tiny", FOLDER)
    batch.add("larger", make_recipe(width=96), "tiny", FOLDER)
    batch.add("longer", make_recipe(prompt="x " * 80), "tiny", FOLDER)
    batch.add("exact", make_recipe(exact=True), "tiny", FOLDER)
    for _ in range(20):
        batch.tick()
    assert set(unet.rows) == {2}
    assert len({(call["sample"].shape, call["encoder_hidden_states"].shape) for call in unet.calls}) == 3


def test_contexts_of_different_length_are_padded_with_finite_masked_rows(batch: Batch, unet: Watched) -> None:
    batch.add("longer", make_recipe(prompt="x " * 80, negative_prompt=""), "tiny", FOLDER)
    batch.tick()
    call = unet.calls[0]
    assert call["encoder_hidden_states"].shape[:2] == (2, 154)
    assert call["encoder_hidden_states"].isfinite().all()
    assert call["encoder_attention_mask"].sum(dim=1).tolist() == [154, 77]
    batch.drop("longer")
    batch.add("short", make_recipe(), "tiny", FOLDER)
    batch.tick()
    assert unet.calls[1]["encoder_attention_mask"] is None  # nothing to mask, so nothing slowed down


def test_previews_and_progress_follow_the_picture(batch: Batch) -> None:
    batch.add("a", make_recipe(steps=4), "tiny", FOLDER)
    assert batch.progress() == {"a": 0.0}
    assert batch.preview("a") is None
    seen = []
    for _ in range(4):
        batch.tick()
        seen.append(batch.progress()["a"])
        preview = batch.preview("a")
        assert preview is not None
        assert preview.shape == (8, 8, 3)
        assert preview.dtype.name == "uint8"
    assert seen == [0.25, 0.5, 0.75, 1.0]
    [finished] = batch.tick()
    assert isinstance(finished, Finished)
    assert finished.device_seconds > 0
    assert batch.progress() == {}


def test_no_group_starves_while_another_is_never_empty(batch: Batch) -> None:
    batch.add("lonely", make_recipe(width=96, steps=3), "tiny", FOLDER)
    done: list[str] = []
    for index in range(60):
        batch.add(f"crowd {index}", make_recipe(steps=3), "tiny", FOLDER)
        ended = batch.tick()
        assert not any(isinstance(one, Failed) for one in ended)
        done += [one.picture_id for one in ended]
        if "lonely" in done:
            return
    raise AssertionError("the picture of another size was never finished")


def test_one_picture_is_in_every_call_beside_many_of_somebody_else(batch: Batch, unet: Watched) -> None:
    for index in range(40):
        batch.add(f"many {index}", make_recipe(steps=3), "tiny", FOLDER, owner="many")
    batch.add("one", make_recipe(steps=3), "tiny", FOLDER, owner="one")
    for _ in range(3):
        batch.tick()
    assert all(rows < 82 for rows in unet.rows)  # not all of them fit, or this shows nothing
    assert batch.progress()["one"] == 1.0
