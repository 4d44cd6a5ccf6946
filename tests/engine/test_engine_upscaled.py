"""Orders for larger pictures at the native runtime, by networks that lie here or afar."""

import io
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pictures

from stablehand.domain.recipes import Hires, Source
from stablehand.ports import Broken, Drawn, Order
from stablehand.protocol import AddonRef, CheckpointRef
from stablehand.runtimes.native import NativeRuntime
from tests.engine.drawing import make_recipe
from tests.engine.upscalers import compact, noise, write

TINY = CheckpointRef(id="c1", name="tiny", path="checkpoints/tiny")
NOWHERE = CheckpointRef(id="c2", name="nowhere", path="checkpoints/nowhere", sha256="2" * 64)
NET = AddonRef(kind="upscaler", id="u1", name="net", path="upscalers/net.safetensors", sha256="1" * 64)
INPUT = "a" * 64


@pytest.fixture
def asked() -> list[str]:
    """Ids of what was fetched from afar."""
    return []


@pytest.fixture
def runtime(tiny: Path, tmp_path: Path, asked: list[str]) -> Iterator[NativeRuntime]:
    models, afar = tmp_path / "models", write(tmp_path / "afar", compact())
    shutil.copytree(tiny, models / "checkpoints/tiny")

    def fetch(ref: CheckpointRef | AddonRef) -> Path:
        asked.append(ref.id)
        assert threading.current_thread() is not threading.main_thread()
        return afar

    runtime = NativeRuntime(models, precision="fp32", threads=1, fetch=fetch)
    runtime.start()
    yield runtime
    runtime.close()


def larger(shot_id: str, *addons: AddonRef, checkpoint: CheckpointRef = NOWHERE, upscaler: str = "net") -> Order:
    out = io.BytesIO()
    Pictures.fromarray(noise(12, 20)).save(out, "PNG")
    source = Source(input=INPUT, width=20, height=12)
    recipe = make_recipe(kind="upscale", width=50, height=30, upscaler=upscaler, source=source, format="png")
    return Order(shot_id, recipe, checkpoint, addons=addons, inputs={INPUT: out.getvalue()}, owner=shot_id)


def drawn(runtime: NativeRuntime, order: Order) -> Drawn | Broken:
    runtime.add(order)
    for _ in range(10_000):
        for ended in runtime.tick():
            return ended
    raise AssertionError("it never ends")


def test_a_picture_is_made_larger_by_a_network_from_afar_and_its_checkpoint_is_not_needed(
    runtime: NativeRuntime, asked: list[str]
) -> None:
    made = drawn(runtime, larger("a", NET))
    assert isinstance(made, Drawn), made
    assert asked == ["u1"]
    picture = Pictures.open(io.BytesIO(made.data))
    assert (picture.size, made.width, made.height) == ((50, 30), 50, 30)
    assert "Postprocess upscaler: net" in made.infotext
    assert made.device_seconds > 0
    manifest = made.manifest
    assert manifest is not None
    assert [(one.role, one.name, one.sha256) for one in manifest.weights] == [("upscaler", "net", "1" * 64)]
    assert (manifest.dtypes, manifest.noise, manifest.device) == ({"upscaler": "float32"}, None, "cpu")
    formula = drawn(runtime, larger("b", upscaler="Lanczos"))
    assert isinstance(formula, Drawn)
    assert not np.array_equal(np.asarray(picture), np.asarray(Pictures.open(io.BytesIO(formula.data))))


def test_a_second_pass_by_a_network_names_it(runtime: NativeRuntime) -> None:
    hires = Hires(width=96, height=96, steps=1, denoising_strength=0.3, upscaler="net")
    made = drawn(runtime, Order("a", make_recipe(steps=1, hires=hires), TINY, addons=(NET,)))
    assert isinstance(made, Drawn), made
    assert made.manifest is not None
    assert [one.role for one in made.manifest.weights] == ["checkpoint", "upscaler"]
    assert made.manifest.dtypes["upscaler"] == "float32"
    assert "Hires upscaler: net" in made.infotext


def test_what_is_gone_or_cancelled_ends(runtime: NativeRuntime) -> None:
    lost = drawn(runtime, larger("a"))
    assert isinstance(lost, Broken)
    assert (lost.error_class, lost.code, lost.at_load) == ("final", "recipe_unsupported", False)
    runtime.add(larger("b", NET))
    runtime.drop("b")
    assert not runtime.busy()
    assert runtime.tick() == []
