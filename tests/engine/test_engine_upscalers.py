"""Networks that enlarge pictures: files of every layout, pieces without seams, calls that pictures share."""

import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from stablehand.domain.errors import CheckpointBroken, RecipeUnsupported
from stablehand.domain.notes import Note
from stablehand.domain.recipes import Hires
from stablehand.domain.upscalers import recognise_upscaler
from stablehand.engine import enlargements
from stablehand.engine.batch import Batch
from stablehand.engine.caps import Caps
from stablehand.engine.devices import Placement
from stablehand.engine.enlargements import enlarge, rounds_of, side_of
from stablehand.engine.residents import Extras, Place, Residents
from stablehand.engine.seats import Ended, Failed, Finished
from stablehand.engine.tiles import OVERLAP, SIDE_LEAST, Mosaic, places
from stablehand.engine.upscalers import Upscaler
from tests.engine.drawing import PLACEMENT, make_recipe
from tests.engine.kinds import FOLDER, run
from tests.engine.upscalers import compact, load, noise, rrdb, write


def whole(network: Any, pixels: np.ndarray[Any, Any]) -> Tensor:
    with torch.inference_mode():
        given = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
        drawn: Tensor = network(given)
    return drawn[0].permute(1, 2, 0).clamp(0, 1) * 255


@pytest.fixture
def twice(tmp_path: Path) -> Place:
    """A network that doubles, on disk."""
    return Place("twice", write(tmp_path, compact()))


@pytest.fixture
def plain() -> Batch:
    """A batch for those who only want to be larger."""
    return Batch(PLACEMENT, Residents(PLACEMENT, 2**30))


def ask(batch: Batch, name: str, place: Place, pixels: Any, size: tuple[int, int], *, owner: str = "") -> None:
    recipe = make_recipe(kind="upscale", height=size[0], width=size[1], upscaler="net")
    batch.enlarge(name, recipe, Extras(upscaler=place), pixels, owner=owner)


def watched(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pieces each call from now on has."""
    calls: list[int] = []

    def counted(upscaler: Upscaler, pieces: Any) -> Any:
        calls.append(len(pieces))
        return enlarge(upscaler, pieces)

    monkeypatch.setattr(enlargements, "enlarge", counted)
    return calls


# Files


@pytest.mark.parametrize("names", ["today", "prefixed", "2019", "2018"])
@pytest.mark.parametrize(("doublings", "fold", "scale"), [(2, 1, 4), (1, 1, 2), (2, 2, 2), (2, 4, 1), (0, 1, 1)])
def test_esrgan_files_of_all_times_are_read(tmp_path: Path, names: str, doublings: int, fold: int, scale: int) -> None:
    network = rrdb(doublings, fold)
    upscaler = load(write(tmp_path, network, names))
    assert (upscaler.scale, upscaler.multiple) == (scale, fold)
    pixels = noise(8, 12)
    [drawn], overflowed = enlarge(upscaler, [pixels])
    assert drawn is not None
    assert overflowed == [False]
    assert drawn.shape == (8 * scale, 12 * scale, 3)
    assert np.array_equal(drawn, whole(network, pixels).round().numpy().astype(np.uint8))


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_compact_files_are_read(tmp_path: Path, scale: int) -> None:
    network = compact(scale)
    upscaler = load(write(tmp_path, network))
    assert (upscaler.scale, upscaler.multiple) == (scale, 1)
    pixels = noise(5, 7)
    [drawn], _ = enlarge(upscaler, [pixels])
    assert drawn is not None
    assert np.array_equal(drawn, whole(network, pixels).round().numpy().astype(np.uint8))


def test_what_is_built_otherwise_is_not_taken_for_one_of_these() -> None:
    shapes = {key: tuple(value.shape) for key, value in rrdb().state_dict().items()}
    assert recognise_upscaler(shapes) is not None
    assert recognise_upscaler({}) is None
    assert recognise_upscaler({**shapes, "body.0.rdb1.conv1x1.weight": (4, 6, 1, 1)}) is None
    assert recognise_upscaler({key: shape for key, shape in shapes.items() if key != "conv_hr.bias"}) is None
    assert recognise_upscaler({**shapes, "conv_last.weight": (1, 6, 3, 3)}) is None
    assert recognise_upscaler({**shapes, "conv_first.weight": (6, 9, 3, 3)}) is None
    small = {key: tuple(value.shape) for key, value in compact().state_dict().items()}
    assert recognise_upscaler({**small, "body.6.weight": (11, 8, 3, 3)}) is None
    assert recognise_upscaler({key: shape for key, shape in small.items() if key != "body.1.weight"}) is None


def test_a_file_with_values_that_are_not_numbers_is_broken(tmp_path: Path) -> None:
    network = compact()
    network.state_dict()["body.0.weight"][0] = torch.nan
    with pytest.raises(CheckpointBroken, match="not numbers"):
        load(write(tmp_path, network))


def test_other_architectures_need_spandrel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "swin.safetensors"
    save_file({"layers.0.weight": torch.ones(3, 3)}, path)
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(RecipeUnsupported, match=r"swin\.safetensors") as refused:
        load(path)
    assert "stablehand[spandrel]" in refused.value.hint


def test_spandrel_is_asked_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own words, in the form that version 0.4 has them."""
    network = compact()

    class Model:
        input_channels = output_channels = 3
        purpose, scale, supports_half = "SR", 2, False
        size_requirements = SimpleNamespace(multiple_of=4)
        model = network

        def __call__(self, given: Tensor) -> Tensor:
            drawn: Tensor = network(given)
            return drawn

        def to(self, _device: torch.device, _dtype: torch.dtype) -> None:
            return

        def eval(self) -> None:
            return

    class ModelLoader:
        def __init__(self, device: str) -> None:
            assert device == "cpu"

        def load_from_state_dict(self, state: dict[str, Tensor]) -> Model:
            if set(state) != {"layers.0.weight"}:
                raise ValueError("unknown")
            return Model()

    module = ModuleType("spandrel")
    module.ModelLoader = ModelLoader  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "spandrel", module)
    save_file({"layers.0.weight": torch.ones(3, 3)}, tmp_path / "known.safetensors")
    upscaler = load(tmp_path / "known.safetensors")
    assert (upscaler.scale, upscaler.multiple) == (2, 4)
    pixels = noise(8, 8)
    [drawn], _ = enlarge(upscaler, [pixels])
    assert drawn is not None
    assert np.array_equal(drawn, whole(network, pixels).round().numpy().astype(np.uint8))
    save_file({"other": torch.ones(3, 3)}, tmp_path / "unknown.safetensors")
    with pytest.raises(CheckpointBroken, match="nothing that spandrel knows"):
        load(tmp_path / "unknown.safetensors")


# Pieces


@given(st.integers(1, 3000), st.integers(SIDE_LEAST, 512), st.sampled_from([1, 2, 4, 8]))
def test_pieces_cover_everything_and_overlap_enough(length: int, side: int, multiple: int) -> None:
    length, side = -(-length // multiple) * multiple, -(-side // multiple) * multiple
    found = places(length, side, multiple)
    side = min(side, length)
    assert found[0] == 0
    assert found[-1] == length - side
    assert all(place % multiple == 0 for place in found)
    assert all(first + side - second >= OVERLAP for first, second in pairwise(found))


@pytest.mark.parametrize(("height", "width"), [(96, 96), (97, 250), (231, 161), (20, 300)])
@pytest.mark.parametrize("kind", ["rrdb", "folded", "compact"])
def test_in_pieces_a_picture_is_what_it_is_as_a_whole(tmp_path: Path, kind: str, height: int, width: int) -> None:
    network = compact() if kind == "compact" else rrdb(2, 2) if kind == "folded" else rrdb()
    upscaler = load(write(tmp_path, network))
    pixels = noise(height, width)
    mosaic = Mosaic(pixels, upscaler.scale, SIDE_LEAST, upscaler.multiple)
    while not mosaic.is_whole:
        for piece in mosaic.pieces(2):
            assert piece.shape[:2] == mosaic.shape
            [drawn], _ = enlarge(upscaler, [piece])
            assert drawn is not None
            mosaic.put(drawn)
    even = [(0, -side % upscaler.multiple) for side in (height, width)]
    expected = whole(network, np.pad(pixels, (*even, (0, 0)), "edge"))[: height * 2, : width * 2]
    assert mosaic.picture().shape == (height * 2, width * 2, 3)
    assert np.abs(mosaic.picture() - expected.numpy()).max() <= 1.5
    assert mosaic.count == 1 if max(height, width) <= SIDE_LEAST else mosaic.count > 1


def test_pieces_are_as_large_as_a_device_does_in_good_time(tmp_path: Path) -> None:
    small = load(write(tmp_path, rrdb(2, 4)))
    assert side_of(small) == 512
    heavy = replace(small, parameters=16_700_000, width=64, scale=4, multiple=1)
    assert side_of(heavy) == SIDE_LEAST
    assert side_of(replace(heavy, placement=Placement(torch.device("cuda"), "test", "fp16", 8 * 2**30))) == 256


def test_a_network_is_used_again_until_the_target_is_covered() -> None:
    assert rounds_of((64, 64), (96, 96), 2) == 1
    assert rounds_of((64, 64), (128, 128), 2) == 1
    assert rounds_of((64, 64), (129, 128), 2) == 2
    assert rounds_of((64, 64), (512, 512), 2) == 3
    assert rounds_of((64, 64), (4096, 64), 2) == 3
    assert rounds_of((64, 64), (512, 512), 1) == 1


# In the batch


@pytest.mark.parametrize("size", [(80, 60), (60, 45), (120, 90), (40, 50)])
def test_any_size_is_reached(plain: Batch, twice: Place, size: tuple[int, int]) -> None:
    ask(plain, "x", twice, noise(40, 30), size)
    progress = []
    ended: list[Ended] = []
    while plain.ids():
        progress.append(plain.progress()["x"])
        ended += plain.tick()
    [finished] = ended
    assert isinstance(finished, Finished)
    assert finished.pixels.shape == (*size, 3)
    assert finished.circumstances.dtypes == {"upscaler": "float32"}
    assert finished.device_seconds > 0
    assert progress[0] == 0.0
    assert progress == sorted(progress)
    if size == (80, 60):
        expected = whole(load(twice.path).network, noise(40, 30)).round().numpy()
        assert np.array_equal(finished.pixels, expected.astype(np.uint8))


def test_pictures_of_one_shape_share_calls_and_look_as_they_do_alone(
    plain: Batch, twice: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone: dict[str, Ended] = {}
    for seed in range(3):
        ask(plain, str(seed), twice, noise(40, 120, seed), (80, 240))
        alone |= run(plain)
    plain._enlargements._caps = Caps(1e9, 8)
    calls = watched(plain, monkeypatch)
    for seed in range(3):
        ask(plain, str(seed), twice, noise(40, 120, seed), (80, 240), owner=str(seed))
    ask(plain, "other", twice, noise(32, 32), (64, 64))
    together = run(plain)
    assert sorted(calls) == [1, 3]
    for name, one in alone.items():
        other = together[name]
        assert isinstance(one, Finished)
        assert isinstance(other, Finished)
        assert np.abs(one.pixels.astype(int) - other.pixels.astype(int)).max() <= 1


def test_owners_take_turns_and_who_is_dropped_is_gone(
    plain: Batch, twice: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enlargements, "side_of", lambda _upscaler: SIDE_LEAST)
    calls = watched(plain, monkeypatch)
    for name in ("a1", "a2", "b"):
        ask(plain, name, twice, noise(96, 400), (192, 800), owner=name[0])
    seen: list[dict[str, float]] = []
    while len(seen) < 9:
        assert plain.tick() == []
        seen.append(plain.progress())
    assert seen[-1]["b"] >= max(seen[-1]["a1"], seen[-1]["a2"]) > 0
    assert 0 < seen[-1]["b"] < 1
    before = len(calls)
    for name in ("a1", "a2", "b"):
        plain.drop(name)
    assert plain.ids() == []
    assert plain.tick() == []
    assert len(calls) == before


def test_a_second_pass_begins_from_what_a_network_enlarged(batch: Batch, tmp_path: Path) -> None:
    place = Place("folded", write(tmp_path, rrdb(2, 2)))
    hires = Hires(width=96, height=96, steps=2, denoising_strength=0.4, upscaler="net")
    recipe = make_recipe(steps=2, hires=hires)
    batch.add("x", recipe, "tiny", FOLDER, extras=Extras(upscaler=place))
    drawn = run(batch)["x"]
    assert isinstance(drawn, Finished)
    assert drawn.pixels.shape == (96, 96, 3)
    assert drawn.circumstances.dtypes["upscaler"] == "float32"
    batch.add("y", replace(recipe, hires=replace(hires, upscaler="Lanczos")), "tiny", FOLDER)
    other = run(batch)["y"]
    assert isinstance(other, Finished)
    assert "upscaler" not in other.circumstances.dtypes
    assert not np.array_equal(drawn.pixels, other.pixels)


def test_a_picture_that_is_being_enlarged_can_be_parked(
    batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enlargements, "side_of", lambda _upscaler: SIDE_LEAST)
    place = Place("net", write(tmp_path, compact()))
    hires = Hires(width=256, height=64, steps=2, denoising_strength=0.4, upscaler="net")
    recipe = make_recipe(width=128, height=32, steps=2, hires=hires)
    extras = Extras(upscaler=place)
    batch.add("x", recipe, "tiny", FOLDER, extras=extras)
    expected = run(batch)["x"]
    assert isinstance(expected, Finished)
    batch.add("x", recipe, "tiny", FOLDER, extras=extras)
    while not batch._enlargements.pictures():
        batch.tick()
    assert batch.preview("x") is not None
    state = batch.park("x")
    assert batch.ids() == []
    batch.add("x", recipe, "tiny", FOLDER, state, extras=extras)
    again = run(batch)["x"]
    assert isinstance(again, Finished)
    assert np.array_equal(expected.pixels, again.pixels)


def test_without_its_network_a_picture_fails_with_a_reason(batch: Batch, plain: Batch, tmp_path: Path) -> None:
    hires = Hires(width=96, height=96, steps=1, upscaler="gone")
    batch.add("x", make_recipe(steps=1, hires=hires), "tiny", FOLDER)
    lost = run(batch)["x"]
    assert isinstance(lost, Failed)
    assert "gone" in lost.error.message
    with pytest.raises(RecipeUnsupported, match="net"):
        plain.enlarge("y", make_recipe(kind="upscale", upscaler="net"), Extras(), noise(8, 8))
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nothing")
    ask(plain, "z", Place("broken", broken), noise(8, 8), (16, 16))
    assert isinstance(run(plain)["z"], Failed)
    batch.add("w", make_recipe(steps=1, hires=hires), "tiny", FOLDER, extras=Extras(upscaler=Place("b", broken)))
    assert [one.picture_id for one in batch.tick() if isinstance(one, Failed)] == ["w"]  # before its first step


def test_short_memory_makes_pieces_smaller_and_then_says_so(
    plain: Batch, twice: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limited(most: int) -> Callable[..., Any]:
        def call(upscaler: Upscaler, pieces: Any) -> Any:
            if sum(piece.size for piece in pieces) > most:
                raise torch.OutOfMemoryError("no")
            return enlarge(upscaler, pieces)

        return call

    monkeypatch.setattr(enlargements, "enlarge", limited(150 * 150 * 3))
    plain.residents._held["idle"] = load(twice.path)
    ask(plain, "x", twice, noise(300, 300), (600, 600))
    fine = run(plain)["x"]
    assert isinstance(fine, Finished)
    assert Note.MADE_ROOM in fine.notes
    expected = whole(load(twice.path).network, noise(300, 300)).numpy()
    assert np.abs(fine.pixels - expected).max() <= 1.5
    monkeypatch.setattr(enlargements, "enlarge", limited(10))
    ask(plain, "y", twice, noise(300, 300), (600, 600))
    lost = run(plain)["y"]
    assert isinstance(lost, Failed)
    assert lost.error.code == "out_of_memory"


def test_what_overflows_half_precision_is_drawn_in_float32(tmp_path: Path) -> None:
    network = compact()
    values = network.state_dict()
    for name, factor in (("body.0", 1e4), ("body.2", 1e4), ("body.6", 1e-10)):
        values[f"{name}.weight"] *= factor
    upscaler = load(write(tmp_path, network))
    pixels = noise(8, 8)
    [expected], _ = enlarge(upscaler, [pixels])
    half = replace(upscaler, dtype=torch.float16)
    half.module.half()
    [drawn], overflowed = enlarge(half, [pixels])
    assert overflowed == [True]
    assert expected is not None
    assert drawn is not None
    assert np.abs(drawn.astype(int) - expected.astype(int)).mean() < 3  # its weights were rounded to half precision
    assert next(half.module.parameters()).dtype == torch.float16


def test_networks_are_kept_and_make_room(tmp_path: Path) -> None:
    one, two = (Place(name, write(tmp_path, compact(seed=seed), name=name)) for seed, name in enumerate("ab"))
    residents = Residents(PLACEMENT, load(one.path).size_bytes + 1)
    first = residents.upscaler(one, ())
    assert residents.upscaler(one, ()) is first
    assert residents.slots() == []  # checkpoints alone are told to the server
    residents.upscaler(two, ())
    assert residents.upscaler(one, ()) is not first
    assert len(residents._held) == 1
