"""Single files that are wrong, networks that are asked what they predict, and what is used beside a checkpoint."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import stablehand
from stablehand.domain.errors import CheckpointBroken, RecipeUnsupported
from stablehand.engine.batch import Batch
from stablehand.engine.checkpoints import load_checkpoint
from stablehand.engine.embeddings import read_embedding
from stablehand.engine.hosts import HostTier
from stablehand.engine.probes import measure_prediction
from stablehand.engine.residents import Extras, Place, Residents
from stablehand.engine.seats import Failed, Finished
from stablehand.engine.tokenizers import FolderTokenizer, _clip, find_tokenizer
from tests.engine.drawing import PLACEMENT, make_recipe
from tests.engine.families import make_networks, write_file
from tests.engine.published import original_vae, single_file

POSTCARD = Path(stablehand.__file__).parent / "builtin" / "checkpoints" / "postcard"


@pytest.fixture(scope="module")
def networks() -> dict[str, Any]:
    return make_networks("sd1")


@pytest.fixture(scope="module")
def whole(networks: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_file(tmp_path_factory.mktemp("single") / "whole.safetensors", single_file(networks, "sd1"))


@pytest.fixture
def file(whole: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    copy = tmp_path / "spoilt.safetensors"
    copy.write_bytes(whole.read_bytes())
    return copy


CONV_OUT = "model.diffusion_model.out.2.weight"


def edit(change: Callable[[dict[str, Tensor]], object]) -> Callable[[Path], None]:
    def rewrite(file: Path) -> None:
        tensors = load_file(file)
        change(tensors)
        save_file(tensors, file)

    return rewrite


def set_nan(tensors: dict[str, Tensor]) -> None:
    tensors[CONV_OUT].view(-1)[3] = torch.nan


def reshape(tensors: dict[str, Tensor]) -> None:
    tensors["model.diffusion_model.input_blocks.1.0.in_layers.2.bias"] = torch.zeros(7)


def header(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def rewrite(file: Path) -> None:
        data = file.read_bytes()
        length = int.from_bytes(data[:8], "little")
        entries = json.loads(data[8 : 8 + length])
        change(entries)
        text = json.dumps(entries).encode()
        file.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])

    return rewrite


def overlap(entries: dict[str, Any]) -> None:
    first, second = [name for name in entries if name != "__metadata__"][:2]
    entries[second]["data_offsets"] = entries[first]["data_offsets"]
    entries[second]["shape"] = entries[first]["shape"]


DAMAGES: dict[str, Callable[[Path], object]] = {
    "truncated": lambda file: file.write_bytes(file.read_bytes()[:-100]),
    "empty": lambda file: file.write_bytes(b""),
    "huge header": lambda file: file.write_bytes((2**40).to_bytes(8, "little") + file.read_bytes()[8:]),
    "deep header": lambda file: file.write_bytes((10**5).to_bytes(8, "little") + b"[" * 10**5),
    "overlapping": header(overlap),
    "negative shape": header(lambda entries: entries[CONV_OUT].update(shape=[-1, 2])),
    "unknown type": header(lambda entries: entries[CONV_OUT].update(dtype="F12")),
    "not a number": edit(set_nan),
    "wrong shape": edit(reshape),
    "tensor lacking": edit(lambda tensors: tensors.pop(CONV_OUT)),
    "no autoencoder": edit(lambda tensors: [tensors.pop(key) for key in list(tensors) if "first_stage" in key]),
    "half a text encoder": edit(lambda tensors: [tensors.pop(key) for key in list(tensors) if "token_emb" in key]),
    "no checkpoint": edit(lambda tensors: [tensors.pop(key) for key in list(tensors) if "attn2" in key]),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_spoilt_file_is_named_and_fails_its_own_pictures_only(
    damage: Callable[[Path], object], file: Path, whole: Path
) -> None:
    damage(file)
    batch = Batch(PLACEMENT, Residents(PLACEMENT, 2**30))
    batch.add("bad", make_recipe(), "bad", file)
    batch.add("good", make_recipe(steps=1), "good", whole)
    ended: dict[str, Finished | Failed] = {}
    while batch.ids():
        ended |= {one.picture_id: one for one in batch.tick()}
    bad = ended["bad"]
    assert isinstance(bad, Failed)
    assert bad.error.code == "checkpoint_broken"
    assert file.name in bad.error.message
    assert isinstance(ended["good"], Finished)


def test_a_network_says_what_it_predicts() -> None:
    """The trained Postcard predicts noise; velocity made of its noise and a picture is known as such."""
    resident = load_checkpoint("postcard", POSTCARD, PLACEMENT)
    assert measure_prediction(resident.unet, PLACEMENT) == "epsilon"
    alpha = float(resident.levels.alphas[999]) ** 0.5
    sigma = (1 - alpha**2) ** 0.5

    class Velocity:
        """v = alpha * noise - sigma * picture."""

        config = resident.unet.config

        def __call__(self, sample: Tensor, timestep: Tensor, **rest: Any) -> tuple[Tensor]:
            noise = resident.unet(sample, timestep, **rest)[0]
            picture = torch.linspace(-1, 1, sample.shape[-1]).expand_as(sample)  # all that it imagines is a gradient
            return (alpha * noise - sigma * picture,)

    assert measure_prediction(Velocity(), PLACEMENT) == "v_prediction"


def test_sd2_files_are_asked_unless_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = single_file(make_networks("sd2"), "sd2")
    asked: list[str] = []

    def measure(*_: Any) -> str:
        asked.append("")
        return "v_prediction"

    monkeypatch.setattr("stablehand.engine.checkpoints.measure_prediction", measure)
    silent = write_file(tmp_path / "silent.safetensors", state)
    assert load_checkpoint("a", silent, PLACEMENT).levels.prediction == "v_prediction"
    assert len(asked) == 1
    (tmp_path / "silent.yaml").write_text("prediction: epsilon\n")
    assert load_checkpoint("a", silent, PLACEMENT).levels.prediction == "epsilon"
    marked = write_file(tmp_path / "marked.safetensors", {**state, "v_pred": torch.zeros(0)})
    assert load_checkpoint("a", marked, PLACEMENT).levels.prediction == "v_prediction"
    assert len(asked) == 1


def test_an_autoencoder_in_place_of_the_checkpoints_own_is_shared(whole: Path, tmp_path: Path) -> None:
    other = make_networks("sd1", seed=5)["vae"]
    state = original_vae(other)
    bare = write_file(tmp_path / "bare.safetensors", state)
    prefixed = write_file(tmp_path / "prefixed.safetensors", {f"first_stage_model.{k}": v for k, v in state.items()})
    ours = write_file(tmp_path / "ours.safetensors", other.state_dict())
    other.save_pretrained(tmp_path / "folder")
    pictures = []
    residents = Residents(PLACEMENT, 2**30)
    for path in (None, bare, prefixed, ours, tmp_path / "folder"):
        extras = Extras() if path is None else Extras(Place(path.stem, path))
        batch = Batch(PLACEMENT, residents)
        batch.add("a", make_recipe(steps=2), "one", whole, extras=extras)
        batch.add("b", make_recipe(steps=2, seed=9), "two", whole, extras=extras)
        ended: dict[str, Any] = {}
        while batch.ids():
            ended |= {one.picture_id: one for one in batch.tick()}
        pictures.append(ended["a"].pixels)
    assert not np.array_equal(pictures[0], pictures[1])
    assert np.array_equal(pictures[1], pictures[2])
    assert np.array_equal(pictures[1], pictures[3])
    assert np.array_equal(pictures[1], pictures[4])
    one, two = residents.get("one"), residents.get("two")
    assert one is not None
    assert two is not None
    extras = Extras(Place("bare", bare))
    assert residents.autoencoder(extras, one) is residents.autoencoder(extras, two)
    assert residents.slots() == ["one", "two"]


def test_an_autoencoder_that_does_not_fit_fails_its_picture_only(whole: Path, tmp_path: Path) -> None:
    broken = write_file(tmp_path / "broken.safetensors", {"decoder.conv_in.weight": torch.zeros(4, 4, 3, 3)})
    batch = Batch(PLACEMENT, Residents(PLACEMENT, 2**30))
    batch.add("bad", make_recipe(), "one", whole, extras=Extras(Place("x", broken)))
    batch.add("good", make_recipe(steps=1), "one", whole)
    ended: dict[str, Finished | Failed] = {}
    while batch.ids():
        ended |= {one.picture_id: one for one in batch.tick()}
    bad = ended["bad"]
    assert isinstance(bad, Failed)
    assert "broken.safetensors" in bad.error.message
    assert isinstance(ended["good"], Finished)


def test_embeddings_are_read_by_encoder(tmp_path: Path) -> None:
    one = torch.randn(2, 768)
    plain = read_embedding(write_file(tmp_path / "a.safetensors", {"emb_params": one}))
    assert torch.equal(plain.vectors["clip_l"], one)
    half = write_file(tmp_path / "b.safetensors", {"my-word": torch.randn(1024).half()})
    assert read_embedding(half).vectors["clip_h"].shape == (1, 1024)
    both = {"clip_l": torch.randn(3, 768), "clip_g": torch.randn(3, 1280)}
    read = read_embedding(write_file(tmp_path / "c.safetensors", both))
    assert (set(read.vectors), read.words) == ({"clip_l", "clip_g"}, 3)
    for name, state in {
        "nan": {"emb_params": one * torch.nan},
        "uneven": {"clip_l": torch.randn(3, 768), "clip_g": torch.randn(2, 1280)},
        "other": {"a": one, "b": one},
        "narrow": {"emb_params": torch.randn(2, 5)},
    }.items():
        with pytest.raises(CheckpointBroken, match=name):
            read_embedding(write_file(tmp_path / f"{name}.safetensors", state))
    residents = Residents(PLACEMENT, 2**30)
    extras = Extras(embeddings={"a": Place("id", tmp_path / "a.safetensors")})
    assert residents.embeddings(extras)["a"] is residents.embeddings(extras)["a"]


def test_what_leaves_the_device_waits_in_the_host_and_comes_back_the_same(whole: Path, tmp_path: Path) -> None:
    loads: list[str] = []

    def load(slot: str, path: Path, placement: Any) -> Any:
        loads.append(slot)
        return load_checkpoint(slot, path, placement)

    size = load_checkpoint("x", whole, PLACEMENT).size_bytes
    residents = Residents(PLACEMENT, int(1.5 * size), load, host=HostTier(int(2.5 * size), pin=False))

    def draw(slot: str) -> Any:
        batch = Batch(PLACEMENT, residents)
        batch.add("a", make_recipe(steps=2), slot, whole)
        while True:
            for ended in batch.tick():
                assert isinstance(ended, Finished), ended
                return ended.pixels

    first = draw("a")
    draw("b")
    assert residents.slots() == ["b"]
    assert np.array_equal(draw("a"), first)
    assert loads == ["a", "b"]
    draw("c")
    draw("d")  # by now "b" is the one that waited longest, and there is room for two
    draw("b")
    assert loads == ["a", "b", "c", "d", "b"]
    taken = residents.take_loads()
    assert [(load.slot, load.from_host) for load in taken] == [
        ("a", False), ("b", False), ("a", True), ("c", False), ("d", False), ("b", False),
    ]  # fmt: skip
    assert all(load.seconds > 0 and load.size_bytes == size for load in taken)
    assert residents.take_loads() == []


def test_a_file_that_changed_is_read_again(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "changing.safetensors"
    path.write_bytes(whole.read_bytes())
    size = load_checkpoint("x", whole, PLACEMENT).size_bytes
    residents = Residents(PLACEMENT, int(1.5 * size), host=HostTier(10 * size, pin=False))
    residents.admit("a", path, ())
    residents.admit("b", whole, ())
    write_file(path, single_file(make_networks("sd1", seed=3), "sd1"))
    residents.admit("a", path, ())
    assert [load.from_host for load in residents.take_loads()] == [False, False, False]


def test_tokenizers_are_found_in_order_or_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = POSTCARD / "tokenizer"
    assert isinstance(find_tokenizer(beside=own), FolderTokenizer)
    shared = tmp_path / "tokenizers"
    (shared / "clip").mkdir(parents=True)
    wheel = find_tokenizer(shared=shared)
    assert (wheel.start, wheel.end, wheel.pad) == (49406, 49407, 49407)
    assert find_tokenizer(open_clip=True).pad == 0
    assert wheel.ids("a photo of a cat") == [320, 1125, 539, 320, 2368]
    for file in own.iterdir():
        (shared / "clip" / file.name).write_bytes(file.read_bytes())
    mine = find_tokenizer(shared=shared, open_clip=True)
    assert mine.pad == 0
    assert mine.ids("a red house") == FolderTokenizer(own).ids("a red house")
    monkeypatch.setitem(sys.modules, "instant_clip_tokenizer", None)
    _clip.cache_clear()
    with pytest.raises(CheckpointBroken, match="tokenizer") as caught:
        find_tokenizer(shared=tmp_path / "nowhere")
    assert "vocab.json" in caught.value.hint


def test_a_family_that_no_engine_runs_is_refused_in_words(tmp_path: Path) -> None:
    path = write_file(tmp_path / "x.safetensors", {"model.diffusion_model.joint_blocks.0.x": torch.zeros(1)})
    with pytest.raises(RecipeUnsupported, match="sd3"):
        load_checkpoint("x", path, PLACEMENT)


def test_lcm_networks_are_told_the_guidance_scale() -> None:
    """Luo et al.'s embedding, as diffusers' pipeline for LCM computes it."""
    from diffusers import LatentConsistencyModelPipeline

    from stablehand.engine.rows import _guidance

    resident: Any = SimpleNamespace(
        unet=SimpleNamespace(config=SimpleNamespace(time_cond_proj_dim=256)), placement=PLACEMENT
    )
    pictures: Any = [SimpleNamespace(recipe=make_recipe(cfg_scale=scale)) for scale in (1.0, 3.5, 8.0)]
    pipeline: Any = LatentConsistencyModelPipeline
    theirs = pipeline.get_guidance_scale_embedding(None, torch.tensor([0.0, 2.5, 7.0]), embedding_dim=256)
    rows: Any = [SimpleNamespace(picture=index) for index in range(3)]
    assert torch.allclose(_guidance(resident, pictures, rows), theirs, atol=1e-3)
