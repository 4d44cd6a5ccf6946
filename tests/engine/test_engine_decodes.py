"""Decoding beside the steps: the same pictures, no pile, and trouble or a cancel that touches one picture only.

The device of these tests does one thing after another; it says that a call is under way until it is waited for or has
been asked a few times, as a GPU would.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stablehand.engine import decode as decoding
from stablehand.engine import decodes
from stablehand.engine.batch import Batch
from stablehand.engine.checkpoints import Resident
from stablehand.engine.faults import DeviceLost
from stablehand.engine.seats import Ended, Failed, Finished
from tests.engine.drawing import PLACEMENT, holding, make_recipe

FOLDER = Path("in-memory")


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> dict[int, int]:
    """How often each call was asked whether it is done: it is from the fourth time on, or once it is waited for."""
    asked: dict[int, int] = {}

    def is_done(self: decoding.Decoding) -> bool:
        asked[id(self)] = asked.get(id(self), 0) + 1
        return asked[id(self)] > 3

    monkeypatch.setattr(decoding.Decoding, "is_done", is_done)
    return asked


def beside(resident: Resident) -> Batch:
    return Batch(PLACEMENT, holding(resident), beside=True)


def add(batch: Batch, *steps: int, **changes: Any) -> None:
    for seed, count in enumerate(steps):
        batch.add(str(seed), make_recipe(seed=seed, steps=count, **changes), "tiny", FOLDER)


def run(batch: Batch, each: Callable[[], object] = lambda: None) -> dict[str, Ended]:
    ended: dict[str, Ended] = {}
    for _ in range(1000):
        if not batch.ids():
            return ended
        ended |= {one.picture_id: one for one in batch.tick()}
        each()
    raise AssertionError("the batch never ends")


def until_decoding(batch: Batch) -> None:
    for _ in range(20):
        if batch._decodes.pictures():
            return
        assert batch.tick() == []
    raise AssertionError("nothing is being decoded")


def pixels(ended: Ended) -> Any:
    assert isinstance(ended, Finished), ended
    return ended.pixels


def test_pictures_are_the_same_as_decoded_in_turn(resident: Resident, slowly: dict[int, int]) -> None:
    hires: dict[str, Any] = {"width": 64, "height": 96}
    in_turn = Batch(PLACEMENT, holding(resident), beside=False)
    add(in_turn, 1, 4, 2, 6, **hires)
    expected = run(in_turn)
    batch = beside(resident)
    add(batch, 1, 4, 2, 6, **hires)
    drawn = run(batch)
    assert drawn.keys() == expected.keys()
    for picture_id, ended in expected.items():
        np.testing.assert_array_equal(pixels(drawn[picture_id]), pixels(ended))
    assert slowly


def test_steps_go_on_while_a_latent_is_decoded(resident: Resident, slowly: dict[int, int]) -> None:
    batch = beside(resident)
    add(batch, 1, 8)
    until_decoding(batch)
    before = batch.progress()["1"]
    assert batch.tick() == []
    assert batch.tick() == []
    assert batch.progress()["1"] == pytest.approx(before + 2 / 8)
    assert batch.progress()["0"] == 1.0
    assert set(run(batch)) == {"0", "1"}


def test_latents_do_not_pile_up(resident: Resident, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that is never done by itself: what is drawn meanwhile waits for it, not for memory."""
    monkeypatch.setattr(decoding.Decoding, "is_done", lambda _self: False)
    batch = beside(resident)
    add(batch, *range(1, 13))
    under_way, undecoded = [], []

    def look() -> None:
        under_way.append(len(batch._decodes.pictures()))
        undecoded.append(len(batch._decodes.undecoded(batch._drawn)))

    assert len(run(batch, look)) == 12
    assert max(under_way) == decodes.UNDER_WAY_MOST
    assert max(undecoded) <= 2


def test_a_dropped_picture_is_not_missed_and_its_weights_stay_until_the_call_is_done(
    resident: Resident, slowly: dict[int, int]
) -> None:
    batch = beside(resident)
    add(batch, 1, 40)
    until_decoding(batch)
    batch.drop("0")
    batch.drop("1")
    assert batch.ids() == []
    assert batch._slots_in_use() == {"tiny"}
    assert batch.tick() == []
    assert batch._slots_in_use() == set()


def test_the_same_id_seated_again_is_another_picture(resident: Resident, slowly: dict[int, int]) -> None:
    batch = beside(resident)
    add(batch, 1, 40)
    until_decoding(batch)
    batch.drop("0")
    batch.drop("1")
    batch.add("0", make_recipe(seed=9, steps=5), "tiny", FOLDER)
    again = pixels(run(batch)["0"])
    alone = Batch(PLACEMENT, holding(resident))
    alone.add("0", make_recipe(seed=9, steps=5), "tiny", FOLDER)
    np.testing.assert_array_equal(again, pixels(run(alone)["0"]))


@pytest.mark.parametrize("moment", ["when it begins", "when it ends"])
def test_a_decode_that_fails_costs_its_own_picture_only(
    moment: str, resident: Resident, slowly: dict[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = beside(resident)
    name = "begin" if moment == "when it begins" else "finish"
    calls: list[object] = []
    owner: Any = decodes.Decodes if name == "begin" else decodes.Call
    original = getattr(owner, name)

    def fail_for_one(self: Any, *args: Any) -> Any:
        pictures = self.pictures if name == "finish" else args[0]
        calls.append(pictures)
        if any(picture.id == "1" for picture in pictures):
            raise RuntimeError("the decoder stumbled")
        return original(self, *args)

    monkeypatch.setattr(owner, name, fail_for_one)
    add(batch, 2, 2, 2, 3)
    ended = run(batch)
    assert calls
    lost = ended.pop("1")
    assert isinstance(lost, Failed)
    assert "stumbled" in lost.error.message
    assert all(isinstance(one, Finished) for one in ended.values())
    assert len(ended) == 3


def test_a_lost_device_ends_all_and_a_close_goes_through(
    resident: Resident, slowly: dict[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    batch = beside(resident)
    add(batch, 1, 1, 9)
    until_decoding(batch)
    monkeypatch.setattr(decoding.Decoding, "is_done", lambda _self: True)
    monkeypatch.setattr(decoding.Decoding, "wait", refuse)
    ended = {one.picture_id: one for _ in range(3) for one in batch.tick()}
    assert set(ended) == {"0", "1", "2"}
    assert all(isinstance(one, Failed) and isinstance(one.error, DeviceLost) for one in ended.values())
    batch.close()
    assert batch._decodes.pictures() == []
    assert batch.residents.slots() == []


def test_closing_waits_for_what_is_under_way(resident: Resident, slowly: dict[int, int]) -> None:
    batch = beside(resident)
    add(batch, 1, 40)
    until_decoding(batch)
    (call,) = batch._decodes._calls
    waited: list[bool] = []

    class Event:
        def synchronize(self) -> None:
            waited.append(batch.residents.slots() == ["tiny"])

    call.decoding.done = Event()
    batch.close()
    assert waited == [True], "the weights were still there"
    assert (batch.ids(), batch.residents.slots()) == ([], [])


def test_a_device_in_trouble_is_done() -> None:
    class Event:
        def query(self) -> bool:
            raise RuntimeError("CUDA error: device-side assert triggered")

    nothing = torch.zeros(1)
    under_way: Any = decoding.Decoding
    assert under_way(None, [], nothing, nothing, nothing, nothing, None, None, Event()).is_done()
