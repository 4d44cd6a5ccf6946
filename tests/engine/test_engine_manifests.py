"""What the engine and the runtimes say of how a picture was made."""

import io
import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image as Pictures
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

import stablehand
from stablehand.domain.manifests import Manifest, Weights
from stablehand.domain.notes import Note
from stablehand.domain.recipes import Addon, NoiseOptions, Source
from stablehand.engine.attention import KINDS_MOST, AttentionPaths
from stablehand.engine.circumstances import host_circumstances
from stablehand.engine.devices import cpu_name
from stablehand.ports import Drawn, Order
from stablehand.protocol import AddonRef, CheckpointRef
from stablehand.runtimes.encode import encode
from stablehand.runtimes.manifests import drawn_manifest
from stablehand.runtimes.native import NativeRuntime
from stablehand.runtimes.null import NullRuntime
from tests.engine.drawing import make_recipe
from tests.engine.test_engine_runtime import order, run

QUERY = torch.rand(1, 2, 8, 8)


@pytest.fixture
def runtime(tiny: Path) -> Iterator[NativeRuntime]:
    runtime = NativeRuntime(tiny.parent, precision="fp32", threads=1)
    runtime.start()
    yield runtime
    runtime.close()


def drawn(runtime: NativeRuntime | NullRuntime, asked: Order) -> Drawn:
    runtime.add(asked)
    [result] = run(runtime).values()
    assert isinstance(result, Drawn), result
    return result


def manifest_in(data: bytes) -> dict[str, Any] | None:
    picture: Any = Pictures.open(io.BytesIO(data))
    picture.load()
    if picture.format == "PNG":
        text = picture.text.get("stablehand-manifest")
    else:
        text = picture.getexif().get_ifd(0x8769).get(0x927C)
    return json.loads(text) if text else None


def attend(paths: AttentionPaths, kind: int, backend: SDPBackend | None = None) -> frozenset[str]:
    def run() -> torch.Tensor:
        if backend is None:
            return functional.scaled_dot_product_attention(QUERY, QUERY, QUERY)
        with sdpa_kernel(backend):
            return functional.scaled_dot_product_attention(QUERY, QUERY, QUERY)

    assert torch.equal(paths.call(kind, run), run())
    return paths.take()


@pytest.mark.parametrize("backend", [None, SDPBackend.MATH, SDPBackend.FLASH_ATTENTION])
def test_the_kernel_that_is_told_is_the_one_that_the_profiler_sees(backend: SDPBackend | None) -> None:
    with torch.inference_mode(), torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        [told] = attend(AttentionPaths(), 1, backend)
    seen = {event.key for event in profile.key_averages()}
    operations = {
        "flash": "aten::_scaled_dot_product_flash_attention_for_cpu",
        "math": "aten::_scaled_dot_product_attention_math",
    }
    assert operations[told] in seen
    assert not {name for kernel, name in operations.items() if kernel != told} & seen


def test_a_kind_of_call_is_watched_once_and_not_every_kind_is_kept() -> None:
    paths = AttentionPaths()
    assert paths.take() == frozenset()
    assert attend(paths, 1, SDPBackend.MATH) == {"math"}
    assert attend(paths, 1, SDPBackend.FLASH_ATTENTION) == {"math"}, "it is taken to do as the first one did"
    for kind in range(KINDS_MOST + 10):
        attend(paths, 1000 + kind)
    assert len(paths._known) <= KINDS_MOST


def test_a_picture_is_the_same_whether_or_not_its_calls_are_watched(runtime: NativeRuntime) -> None:
    """The first of two is, the second is not."""
    first, second = (drawn(runtime, order(name, seed=5, format="png")) for name in "ab")
    assert first.data == second.data
    assert first.manifest is not None
    assert first.manifest.attention


def test_a_native_picture_says_what_it_was_drawn_by(runtime: NativeRuntime) -> None:
    result = drawn(runtime, order("a", noise=NoiseOptions(source="NV")))
    manifest = result.manifest
    assert manifest is not None
    assert manifest.runtime == "native"
    assert manifest.software["stablehand"] == stablehand.__version__
    assert manifest.software["torch"] == torch.__version__
    assert {"diffusers", "transformers", "numpy", "pillow"} <= set(manifest.software)
    assert manifest.weights == (Weights(role="checkpoint", name="tiny", sha256="ab" * 32),)
    assert manifest.device == runtime.device.kind
    assert manifest.device_name == runtime.device.name
    assert manifest.compute
    assert manifest.dtypes == {"unet": "float32", "text": "float32", "vae": "float32"}
    assert set(manifest.attention) <= {"math", "flash", "efficient", "cudnn"}
    assert (manifest.noise, manifest.exact, manifest.resumed) == ("NV", False, False)
    assert result.notes == ()
    assert Manifest.from_dict(manifest.as_dict()) == manifest
    assert manifest_in(result.data) == manifest.as_dict()


def test_everything_that_took_part_is_named() -> None:
    addons = (Addon(kind="vae", id="v", name="mse"), Addon(kind="embedding", id="e", name="slow"))
    asked = Order(
        "a",
        make_recipe(addons=addons),
        CheckpointRef(id="c1", name="tiny", path="tiny"),
        addons=[
            AddonRef(kind="vae", id="v", name="mse", path="vae/mse.safetensors", sha256="cd" * 32),
            AddonRef(kind="embedding", id="e", name="slow", path="embeddings/slow.pt"),
        ],
        refiner=CheckpointRef(id="r", name="refiner", path="refiner", sha256="ef" * 32),
    )
    manifest = drawn_manifest(asked, "native", host_circumstances(), resumed=True)
    assert [(one.role, one.name, one.short_hash) for one in manifest.weights] == [
        ("checkpoint", "tiny", None),
        ("refiner", "refiner", "efefefefef"),
        ("vae", "mse", "cdcdcdcdcd"),
        ("embedding", "slow", None),
    ]
    assert manifest.resumed


def test_a_picture_that_went_on_from_a_saved_state_says_so(runtime: NativeRuntime) -> None:
    asked = order("a", steps=4)
    runtime.add(asked)
    parked = None
    while parked is None:
        runtime.tick()
        parked = runtime.park("a")
    runtime._started()._running["a"].note(Note.SMALLER_BATCH)
    parked = runtime.park("a")
    assert parked is not None
    runtime.drop("a")
    again = Order("a", asked.recipe, asked.checkpoint, resume_from=parked.data)
    resumed, whole = drawn(runtime, again), drawn(runtime, order("b", steps=4))
    assert resumed.manifest is not None
    assert resumed.manifest.resumed
    assert (resumed.notes, whole.notes) == ((Note.SMALLER_BATCH,), ())
    assert resumed.data == whole.data, "the file does not tell"


def test_a_picture_that_was_only_resized_names_no_weights(runtime: NativeRuntime) -> None:
    out = io.BytesIO()
    Pictures.new("RGB", (16, 16), "red").save(out, "PNG")
    recipe = make_recipe(kind="upscale", width=32, height=32, upscaler="Nearest", source=Source(input="a" * 64))
    asked = Order("a", recipe, CheckpointRef(id="c1", name="tiny", path="tiny"), inputs={"a" * 64: out.getvalue()})
    manifest = drawn(runtime, asked).manifest
    assert manifest is not None
    assert (manifest.weights, manifest.dtypes, manifest.attention, manifest.noise) == ((), {}, (), None)
    assert (manifest.device, manifest.device_name) == ("cpu", cpu_name())


def test_the_null_runtime_claims_nothing_that_it_did_not_do() -> None:
    result = drawn(NullRuntime(seconds_per_step=0), order("a", format="png"))
    assert result.manifest == Manifest(
        runtime="null",
        software={"stablehand": stablehand.__version__, "numpy": version("numpy"), "pillow": version("pillow")},
    )
    assert manifest_in(result.data) == result.manifest.as_dict()


@pytest.mark.parametrize("format", ["png", "webp", "jpeg"])
def test_files_carry_the_manifest_beside_the_rest(format: Any) -> None:
    picture = Pictures.new("RGB", (8, 8))
    manifest = Manifest(runtime="native", device_name="赤い GPU")
    assert manifest_in(encode(picture, format, 90, "x", {"a": 1}, manifest=manifest)) == manifest.as_dict()
    assert manifest_in(encode(picture, format, 90, "x", {"a": 1})) is None


def test_what_jpeg_cannot_hold_costs_the_manifest_before_the_recipe() -> None:
    manifest = Manifest(runtime="native", software={f"library-{number}": "1" * 60 for number in range(20)})
    recipe = {"prompt": "x" * 63_500}
    data = encode(Pictures.new("RGB", (8, 8)), "jpeg", 90, "x", recipe, manifest=manifest)
    assert manifest_in(data) is None
    assert json.loads(Pictures.open(io.BytesIO(data)).getexif()[0x010E]) == recipe
