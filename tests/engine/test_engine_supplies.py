"""Orders whose weights are not on this machine yet: they wait, others are drawn meanwhile, and failing is no end."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stablehand.domain.errors import WeightsUnavailable
from stablehand.ports import Broken, Drawn, Order
from stablehand.protocol import AddonRef, CheckpointRef
from stablehand.runtimes.native import NativeRuntime
from tests.engine.drawing import make_recipe
from tests.engine.families import make_networks, write_file

HERE = CheckpointRef(id="here", name="here", path="checkpoints/here")
AFAR = CheckpointRef(id="afar", name="afar", path="checkpoints/afar", sha256="1" * 64)
GONE = CheckpointRef(id="gone", name="gone", path="checkpoints/gone", sha256="2" * 64)
VAE = AddonRef(kind="vae", id="vae", name="clear", path="vae/clear.safetensors", sha256="3" * 64)


class Afar:
    """Where weights come from, as slowly as the test wants."""

    def __init__(self, tiny: Path, folder: Path) -> None:
        self.may_come = threading.Event()
        self.asked: list[str] = []
        self._places = {"afar": Path(shutil.copytree(tiny, folder / "afar"))}
        self._places["vae"] = write_file(folder / "clear.safetensors", make_networks("sd1")["vae"].state_dict())

    def fetch(self, ref: CheckpointRef | AddonRef) -> Path:
        self.asked.append(ref.id)
        assert self.may_come.wait(60)
        if ref.id not in self._places:
            raise WeightsUnavailable("nobody has it", hint="try later")
        return self._places[ref.id]


@pytest.fixture
def afar(tiny: Path, tmp_path: Path) -> Afar:
    return Afar(tiny, tmp_path)


@pytest.fixture
def runtime(tiny: Path, tmp_path: Path, afar: Afar) -> Iterator[NativeRuntime]:
    shutil.copytree(tiny, tmp_path / "models/checkpoints/here")
    runtime = NativeRuntime(tmp_path / "models", precision="fp32", threads=1, fetch=afar.fetch)
    runtime.start()
    yield runtime
    afar.may_come.set()
    runtime.close()


def order(shot_id: str, checkpoint: CheckpointRef, *addons: AddonRef) -> Order:
    return Order(shot_id=shot_id, recipe=make_recipe(steps=1), checkpoint=checkpoint, addons=addons)


def until(runtime: NativeRuntime, count: int) -> dict[str, Drawn | Broken]:
    ended: dict[str, Drawn | Broken] = {}
    while len(ended) < count:
        ended |= {one.shot_id: one for one in runtime.tick()}
    return ended


def test_what_is_here_is_drawn_while_the_rest_comes(runtime: NativeRuntime, afar: Afar) -> None:
    runtime.add(order("a", AFAR, VAE))
    runtime.add(order("b", AFAR))
    runtime.add(order("c", HERE))
    assert isinstance(until(runtime, 1)["c"], Drawn)
    assert runtime.busy()
    assert runtime.tick() == []
    assert runtime.progress() == {"a": 0.0, "b": 0.0}
    afar.may_come.set()
    ended = until(runtime, 2)
    assert isinstance(ended["a"], Drawn)
    assert isinstance(ended["b"], Drawn)
    assert sorted(afar.asked) == ["afar", "vae"], "each was fetched once"
    assert ended["a"].data != ended["b"].data, "one had another autoencoder"
    assert [load.checkpoint_id for load in runtime.loads()] == ["here", "afar"]
    assert not runtime.busy()


def test_what_nobody_has_may_be_tried_again(runtime: NativeRuntime, afar: Afar) -> None:
    afar.may_come.set()
    runtime.add(order("a", GONE))
    broken = until(runtime, 1)["a"]
    assert isinstance(broken, Broken)
    assert (broken.error_class, broken.code, broken.at_load) == ("retry", "weights_unavailable", True)
    runtime.add(order("b", GONE))
    until(runtime, 1)
    assert afar.asked == ["gone", "gone"]


def test_a_shot_that_is_dropped_while_it_waits_is_forgotten(runtime: NativeRuntime, afar: Afar) -> None:
    runtime.add(order("a", AFAR))
    runtime.drop("a")
    assert not runtime.busy()
    afar.may_come.set()
    runtime.add(order("b", HERE))
    assert set(until(runtime, 1)) == {"b"}
