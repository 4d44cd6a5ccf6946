"""The native runtime parks: another one goes on at the same step and comes to the same picture, bit for bit."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stablehand.engine import batch as batches
from stablehand.engine import rows
from stablehand.ports import Drawn, Order, Parked
from stablehand.protocol import CheckpointRef
from stablehand.runtimes.native import NativeRuntime
from stablehand.runtimes.null import NullRuntime
from stablehand.runtimes.parcel import BrokenParcel, unwrap, wrap
from tests.engine.drawing import make_recipe

STEPS = 20


@pytest.fixture
def runtimes(tiny: Path) -> Iterator[tuple[NativeRuntime, NativeRuntime]]:
    """Two, as on two machines of one kind."""
    pair = tuple(NativeRuntime(tiny.parent, precision="fp32", threads=1) for _ in range(2))
    for runtime in pair:
        runtime.start()
    yield pair[0], pair[1]
    for runtime in pair:
        runtime.close()


@pytest.fixture
def evaluations(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures were in each call of the network."""
    calls: list[int] = []
    real = rows.predict

    def count(resident: Any, pictures: Any, *more: Any) -> Any:
        calls.append(len(pictures))
        return real(resident, pictures, *more)

    monkeypatch.setattr(batches, "predict", count)
    return calls


def order(state: bytes | None = None, **changes: Any) -> Order:
    checkpoint = CheckpointRef(id="c1", name="tiny", path="tiny", sha256="ab" * 32)
    recipe = make_recipe(**{"steps": STEPS, "sampler": "Euler a", "format": "png", **changes})
    return Order("shot", recipe, checkpoint, resume_from=state)


def run(runtime: NativeRuntime) -> Drawn:
    while runtime.busy():
        for ended in runtime.tick():
            assert isinstance(ended, Drawn), ended
            return ended
    raise AssertionError("nothing was drawn")


def park_at(runtime: NativeRuntime, step: int) -> Parked:
    """Tick until so many steps are done, then save."""
    while True:
        parked = runtime.park("shot")
        if parked is not None and parked.step >= step:
            return parked
        assert runtime.tick() == []


@pytest.mark.parametrize("sampler", ["Euler a", "DPM++ 2M"])
def test_the_picture_is_the_same_and_nothing_is_computed_twice(
    runtimes: tuple[NativeRuntime, NativeRuntime], evaluations: list[int], sampler: str
) -> None:
    first, second = runtimes
    first.add(order(sampler=sampler))
    whole = run(first)
    total = sum(evaluations)
    evaluations.clear()
    first.add(order(sampler=sampler))
    parked = park_at(first, 10)
    assert (parked.step, parked.steps) == (10, total)
    first.drop("shot")
    second.add(order(parked.data, sampler=sampler))
    assert second.progress()["shot"] == pytest.approx(10 / total), "told before the first tick"
    rest = run(second)
    assert rest.data == whole.data
    assert sum(evaluations) == total
    assert rest.device_seconds > parked.device_seconds > 0, "the device time of both is counted"


def test_a_picture_that_is_parked_goes_on(runtimes: tuple[NativeRuntime, NativeRuntime]) -> None:
    first, second = runtimes
    first.add(order())
    parked = park_at(first, 5)
    assert park_at(first, 10).step == 10
    whole = run(first)
    assert first.park("shot") is None
    second.add(order(parked.data))
    assert run(second).data == whole.data


def test_one_that_waits_for_its_decoder_is_parked_whole(runtimes: tuple[NativeRuntime, NativeRuntime]) -> None:
    first, second = runtimes
    first.add(order(steps=5))
    parked = park_at(first, 5)
    whole = run(first)
    second.add(order(parked.data, steps=5))
    assert run(second).data == whole.data


def test_before_the_first_step_there_is_nothing(runtimes: tuple[NativeRuntime, NativeRuntime]) -> None:
    first, _ = runtimes
    assert first.park("shot") is None
    first.add(order())
    assert first.park("shot") is None
    first.tick()  # loads
    assert first.park("shot") is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "another seed", "another precision", "of null"])
def test_what_cannot_be_used_costs_the_beginning_only(
    runtimes: tuple[NativeRuntime, NativeRuntime], evaluations: list[int], damage: str
) -> None:
    first, second = runtimes
    first.add(order(steps=8))
    parked = park_at(first, 4).data
    first.drop("shot")
    if damage == "cut":
        parked = parked[:-100]
    elif damage == "flipped":
        parked = parked[:-10] + bytes([parked[-10] ^ 1]) + parked[-9:]
    elif damage == "empty":
        parked = b""
    elif damage == "another seed":
        first.add(order(steps=8, seed=77))
        parked = park_at(first, 4).data
    elif damage == "another precision":
        contents, label = unwrap(parked, order(steps=8), "native", "fp32")
        parked = wrap(order(steps=8), "native", "bf16", contents, device_seconds=label["device_seconds"])
    else:
        parked = wrap(order(steps=8), "null", "fp32", b"", step=4, device_seconds=1.0)
    evaluations.clear()
    second.add(order(parked, steps=8))
    drawn = run(second)
    assert sum(evaluations) == 8
    first.drop("shot")
    first.add(order(steps=8))
    assert run(first).data == drawn.data


def test_null_goes_on_too() -> None:
    first, second = NullRuntime(seconds_per_step=0), NullRuntime(seconds_per_step=0)
    first.add(order())
    assert first.park("shot") is None
    for _ in range(10):
        first.tick()
    parked = first.park("shot")
    assert parked is not None
    assert (parked.step, parked.steps) == (10, STEPS)
    second.add(order(parked.data))
    assert second.progress() == {"shot": 10 / STEPS}
    ticks = 0
    while second.busy():
        second.tick()
        ticks += 1
    assert ticks == STEPS - 10


def test_a_parcel_is_for_one_order() -> None:
    parcel = wrap(order(), "native", "fp32", b"contents", device_seconds=2.5)
    contents, label = unwrap(parcel, order(), "native", "fp32")
    assert (contents, label["device_seconds"]) == (b"contents", 2.5)
    for other in (order(cfg_scale=3.0), order(prompt="other")):
        with pytest.raises(BrokenParcel, match="recipe"):
            unwrap(parcel, other, "native", "fp32")
    changed = order().checkpoint.model_copy(update={"sha256": "cd" * 32})
    unknown = order().checkpoint.model_copy(update={"sha256": None})
    for refiner in (changed, unknown):
        beside = replace(order(), refiner=refiner.model_copy(update={"id": "c2"}))
        assert unwrap(wrap(beside, "native", "fp32", b"contents"), beside, "native", "fp32")[0] == b"contents"
        other = replace(beside, refiner=order().checkpoint.model_copy(update={"id": "c2"}))
        if refiner is changed:
            with pytest.raises(BrokenParcel, match="c2 have changed"):
                unwrap(wrap(beside, "native", "fp32", b"contents"), other, "native", "fp32")
        else:
            unwrap(wrap(beside, "native", "fp32", b"contents"), other, "native", "fp32")
    for end in range(len(parcel)):
        with pytest.raises(BrokenParcel):
            unwrap(parcel[:end], order(), "native", "fp32")
