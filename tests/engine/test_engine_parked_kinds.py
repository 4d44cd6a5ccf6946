"""Whatever kind a picture is of, it is parked at any step and goes on, also in a new runtime, to the same bits."""

import random
from pathlib import Path

import numpy as np
import pytest

from stablehand.domain.recipes import Recipe
from stablehand.engine.checkpoints import Resident, load_checkpoint
from stablehand.engine.faults import ParkedStateBroken
from stablehand.engine.parked import pack, unpack
from stablehand.engine.samplers import METHODS
from stablehand.engine.seats import Finished
from stablehand.ports import Drawn, Order
from stablehand.protocol import CheckpointRef
from stablehand.runtimes.native import NativeRuntime
from tests.engine.drawing import PLACEMENT
from tests.engine.kinds import INPUTS, KINDS, batch_of, of_kind, run, seat
from tests.engine.test_engine_parked import assert_same

#: It takes so many steps that it is cut but a few times.
ADAPTIVE = "DPM adaptive"


@pytest.fixture(scope="module")
def pair(tiny: Path, other_tiny: Path) -> tuple[Resident, Resident]:
    """The checkpoint and the one that refines."""
    return load_checkpoint("tiny", tiny, PLACEMENT), load_checkpoint("refiner", other_tiny, PLACEMENT)


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_of_any_kind_is_cut_after_any_tick(
    kind: str, pair: tuple[Resident, Resident], chance: random.Random
) -> None:
    steady = sorted(METHODS.keys() - {ADAPTIVE})
    for sampler in (*chance.sample(steady, 2), *([ADAPTIVE] if kind == "hires with refiner" else [])):
        recipe = of_kind(kind, sampler=sampler, steps=3, seed=chance.randrange(2**32))
        whole = batch_of(*pair)
        seat(whole, "x", recipe)
        states, at = [], []
        drawn = None
        while whole.ids():
            for ended in whole.tick():
                assert isinstance(ended, Finished), ended
                drawn = ended.pixels
            if (snapshot := whole.snapshot("x")) is not None:
                states.append(pack(snapshot.state))
                at.append(snapshot.progress)
        assert drawn is not None
        assert at == sorted(at)
        assert len({*at}) >= 2
        cuts = list(zip(states, at, strict=True))
        for state, progress in cuts if sampler != ADAPTIVE else chance.sample(cuts, 1):
            again = batch_of(*pair)
            seat(again, "x", recipe, unpack(state))
            assert again.progress() == {"x": progress}
            saved = again.snapshot("x")
            assert saved is not None, "also before it is seated anew"
            assert_same(saved.state, unpack(state))
            ended = run(again)["x"]
            assert isinstance(ended, Finished), ended
            assert np.array_equal(ended.pixels, drawn), f"{sampler} cut at {progress}"


def test_every_moment_between_passes_and_checkpoints_is_met(pair: tuple[Resident, Resident]) -> None:
    """The test above could not fail there if it never cut there."""
    seen: dict[str, set[tuple[float, float, float]]] = {}
    for kind in KINDS:
        batch = batch_of(*pair)
        seat(batch, "x", of_kind(kind, steps=4))
        while batch.ids():
            batch.tick()
            if (snapshot := batch.snapshot("x")) is not None:
                numbers = snapshot.state.numbers
                moment = tuple(numbers.get(name, 0.0) for name in ("pass", "between", "refined"))
                seen.setdefault(kind, set()).add(moment)  # type: ignore[arg-type]
    assert seen["image"] == {(0, 0, 0)}
    assert seen["hires"] == {(0, 0, 0), (1, 1, 0), (1, 0, 0)}
    assert seen["hires of pixels"] == {(0, 0, 0), (1, 1, 0), (1, 0, 0)}
    assert seen["refiner"] == seen["image with refiner"] == {(0, 0, 0), (0, 0, 1)}
    assert seen["hires with refiner"] == {(0, 0, 0), (1, 1, 0), (1, 0, 0), (1, 0, 1)}


def test_a_state_of_another_recipe_is_refused(pair: tuple[Resident, Resident]) -> None:
    plain = of_kind("text")
    for name in ("pass", "refined"):
        batch = batch_of(*pair)
        seat(batch, "x", plain)
        batch.tick()
        batch.tick()
        state = batch.park("x")
        assert state is not None
        state.numbers[name] = 1.0
        with pytest.raises(ParkedStateBroken):
            seat(batch, "y", plain, state)
        assert batch.ids() == []


# Through the runtime, in another one


def order(recipe: Recipe, state: bytes | None = None) -> Order:
    tiny = CheckpointRef(id="tiny", name="tiny", path="tiny", sha256="ab" * 32)
    other = CheckpointRef(id="refiner", name="refiner", path="refiner", sha256="cd" * 32)
    return Order(
        "shot",
        recipe,
        tiny,
        refiner=None if recipe.refiner is None else other,
        inputs={name: INPUTS[name] for name in recipe.input_ids},
        resume_from=state,
    )


def draw(runtime: NativeRuntime) -> bytes:
    while True:
        for ended in runtime.tick():
            assert isinstance(ended, Drawn), ended
            return ended.data


def started(models: Path) -> NativeRuntime:
    runtime = NativeRuntime(models, precision="fp32", threads=1)
    runtime.start()
    return runtime


def test_pictures_of_all_passes_go_on_in_a_new_runtime(
    tiny: Path, other_tiny: Path, tmp_path: Path, chance: random.Random
) -> None:
    """From bytes alone. That another process makes no difference is shown for every sampler where they are cut."""
    for name, path in (("tiny", tiny), ("refiner", other_tiny)):
        (tmp_path / name).symlink_to(path)
    runtime = started(tmp_path)
    whole: list[tuple[Recipe, bytes, bytes]] = []
    for kind in ("text", "only masked", "hires", "hires of pixels", "hires with refiner"):
        sampler = chance.choice(sorted(METHODS.keys() - {ADAPTIVE}))
        recipe = of_kind(kind, sampler=sampler, steps=3, seed=chance.randrange(2**32), format="png")
        runtime.add(order(recipe))
        parcels = []
        while (picture := next((draw for draw in runtime.tick()), None)) is None:
            if (parked := runtime.park("shot")) is not None:
                assert 0 <= parked.step <= parked.steps
                parcels.append(parked.data)
        assert isinstance(picture, Drawn), picture
        whole.append((recipe, chance.choice(parcels), picture.data))
    runtime.close()
    runtime = started(tmp_path)
    for recipe, parcel, drawn in whole:
        runtime.add(order(Recipe.from_dict(recipe.as_dict()), parcel))
        assert runtime.progress()["shot"] > 0, "it does not begin anew"
        assert draw(runtime) == drawn, recipe.kind
    runtime.close()
