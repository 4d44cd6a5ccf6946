"""The engine benchmark on tiny networks: both sides do the work, and the objects have what was promised."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from stablehand.bench import engine as measured
from stablehand.bench import full_size
from stablehand.bench.networks import Family, make_resident, miniature, pipeline_of, write_file
from stablehand.bench.sides import Ours, Request, Serial, Side, arriving, make_recipes, race
from stablehand.cli.bench import bench
from stablehand.engine.batch import Batch
from stablehand.engine.checkpoints import load_checkpoint
from stablehand.engine.residents import Residents
from stablehand.engine.seats import Failed, Finished
from tests.engine.drawing import PLACEMENT, make_recipe

#: Of diffusers' own code.
pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")

SIZES = ((64, 64), (64, 96))


def test_the_command_prints_one_json_object(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = full_size.measure_two_steps(PLACEMENT, size=(64, 64), configs=miniature("sd1"))
    monkeypatch.setattr(measured, "measure_full_size", lambda _placement, _seed: [small])
    arguments = ["engine", "--json", "--checkpoint", str(tiny), "--clients", "2", "--size", "64"]
    result = CliRunner().invoke(bench, [*arguments, "--requests-per-client", "1", "--precision", "fp32"])
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert printed["clients"] == 2
    assert printed["requests"] == 2
    assert printed["precision"] == "fp32"
    assert printed["device"]
    assert printed["ours_images_per_second"] > 0
    assert printed["serial_diffusers_images_per_second"] > 0
    assert printed["ratio"] == printed["ratio_equal_precision"]
    assert printed["ratio_defaults"] == printed["ratio"], "in float32 both are the same run"
    assert 0 < printed["network_share"] < 1
    assert printed["full_size"] == [small]
    assert (small["steps"], small["size"], small["ratio"] > 0) == (2, [64, 64], True)


def test_defaults_are_measured_apart_when_precision_differs(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opponents: list[str] = []

    class Listed(Serial):
        def __init__(self, pipeline: Any, levels: Any) -> None:
            opponents.append(str(pipeline.unet.dtype).removeprefix("torch."))
            super().__init__(pipeline, levels)

    monkeypatch.setattr(measured, "Serial", Listed)
    result = measured.run(
        checkpoint=tiny, clients=1, requests_per_client=1, size=64, precision="bf16", threads=1, full_size=False
    )
    assert result["precision"] == "bf16"
    assert opponents == ["bfloat16", "float32"]


def test_recipes_are_mixed_and_seeded() -> None:
    recipes = make_recipes(64, SIZES, seed=0)
    assert recipes == make_recipes(64, SIZES, seed=0)
    assert recipes != make_recipes(64, SIZES, seed=1)
    assert {recipe.sampler for recipe in recipes} == {"DPM++ 2M", "Euler a", "Euler", "DDIM"}
    assert {(recipe.width, recipe.height) for recipe in recipes} == set(SIZES)
    assert min(recipe.steps for recipe in recipes) >= 8
    assert max(recipe.steps for recipe in recipes) <= 30
    assert min(recipe.cfg_scale for recipe in recipes) == 1.0
    assert max(recipe.cfg_scale for recipe in recipes) <= 9.0


def test_clients_come_at_random_and_nobody_is_served_before() -> None:
    requests = arriving(make_recipes(200, SIZES, seed=0), 0.5, seed=3)
    gaps = [after.at_seconds - before.at_seconds for before, after in pairwise(requests)]
    assert requests[0].at_seconds == 0
    assert min(gaps) > 0
    assert 0.3 < sum(gaps) / len(gaps) < 0.7
    assert requests == arriving(make_recipes(200, SIZES, seed=0), 0.5, seed=3)

    resident = make_resident("sd1", PLACEMENT, miniature("sd1"))
    (recipe,) = make_recipes(1, SIZES, seed=0, steps=(2, 2))
    sides: list[Side] = [Ours(resident, 2), Serial(pipeline_of(resident), resident.levels)]
    race(sides, [Request(recipe), Request(recipe, 1000.0), Request(recipe, 2000.0)], taking_turns=True)
    for side in sides:
        assert side.seconds > 2000
        assert len(side.waits) == 3
        assert all(0 < waited < 1000 for waited in side.waits)


def test_a_family_is_measured_by_rows_and_by_clients() -> None:
    compiled: list[Any] = []

    def compile_unet(unet: Any) -> Any:
        compiled.append(unet)
        return unet

    result = full_size.measure_family(
        "sdxl",
        PLACEMENT,
        (64, 64),
        SIZES,
        configs=miniature("sdxl"),
        clients=3,
        steps=(2, 3),
        rows=(1, 3),
        compile_unet=compile_unet,
    )
    assert [row["rows"] for row in result["rows"]] == [1, 3]
    for row in result["rows"]:
        assert row["row_ms"] * row["rows"] == pytest.approx(row["call_ms"], rel=0.01)
        assert row["rows_per_second"] == pytest.approx(1000 / row["row_ms"], rel=0.02)
    mixed = result["mixed"]
    assert len(compiled) == 1
    for name in ("ours", "serial_diffusers", "compiled_diffusers"):
        assert mixed[f"{name}_images_per_second"] > 0
        assert 0 < mixed[name]["wait_mean_seconds"] <= mixed[name]["wait_p95_seconds"]
    assert mixed["ratio"] > 0
    assert mixed["ratio_compiled"] > 0


def test_rows_that_do_not_fit_are_told_and_end_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    resident = make_resident("sd1", PLACEMENT, miniature("sd1"))
    network = resident.unet.forward

    def forward(sample: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if len(sample) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return network(sample, *args, **kwargs)

    monkeypatch.setattr(resident.unet, "forward", forward)
    rows = full_size.sweep(resident, (64, 64), (1, 2, 4, 8))
    assert [row["rows"] for row in rows] == [1, 2, 4]
    assert rows[-1] == {"rows": 4, "out_of_memory": True}


def test_weights_that_do_not_fit_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(full_size, "make_resident", refuse)
    assert full_size.measure_two_steps(PLACEMENT)["out_of_memory"]
    assert full_size.measure_family("sdxl", PLACEMENT, (64, 64), SIZES)["out_of_memory"]


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_a_made_up_checkpoint_is_one_of_its_family(family: Family, tmp_path: Path) -> None:
    """It draws the same from memory and from the file that it was written to."""
    resident = make_resident(family, PLACEMENT, miniature(family))
    loaded = load_checkpoint("bench", write_file(resident, tmp_path / "any.safetensors"), PLACEMENT)
    assert loaded.network.family == family
    assert loaded.size_bytes == resident.size_bytes
    drawn = []
    for one in (resident, loaded):
        batch = Batch(PLACEMENT, Residents.of(one))
        batch.add("x", make_recipe(steps=2, negative_prompt="fog"), "bench", tmp_path)
        ended: list[Finished | Failed] = []
        while not ended:
            ended = batch.tick()
        assert isinstance(ended[0], Finished), ended
        drawn.append(ended[0].pixels)
    assert (drawn[0] == drawn[1]).all()
    assert drawn[0].std() > 1
