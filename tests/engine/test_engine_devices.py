"""Which precision a device computes in, and what keeps its answers the same."""

from collections.abc import Iterator

import pytest
import torch

from stablehand.engine.devices import Placement, _compute_repeatably, gpu_precision


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("NVIDIA H200", "fp16"),
        ("NVIDIA GeForce RTX 2060", "fp16"),
        ("Tesla T4", "fp16"),
        ("NVIDIA GeForce GTX 1660 SUPER", "fp32"),
        ("NVIDIA GeForce GTX 1650 with Max-Q Design", "fp32"),
        ("Quadro T1000", "fp32"),
    ],
)
def test_cards_that_cannot_do_float16_are_spared_it(name: str, precision: str) -> None:
    assert gpu_precision(name) == precision


@pytest.fixture
def kept_flags() -> Iterator[None]:
    cudnn = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32
    yield
    cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32 = before


@pytest.mark.usefixtures("kept_flags")
def test_kernels_are_chosen_alike_each_time_and_fp32_is_not_rounded() -> None:
    _compute_repeatably()
    assert not torch.backends.cudnn.benchmark
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


@pytest.mark.parametrize(
    ("device", "precision", "family", "expected"),
    [
        ("cpu", "fp32", "sdxl", torch.float32),
        ("cpu", "bf16", "sdxl", torch.bfloat16),
        ("cuda", "fp16", "sd1", torch.float16),
        ("cuda", "fp32", "sdxl", torch.float32),
    ],
)
def test_decoders_compute_in_what_they_bear(device: str, precision: str, family: str, expected: torch.dtype) -> None:
    assert Placement(torch.device(device), "test", precision, 2**30).decoder_dtype(family) == expected


@pytest.mark.parametrize(("has_bf16", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_the_decoder_of_sdxl_is_never_given_float16(
    has_bf16: bool, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: has_bf16)
    placement = Placement(torch.device("cuda"), "test", "fp16", 2**30)
    assert placement.decoder_dtype("sdxl") == expected
    assert placement.decoder_dtype("sdxl-refiner") == expected
