"""Checkpoints from disk: what loads, what is refused and in which words, and who makes room for whom."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from stablehand.domain.errors import BadSettings, CheckpointBroken, RecipeUnsupported
from stablehand.domain.siblings import PARTS_FROM
from stablehand.engine.batch import Batch
from stablehand.engine.checkpoints import load_checkpoint, weight_bytes
from stablehand.engine.devices import _allowed_cpus, choose
from stablehand.engine.residents import Residents
from stablehand.engine.seats import Failed, Finished
from tests.engine.drawing import PLACEMENT, make_recipe

UNET = "unet/diffusion_pytorch_model.safetensors"
VAE = "vae/diffusion_pytorch_model.safetensors"
TEXT = "text_encoder/model.safetensors"


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "copy"))


def test_a_folder_loads(tiny: Path) -> None:
    resident = load_checkpoint("tiny", tiny, PLACEMENT)
    assert resident.latent_channels == 4
    assert resident.pixels_per_latent == 8
    assert resident.size_bytes >= weight_bytes(tiny, PLACEMENT) > 500_000
    kernel = resident.unet.conv_in.weight
    assert kernel.is_contiguous(memory_format=PLACEMENT.memory_format)
    assert not kernel.is_contiguous(), "laid out once, not at each call"


def test_half_precision_files_load(copy: Path) -> None:
    for name in (UNET, VAE, TEXT):
        half = {key: tensor.half() for key, tensor in load_file(copy / name).items()}
        (copy / name).unlink()
        save_file(half, copy / name.replace(".safetensors", ".fp16.safetensors"), {"format": "pt"})
    assert next(load_checkpoint("tiny", copy, PLACEMENT).unet.parameters()).dtype == torch.float32


def lend(folder: Path, lender: str) -> Path:
    """A sibling of the folder that has its UNet alone and borrows the rest from ``lender``."""
    sibling = folder.parent / "sibling"
    shutil.copytree(folder / "unet", sibling / "unet")
    index = json.loads((folder / "model_index.json").read_text())
    (sibling / "model_index.json").write_text(json.dumps(index | {PARTS_FROM: lender}))
    return sibling


def test_a_folder_borrows_what_it_lacks_from_the_sibling_it_names(copy: Path) -> None:
    own = load_file(copy / UNET)
    sibling = lend(copy, "copy")
    save_file({key: tensor * 2 for key, tensor in own.items()}, sibling / UNET)
    lent, borrowing = (load_checkpoint(folder.name, folder, PLACEMENT) for folder in (copy, sibling))
    assert torch.equal(borrowing.unet.conv_in.weight, lent.unet.conv_in.weight * 2)
    words = [resident.text.encoders[0].network.state_dict() for resident in (lent, borrowing)]
    assert all(torch.equal(words[0][name], words[1][name]) for name in words[0])


@pytest.mark.parametrize("lender", ["gone", "../copy", "/", 7])
def test_a_folder_whose_lender_is_not_beside_it_is_broken(copy: Path, lender: Any) -> None:
    with pytest.raises(CheckpointBroken, match="sibling"):
        load_checkpoint("sibling", lend(copy, lender), PLACEMENT)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1000])


def garble(file: Path) -> None:
    file.write_bytes(b"\xff" * 4096)


def edit(change: Callable[[dict[str, torch.Tensor]], None]) -> Callable[[Path], None]:
    def rewrite(file: Path) -> None:
        tensors = load_file(file)
        change(tensors)
        save_file(tensors, file, {"format": "pt"})

    return rewrite


def spoil_one_value(tensors: dict[str, torch.Tensor]) -> None:
    tensors[max(tensors)].view(-1)[0] = torch.nan


def drop_one(tensors: dict[str, torch.Tensor]) -> None:
    del tensors[min(tensors)]


def reshape_one(tensors: dict[str, torch.Tensor]) -> None:
    name = max(name for name, tensor in tensors.items() if tensor.dim() == 1)
    tensors[name] = torch.zeros(len(tensors[name]) + 1)


@pytest.mark.parametrize("file", [UNET, VAE, TEXT])
@pytest.mark.parametrize(
    "damage",
    [Path.unlink, truncate, garble, edit(spoil_one_value), edit(drop_one), edit(reshape_one)],
    ids=["missing", "truncated", "garbled", "not-a-number", "tensor-lacking", "wrong-shape"],
)
def test_damaged_weights_are_named(copy: Path, file: str, damage: Callable[[Path], None]) -> None:
    damage(copy / file)
    with pytest.raises(CheckpointBroken) as caught:
        load_checkpoint("tiny", copy, PLACEMENT)
    assert str(copy / file) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "file",
    ["model_index.json", "unet/config.json", "text_encoder/config.json", "scheduler/scheduler_config.json"],
)
@pytest.mark.parametrize("content", [None, "{not json", "[]"])
def test_damaged_configs_are_named(copy: Path, file: str, content: str | None) -> None:
    if content is None:
        (copy / file).unlink()
    else:
        (copy / file).write_text(content)
    with pytest.raises(CheckpointBroken) as caught:
        load_checkpoint("tiny", copy, PLACEMENT)
    assert file in caught.value.message


def test_a_missing_folder_or_component_is_named(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointBroken, match="nowhere"):
        load_checkpoint("tiny", tmp_path / "nowhere", PLACEMENT)
    shutil.rmtree(copy / "tokenizer")
    with pytest.raises(CheckpointBroken, match="tokenizer"):
        load_checkpoint("tiny", copy, PLACEMENT)


def test_parts_of_different_checkpoints_are_noticed(copy: Path) -> None:
    config = json.loads((copy / "unet/config.json").read_text())
    (copy / "unet/config.json").write_text(json.dumps({**config, "cross_attention_dim": 24}))
    with pytest.raises(CheckpointBroken, match="width 24"):
        load_checkpoint("tiny", copy, PLACEMENT)


def test_other_families_are_refused_by_name(copy: Path) -> None:
    index = json.loads((copy / "model_index.json").read_text())
    index |= {"_class_name": "StableDiffusion3Pipeline", "text_encoder_2": ["transformers", "CLIPTextModel"]}
    (copy / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(RecipeUnsupported, match="sd3"):
        load_checkpoint("tiny", copy, PLACEMENT)


def test_a_broken_checkpoint_fails_its_pictures_and_no_others(copy: Path, tiny: Path) -> None:
    truncate(copy / UNET)
    batch = Batch(PLACEMENT, Residents(PLACEMENT, 2**30))
    batch.add("a", make_recipe(), "broken", copy)
    batch.add("b", make_recipe(seed=2), "broken", copy)
    batch.add("c", make_recipe(seed=3), "tiny", tiny)
    results: dict[str, Finished | Failed] = {}
    while batch.ids():
        results |= {ended.picture_id: ended for ended in batch.tick()}
    for name in ("a", "b"):
        failed = results[name]
        assert isinstance(failed, Failed)
        assert failed.error.code == "checkpoint_broken"
    assert isinstance(results["c"], Finished)


def test_a_loader_that_fails_in_an_unforeseen_way_names_the_folder(tiny: Path) -> None:
    def load(*_: Any) -> Any:
        raise ImportError("no backend")

    batch = Batch(PLACEMENT, Residents(PLACEMENT, 2**30, load=load))
    batch.add("a", make_recipe(), "tiny", tiny)
    [failed] = batch.tick()
    assert isinstance(failed, Failed)
    assert failed.error.code == "checkpoint_broken"
    assert str(tiny) in failed.error.message
    assert "no backend" in failed.error.message


def test_slots_make_room_by_last_use(tiny: Path, other_tiny: Path) -> None:
    one = load_checkpoint("x", tiny, PLACEMENT).size_bytes
    residents = Residents(PLACEMENT, budget_bytes=int(2.5 * one))
    residents.admit("a", tiny, ())
    residents.admit("b", other_tiny, ())
    assert residents.get("a") is not None
    residents.admit("c", tiny, ())
    assert residents.slots() == ["a", "c"]
    assert residents.admit("d", tiny, {"a", "c"}) is None  # both are being drawn with
    assert residents.admit("d", tiny, {"a"}) is not None
    assert residents.slots() == ["a", "d"]


def test_two_checkpoints_take_turns_when_only_one_fits(tiny: Path, other_tiny: Path) -> None:
    one = load_checkpoint("x", tiny, PLACEMENT).size_bytes
    batch = Batch(PLACEMENT, Residents(PLACEMENT, budget_bytes=int(1.5 * one)))
    batch.add("first", make_recipe(), "a", tiny)
    batch.add("second", make_recipe(), "b", other_tiny)
    batch.add("third", make_recipe(seed=2), "a", tiny)
    order: list[str] = []
    for _ in range(100):
        order += [ended.picture_id for ended in batch.tick() if isinstance(ended, Finished)]
        assert len(batch.residents.slots()) <= 1
        if not batch.ids():
            break
    assert sorted(order) == ["first", "second", "third"]


def test_threads_stay_within_a_containers_share(tmp_path: Path) -> None:
    everything = _allowed_cpus(tmp_path)
    assert everything >= 1
    for quota, expected in (("max 100000", everything), ("150000 100000", min(2, everything)), ("5000 100000", 1)):
        (tmp_path / "cpu.max").write_text(quota)
        assert _allowed_cpus(tmp_path) == expected


@pytest.mark.parametrize(("matrix", "vector", "precision"), [(0, 0, "fp32"), (1, 0, "bf16"), (0, 1, "bf16")])
def test_the_automatic_precision_of_a_cpu(
    matrix: int, vector: int, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: bool(matrix))
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bool(vector))
    assert choose(threads=1).precision == precision


def test_device_choice() -> None:
    assert choose("fp32", threads=1).precision == "fp32"
    with pytest.raises(BadSettings, match="int4"):
        choose("int4")
    if not torch.cuda.is_available():
        with pytest.raises(BadSettings, match="fp16"):
            choose("fp16")
