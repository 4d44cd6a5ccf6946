"""compute.cuda: an agent that must have CUDA does not draw without it."""

from pathlib import Path

import pytest
import torch

from stablehand import settings
from stablehand.domain.errors import BadSettings
from stablehand.wiring.runtimes import runtime_factory


def test_without_cuda_a_runtime_that_must_have_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    table = settings.load(data_dir=tmp_path, command_line={"compute": {"cuda": True, "runtime": "native"}})
    with pytest.raises(BadSettings, match=r"compute\.cuda"):
        runtime_factory(table)()
    relaxed = settings.load(data_dir=tmp_path, command_line={"compute": {"cuda": False, "runtime": "native"}})
    assert runtime_factory(relaxed)().name == "native"
