"""The engine benchmark on a tiny checkpoint: both sides do the work, and the object has what was promised."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from stablehand.bench import engine as measured
from stablehand.bench.engine import make_requests
from stablehand.cli.bench import bench
from stablehand.engine.checkpoints import Resident
from stablehand.engine.devices import Placement

#: Of diffusers' own code.
pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")


def test_the_command_prints_one_json_object(tiny: Path) -> None:
    arguments = ["engine", "--json", "--checkpoint", str(tiny), "--clients", "2", "--size", "64"]
    result = CliRunner().invoke(bench, [*arguments, "--requests-per-client", "2", "--precision", "fp32"])
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert printed["clients"] == 2
    assert printed["requests"] == 4
    assert printed["precision"] == "fp32"
    assert printed["device"]
    assert printed["ours_images_per_second"] > 0
    assert printed["serial_diffusers_images_per_second"] > 0
    assert printed["ratio"] == printed["ratio_equal_precision"]
    assert printed["ratio_defaults"] > 0


@pytest.mark.parametrize(("precision", "dtypes"), [("fp32", ["float32"]), ("bf16", ["bfloat16", "float32"])])
def test_defaults_are_measured_apart_when_precision_differs(
    tiny: Path, precision: str, dtypes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opponents: list[str] = []

    class Listed(measured.Serial):
        def __init__(self, folder: Path, placement: Placement, dtype: torch.dtype, resident: Resident) -> None:
            opponents.append(str(dtype).removeprefix("torch."))
            super().__init__(folder, placement, dtype, resident)

    monkeypatch.setattr(measured, "Serial", Listed)
    result = measured.run(checkpoint=tiny, clients=1, requests_per_client=1, size=64, precision=precision, threads=1)
    assert result["precision"] == precision
    assert opponents == dtypes


def test_requests_are_mixed_and_seeded() -> None:
    requests = make_requests(64, 256, seed=0)
    assert requests == make_requests(64, 256, seed=0)
    assert requests != make_requests(64, 256, seed=1)
    assert {request.sampler for request in requests} == {"DPM++ 2M", "Euler a", "Euler", "DDIM"}
    assert min(request.steps for request in requests) >= 8
    assert max(request.steps for request in requests) <= 30
    assert min(request.cfg_scale for request in requests) == 1.0
    assert max(request.cfg_scale for request in requests) <= 9.0
