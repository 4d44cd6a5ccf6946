"""Parking: whoever cuts a picture, wherever and how often, it goes on as if nothing had happened, bit for bit."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from stablehand.domain.recipes import SamplerOptions
from stablehand.engine.levels import Sigmas
from stablehand.engine.parked import pack, unpack
from stablehand.engine.samplers import METHODS, plan_part, plan_sigmas
from tests.engine.solving import LEVELS, Denoise, Solving, any_denoiser

#: Ancestral noise and churn where the sampler knows them, and reseeded draws.
RESTLESS = SamplerOptions(eta=0.8, s_churn=6.0, s_tmin=0.1, s_noise=1.02, ensd=31337)


def solving(sampler: str, seed: int, options: SamplerOptions) -> Solving:
    return Solving(sampler, any_denoiser(random.Random(seed)), seed, any_denoiser(random.Random(seed + 1)), options)


def plans(sampler: str, chance: random.Random) -> list[tuple[Sigmas, SamplerOptions]]:
    """Pure noise, long enough for all orders and for restarts, and a second pass; one of them with more noise added."""
    long = 22 if sampler == "Restart" else 7
    options = chance.sample([SamplerOptions(), RESTLESS], 2)
    return [
        (plan_sigmas(sampler, "Automatic", long, LEVELS), options[0]),
        (plan_part(sampler, "Automatic", 5, LEVELS, chance.uniform(0.2, 0.9), is_fixed=True), options[1]),
    ]


@pytest.mark.parametrize("sampler", METHODS)
def test_a_picture_cut_after_any_call_goes_on_exactly(sampler: str, chance: random.Random) -> None:
    """Cut in the middle of a step as well: that step is done again."""
    seed = chance.randrange(2**32)
    for sigmas, options in plans(sampler, chance):
        whole = solving(sampler, seed, options)
        expected = whole.draw(sigmas)
        steps_seen = set()
        for cut in range(whole.calls):
            first = solving(sampler, seed, options)
            state = first.begin(sigmas)
            assert not first.go_on(state, calls=cut)
            steps_seen.add(state.step)
            parked = pack(state)
            second = solving(sampler, seed, options)
            continued = unpack(parked)
            assert continued.progress == state.progress < 1
            assert second.go_on(continued)
            assert torch.equal(continued.latent, expected), f"cut after {cut} calls"
            assert whole.calls <= first.calls + second.calls <= whole.calls + 2, "at most one step is done again"
            assert pack_is_untouched(parked, state.latent)
        assert len(steps_seen) > 1


def pack_is_untouched(parked: bytes, latent: torch.Tensor) -> bool:
    """Going on did not write into the state that was parked."""
    return torch.equal(unpack(parked).latent, latent)


@pytest.mark.parametrize("sampler", METHODS)
def test_a_picture_cut_again_and_again_goes_on_exactly(sampler: str, chance: random.Random) -> None:
    seed = chance.randrange(2**32)
    sigmas = plan_sigmas(sampler, "Automatic", 22, LEVELS)
    expected = solving(sampler, seed, RESTLESS).draw(sigmas)
    state = solving(sampler, seed, RESTLESS).begin(sigmas)
    for _ in range(1000):
        # At least three calls: the longest step.
        if solving(sampler, seed, RESTLESS).go_on(state, calls=chance.randint(3, 6)):
            break
        state = unpack(pack(state))
    assert torch.equal(state.latent, expected)


_CONTINUE = """
import sys
from pathlib import Path
import torch
from stablehand.engine.parked import pack, unpack
from tests.engine.test_engine_cutting import RESTLESS, solving
torch.set_num_threads(1)
folder, seed = Path(sys.argv[1]), int(sys.argv[2])
for file in sorted(folder.glob("*.parked")):
    state = unpack(file.read_bytes())
    assert solving(file.stem, seed, RESTLESS).go_on(state)
    (folder / f"{file.stem}.drawn").write_bytes(pack(state))
"""


def test_pictures_go_on_in_a_new_process(tmp_path: Path, chance: random.Random) -> None:
    seed = chance.randrange(2**32)
    expected = {}
    for sampler in METHODS:
        sigmas = plan_sigmas(sampler, "Automatic", 20, LEVELS)
        whole = solving(sampler, seed, RESTLESS)
        expected[sampler] = whole.draw(sigmas)
        first = solving(sampler, seed, RESTLESS)
        state = first.begin(sigmas)
        first.go_on(state, calls=chance.randrange(whole.calls))
        (tmp_path / f"{sampler}.parked").write_bytes(pack(state))
    subprocess.run([sys.executable, "-c", _CONTINUE, str(tmp_path), str(seed)], check=True, timeout=300)
    for sampler, latent in expected.items():
        assert torch.equal(unpack((tmp_path / f"{sampler}.drawn").read_bytes()).latent, latent), sampler


def test_another_seed_or_denoiser_would_show(chance: random.Random) -> None:
    """The tests above could not fail if everything gave the same picture."""
    for sampler in METHODS:
        sigmas = plan_sigmas(sampler, "Automatic", 9, LEVELS)
        pictures = [solving(sampler, seed, RESTLESS).draw(sigmas) for seed in (1, 2)]
        assert not torch.equal(pictures[0], pictures[1])
    guided: list[Denoise] = [any_denoiser(random.Random(seed)) for seed in (1, 2, 3)]
    sigmas = plan_sigmas("DDIM CFG++", "Automatic", 9, LEVELS)
    first, second = (Solving("DDIM CFG++", guided[0], 3, uncond).draw(sigmas) for uncond in guided[1:])
    assert not torch.equal(first, second)
