"""The native runtime as the agent drives it: orders in, encoded pictures and named failures out."""

import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pictures

from stablehand.domain.errors import CheckpointBroken
from stablehand.domain.recipes import Recipe, Source
from stablehand.ports import Broken, Drawn, Order, Runtime
from stablehand.protocol import CheckpointRef
from stablehand.runtimes.native import NativeRuntime
from stablehand.runtimes.supplies import local_place
from tests.engine.drawing import make_recipe
from tests.engine.kinds import INPUTS


@pytest.fixture
def runtime(tiny: Path) -> Iterator[NativeRuntime]:
    runtime = NativeRuntime(tiny.parent, precision="fp32", threads=1)
    runtime.start()
    yield runtime
    runtime.close()


def order(shot_id: str, recipe: Recipe | None = None, path: str = "tiny", **changes: Any) -> Order:
    checkpoint = CheckpointRef(id="c1", name="tiny", path=path, sha256="ab" * 32)
    return Order(shot_id, recipe or make_recipe(**changes), checkpoint)


def run(runtime: Runtime) -> dict[str, Drawn | Broken]:
    results: dict[str, Drawn | Broken] = {}
    for _ in range(2000):
        if not runtime.busy():
            return results
        results |= {ended.shot_id: ended for ended in runtime.tick()}
    raise AssertionError("the runtime never ends")


def test_orders_become_pictures(runtime: NativeRuntime) -> None:
    for seed, format in enumerate(("webp", "png", "jpeg")):
        runtime.add(order(format, seed=seed, format=format, width=96, height=64))
    results = run(runtime)
    for format in ("webp", "png", "jpeg"):
        drawn = results[format]
        assert isinstance(drawn, Drawn), drawn
        assert (drawn.width, drawn.height) == (96, 64)
        assert drawn.device_seconds > 0
        assert "Seed: " in drawn.infotext
        picture: Any = Pictures.open(io.BytesIO(drawn.data))
        assert (picture.format, picture.size) == (format.upper(), (96, 64))
        if format == "png":
            assert picture.text["parameters"] == drawn.infotext
            assert json.loads(picture.text["stablehand"])["seed"] == 1
    assert runtime.resident() == ["c1"]
    assert not runtime.progress()


def test_it_says_what_it_runs_on(runtime: NativeRuntime) -> None:
    assert runtime.device.kind in ("cpu", "cuda")
    assert runtime.device.precision == "fp32"
    assert runtime.device.memory_bytes > 0
    assert runtime.seats >= 2
    assert NativeRuntime(Path(), seats=3).seats == 3
    assert NativeRuntime(Path()).device.kind == "none"


def test_progress_and_preview(runtime: NativeRuntime) -> None:
    runtime.add(order("a", steps=4, width=96, height=64))
    assert runtime.preview("a") is None
    runtime.tick()  # loads
    runtime.tick()
    seen: list[dict[str, float]] = []
    reader = threading.Thread(target=lambda: seen.append(runtime.progress()))
    reader.start()
    reader.join()
    assert seen == [{"a": 0.25}]
    preview = runtime.preview("a")
    assert preview is not None
    assert len(preview) < 40_000
    picture = Pictures.open(io.BytesIO(preview))
    assert picture.format == "JPEG"
    assert picture.width / picture.height == pytest.approx(96 / 64, rel=0.05)
    assert runtime.preview("unknown") is None
    run(runtime)


def test_a_dropped_shot_is_forgotten(runtime: NativeRuntime) -> None:
    runtime.add(order("kept"))
    runtime.add(order("dropped"))
    for _ in range(3):
        runtime.tick()
    runtime.drop("dropped")
    runtime.drop("never seen")
    assert set(run(runtime)) == {"kept"}


def test_a_shot_dropped_while_it_is_encoded_is_forgotten(runtime: NativeRuntime) -> None:
    gate = threading.Event()
    assert runtime._encoders is not None
    blockers = [runtime._encoders.submit(gate.wait) for _ in range(2)]
    runtime.add(order("dropped", steps=1))
    while not any(seat.encoding for seat in runtime._seated.values()):
        assert runtime.tick() == []
    assert runtime.progress() == {"dropped": 1.0}
    runtime.drop("dropped")
    gate.set()
    assert [blocker.result() for blocker in blockers] == [True, True]
    assert not runtime.busy()


def test_steps_go_on_while_a_picture_is_encoded(runtime: NativeRuntime) -> None:
    gate = threading.Event()
    assert runtime._encoders is not None
    blockers = [runtime._encoders.submit(gate.wait) for _ in range(2)]
    runtime.add(order("first", steps=1))
    while not any(seat.encoding for seat in runtime._seated.values()):
        assert runtime.tick() == []
    runtime.add(order("second", steps=3))
    for _ in range(2):
        assert runtime.tick() == []
    assert runtime.progress()["second"] > 0
    gate.set()
    assert all(blocker.result() for blocker in blockers)
    assert set(run(runtime)) == {"first", "second"}


@pytest.mark.parametrize(
    ("changes", "code", "error_class"),
    [
        ({"path": "nowhere"}, "checkpoint_broken", "final"),
        ({"path": "../../etc"}, "checkpoint_broken", "final"),
        ({"path": "builtin:nowhere"}, "checkpoint_broken", "final"),
        ({"sampler": "Houn"}, "recipe_unsupported", "final"),
        ({"schedule": "Gamma"}, "recipe_unsupported", "final"),
        ({"width": 100}, "recipe_unsupported", "final"),
        ({"kind": "upscale"}, "recipe_unsupported", "final"),
    ],
)
def test_problems_come_out_of_tick(
    runtime: NativeRuntime, changes: dict[str, Any], code: str, error_class: str
) -> None:
    runtime.add(order("wrong", **changes))
    broken = run(runtime)["wrong"]
    assert isinstance(broken, Broken)
    assert (broken.code, broken.error_class) == (code, error_class)
    assert broken.message
    assert broken.hint
    runtime.add(order("right"))
    assert isinstance(run(runtime)["right"], Drawn)


@pytest.mark.parametrize("kind", ["image", "inpaint", "upscale"])
@pytest.mark.parametrize("came", [None, b"", INPUTS["square"][:-40], INPUTS["square"][:40], b"GIF89a" + b"\0" * 50])
def test_an_input_that_did_not_come_whole_fails_its_shot_alone(
    runtime: NativeRuntime, kind: Any, came: bytes | None
) -> None:
    source = Source(input="square", mask="mask" if kind == "inpaint" else None)
    lost = order("lost", make_recipe(kind=kind, source=source))
    given = {"mask": INPUTS["mask"], **({} if came is None else {"square": came})}
    runtime.add(replace(lost, inputs=given))
    runtime.add(replace(lost, shot_id="whole", inputs=INPUTS))
    results = run(runtime)
    broken = results["lost"]
    assert isinstance(broken, Broken)
    assert (broken.code, broken.error_class, broken.at_load) == ("input_broken", "final", False)
    assert "Upload it again" in broken.hint
    assert isinstance(results["whole"], Drawn), results["whole"]


def test_paths_stay_in_their_folder(tmp_path: Path) -> None:
    def ref(path: str) -> CheckpointRef:
        return CheckpointRef(id="c", name="c", path=path)

    assert local_place(ref("checkpoints/x"), tmp_path) == tmp_path / "checkpoints" / "x"
    assert local_place(ref("builtin:postcard"), tmp_path).parts[-3:] == ("builtin", "checkpoints", "postcard")
    for path in ("/etc/passwd", "a/../../b", "builtin:../../engine"):
        with pytest.raises(CheckpointBroken):
            local_place(ref(path), tmp_path)


def test_importing_the_runtime_does_not_load_torch() -> None:
    code = "import sys, stablehand.runtimes.native; print('torch' in sys.modules, 'diffusers' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.split() == ["False", "False"]


def test_the_engine_never_asks_the_network() -> None:
    code = "import stablehand.engine, huggingface_hub.constants as c; print(c.HF_HUB_OFFLINE)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.split() == ["True"]
