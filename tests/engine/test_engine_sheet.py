"""The contact sheet on a tiny checkpoint: every sampler is on it, each once where it has no schedule."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from stablehand.cli.bench import bench
from stablehand.domain.samplers import SAMPLERS


def test_every_sampler_is_on_the_sheet(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    arguments = ["sheet", str(out), "--json", "--checkpoint", str(tiny), "--size", "64", "--steps", "4"]
    result = CliRunner().invoke(bench, [*arguments, "--schedules", "Automatic,karras", "--precision", "fp32"])
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    with_schedule = sum(sampler.has_schedule for sampler in SAMPLERS)
    assert (printed["samplers"], printed["pictures"]) == (len(SAMPLERS), len(SAMPLERS) + with_schedule)
    with Image.open(out) as sheet:
        pixels = np.asarray(sheet.convert("L"))
    rows = np.array_split(pixels, len(SAMPLERS))
    assert all((row < 200).mean() > 0.2 for row in rows), "no row is blank"


def test_an_unknown_schedule_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(bench, ["sheet", str(tmp_path / "x.png"), "--schedules", "Automatic,none"])
    assert result.exit_code == 2
    assert not (tmp_path / "x.png").exists()
