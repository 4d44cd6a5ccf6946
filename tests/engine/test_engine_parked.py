"""Parked states: the same bits after the round trip, and a clear refusal of anything else."""

import json
import math
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from stablehand.engine import parked
from stablehand.engine.faults import ParkedStateBroken
from stablehand.engine.parked import pack, unpack
from stablehand.engine.samplers.state import SamplerState

TYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64)
FLOATS = st.floats() | st.sampled_from((0.1, 1 / 3, 5e-324, 1.7976931348623157e308))
NAMES = st.text("abcdefghijklmnopqrstuvwxyz._ é", min_size=1, max_size=8)


def state_of(seed: int) -> SamplerState:
    """Shapes, types and lengths at random, values of every magnitude, infinities and NaN among them."""
    chance = random.Random(seed)
    generator = torch.Generator().manual_seed(seed)

    def tensor(*shape: int) -> torch.Tensor:
        values = torch.randn(shape, generator=generator) * 10.0 ** chance.randint(-8, 8)
        values.view(-1)[0] = chance.choice((math.inf, math.nan, -0.0))
        kind = chance.choice(TYPES)
        return (values.nan_to_num() if kind == torch.int64 else values).to(kind)

    latent = tensor(chance.randint(1, 9), chance.randint(1, 6), chance.randint(1, 6)).to(torch.float32)
    steps = chance.randint(0, 30)
    return SamplerState(
        latent=latent,
        sigmas=tuple(chance.random() * 10 ** chance.randint(-3, 3) for _ in range(steps + 1)),
        step=chance.randint(0, steps),
        draws=chance.randint(1, 10**6),
        history={
            name: tuple(tensor(*latent.shape) for _ in range(chance.randint(0, 3)))
            for name in chance.sample(("denoised", "slopes", "a.b", "x"), chance.randint(0, 4))
        },
    )


def assert_same(first: SamplerState, second: SamplerState) -> None:
    assert repr((first.sigmas, first.step, first.draws, first.numbers)) == repr(
        (second.sigmas, second.step, second.draws, second.numbers)
    )
    assert first.history.keys() == second.history.keys()
    pairs = [(first.latent, second.latent)]
    for name, tensors in first.history.items():
        pairs += zip(tensors, second.history[name], strict=True)
    for mine, theirs in pairs:
        assert mine.dtype == theirs.dtype
        assert mine.shape == theirs.shape
        assert torch.equal(mine.reshape(-1).view(torch.uint8), theirs.reshape(-1).view(torch.uint8))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), numbers=st.dictionaries(NAMES, FLOATS | st.integers(-(2**70), 2**70), max_size=5))
def test_nothing_is_lost_on_the_way(seed: int, numbers: dict[str, float]) -> None:
    state = state_of(seed)
    state.numbers = numbers
    assert_same(unpack(pack(state)), state)


def test_a_view_into_a_batch_is_parked_alone() -> None:
    batch = torch.randn(8, 4, 32, 32)
    state = SamplerState(batch[3].transpose(1, 2), (1.0, 0.0), history={"denoised": (batch[3], batch[3])})
    assert_same(unpack(pack(state)), state)
    assert len(pack(state)) < 4 * batch[3].nbytes


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), data=st.data())
def test_damaged_bytes_are_refused(seed: int, data: st.DataObject) -> None:
    packed = pack(state_of(seed))
    place = data.draw(st.integers(0, len(packed) - 1))
    bit = data.draw(st.integers(0, 7))
    flipped = bytearray(packed)
    flipped[place] ^= 1 << bit
    for damaged in (bytes(flipped), packed[:place], packed + b"\0", packed[1:]):
        try:
            state = unpack(damaged)
        except ParkedStateBroken as error:
            assert error.hint
        else:  # a bit that means nothing, as one more blank in a header's padding
            assert_same(state, state_of(seed))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused(foreign: bytes) -> None:
    with pytest.raises(ParkedStateBroken):
        unpack(foreign)


def test_other_safetensors_and_other_versions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParkedStateBroken, match="header"):
        unpack(save({"weight": torch.ones(3)}))
    with pytest.raises(ParkedStateBroken, match="'pt'"):
        unpack(save({"weight": torch.ones(3)}, {"format": "pt", "version": "1"}))
    state = state_of(1)
    with monkeypatch.context() as patch:
        patch.setattr(parked, "VERSION", 3)
        newer = pack(state)
    with pytest.raises(ParkedStateBroken, match="version 3"):
        unpack(newer)


def test_a_header_that_lies_is_refused() -> None:
    metadata = {"format": "stablehand-parked", "version": "2", "state": "[" * 100_000, "sha256": ""}
    for content in (b"[" * 100_000, json.dumps({"__metadata__": metadata}).encode(), b'{"__metadata__": 3}'):
        with pytest.raises(ParkedStateBroken):
            unpack(len(content).to_bytes(8, "little") + content)
    for length in (2**20 + 1, 2**63):
        with pytest.raises(ParkedStateBroken):
            unpack(length.to_bytes(8, "little") + b"{}")


def test_values_of_the_wrong_kind_are_refused() -> None:
    """Also with a digest that fits: somebody may have written them on purpose."""
    good = torch.ones(4, 2, 2)
    for wrong in (
        SamplerState(good, ()),
        SamplerState(good, (1.0, 0.0), step=2),
        SamplerState(good, (1.0, 0.0), step=-1),
        SamplerState(good, (1.0, 0.0), draws=0.5),  # type: ignore[arg-type]
        SamplerState(good, (1.0, 0.0), numbers={"h": "long"}),  # type: ignore[dict-item]
        SamplerState(good[0], (1.0, 0.0)),
        SamplerState(good.long(), (1.0, 0.0)),
    ):
        packed = pack(wrong)
        with pytest.raises(ParkedStateBroken):
            unpack(packed)


def test_size_is_checked_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = pack(state_of(2))
    monkeypatch.setattr(parked, "SIZE_LIMIT_BYTES", len(packed) - 1)
    with pytest.raises(ParkedStateBroken, match="more than"):
        unpack(packed)
    with pytest.raises(ParkedStateBroken, match="more than"):
        pack(state_of(2))
