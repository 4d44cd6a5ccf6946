"""Noise: published values, the same whoever asks and in whatever order, and A1111's ways of varying a seed."""

import itertools
import math
import random
import warnings

import numpy as np
import pytest
import torch
import torchsde
from torch import Tensor

from stablehand.domain.recipes import NoiseOptions
from stablehand.engine import philox
from stablehand.engine.brownian import BrownianPath
from stablehand.engine.noise import Noise, mix
from stablehand.engine.samplers import plan_sigmas
from tests.engine.solving import LEVELS, SHAPE

SOURCES = ("CPU", "GPU", "NV")


def words(*numbers: int) -> tuple[np.ndarray, ...]:
    return tuple(np.array([number], dtype=np.uint32) for number in numbers)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_its_authors_test_vectors(
    counter: tuple[int, int, int, int], key: tuple[int, int], expected: tuple[int, ...]
) -> None:
    """Random123's kat_vectors for philox4x32 with ten rounds."""
    first, second, third, fourth = words(*counter)
    assert tuple(int(word[0]) for word in philox.philox((first, second, third, fourth), key)) == expected


def test_nv_noise_is_cudas() -> None:
    """What torch.randn printed on NVIDIA devices after manual_seed(0), in many a bug report."""
    expected = [
        -0.9247,
        -0.4253,
        -2.6438,
        0.1452,
        -0.1209,
        -0.5797,
        -0.6229,
        -0.3284,
        -1.0745,
        -0.3631,
        -1.6711,
        2.2655,
    ]
    drawn = Noise(0, (3, 4), NoiseOptions(source="NV")).at(0)
    assert drawn.dtype == torch.float32
    assert drawn.flatten().tolist() == pytest.approx(expected, abs=6e-5)


@pytest.mark.parametrize("source", SOURCES)
def test_noise_is_standard_normal_and_draws_are_unlike(source: str, chance: random.Random) -> None:
    noise = Noise(chance.randrange(2**63), (4, 64, 64), NoiseOptions(source=source))  # type: ignore[arg-type]
    draws = torch.stack([noise.at(position) for position in range(8)]).flatten(1).double()
    assert float(draws.mean().abs()) < 6 / math.sqrt(draws.numel())
    assert float((draws.var() - 1).abs()) < 6 * math.sqrt(2 / draws.numel())
    assert float((torch.corrcoef(draws) - torch.eye(8)).abs().max()) < 6 / math.sqrt(draws.shape[1])
    assert float(((draws.abs() < 1).double().mean() - 0.682689).abs()) < 0.02


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("ensd", [0, 31337])
def test_noise_is_a_function_of_seed_and_position(source: str, ensd: int, chance: random.Random) -> None:
    options = NoiseOptions(source=source)  # type: ignore[arg-type]
    seed = chance.randrange(2**63)
    noise = Noise(seed, SHAPE, options, ensd=ensd)
    in_order = [noise.at(position) for position in range(6)]
    for position in (3, 3, 0, 4, 1, 5, 0):
        assert torch.equal(noise.at(position), in_order[position])
        assert torch.equal(Noise(seed, SHAPE, options, ensd=ensd).at(position), in_order[position])
    assert not torch.equal(in_order[0], in_order[1])
    assert not torch.equal(in_order[0], Noise(seed + 1, SHAPE, options).at(0))
    assert Noise(2**63 - 1, SHAPE, options, ensd=ensd).at(1).isfinite().all()


def test_cpu_noise_is_torchs_generator_going_on() -> None:
    generator = torch.Generator().manual_seed(11)
    noise = Noise(11, SHAPE)
    for position in range(5):
        assert torch.equal(noise.at(position), torch.randn(SHAPE, generator=generator))


def test_ensd_reseeds_all_but_the_first_draw() -> None:
    moved = Noise(5, SHAPE, ensd=31337)
    assert torch.equal(moved.at(0), Noise(5, SHAPE).at(0))
    for position in range(1, 4):
        assert torch.equal(moved.at(position), Noise(5 + 31337, SHAPE).at(position - 1))


def test_without_a_gpu_its_source_is_the_cpus() -> None:
    assert torch.equal(Noise(9, SHAPE, NoiseOptions(source="GPU")).at(2), Noise(9, SHAPE).at(2))


# Variations


@pytest.mark.parametrize("source", SOURCES)
def test_a_variation_seed_mixes_along_the_arc(source: str, chance: random.Random) -> None:
    seed, subseed = chance.randrange(2**32), chance.randrange(2**32)

    def drawn(strength: float) -> Noise:
        options = NoiseOptions(source=source, subseed=subseed, subseed_strength=strength)  # type: ignore[arg-type]
        return Noise(seed, (4, 16, 24), options)

    plain = Noise(seed, (4, 16, 24), NoiseOptions(source=source))  # type: ignore[arg-type]
    other = Noise(subseed, (4, 16, 24), NoiseOptions(source=source))  # type: ignore[arg-type]
    assert torch.equal(drawn(0).at(0), plain.at(0))
    torch.testing.assert_close(drawn(1).at(0), other.at(0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(drawn(0.3).at(0), published_slerp(0.3, plain.at(0), other.at(0)), rtol=1e-4, atol=1e-4)
    assert float(drawn(0.5).at(0).var()) == pytest.approx(1, abs=0.15)
    assert torch.equal(drawn(0.3).at(2), plain.at(2)), "only the start is varied"


def published_slerp(share: float, low: Tensor, high: Tensor) -> Tensor:
    """Shoemake's formula vector by vector, in float64; vectors run along dimension 1."""
    result = torch.empty(low.shape, dtype=torch.float64)
    for channel in range(low.shape[0]):
        for column in range(low.shape[2]):
            a, b = low[channel, :, column].double(), high[channel, :, column].double()
            angle = math.acos(float(a @ b / (a.norm() * b.norm())))
            result[channel, :, column] = (math.sin((1 - share) * angle) * a + math.sin(share * angle) * b) / math.sin(
                angle
            )
    return result.float()


def test_parallel_and_opposite_noise_mixes_without_nan() -> None:
    noise = Noise(4, SHAPE).at(0)
    torch.testing.assert_close(mix(noise, noise, 0.4), noise)
    assert mix(noise, -noise, 0.4).isfinite().all()
    partly = noise.clone()
    partly[1:] = Noise(5, SHAPE).at(0)[1:]
    assert mix(noise, partly, 0.4).isfinite().all()


@pytest.mark.parametrize(("width", "height"), [(64, 64), (48, 96), (96, 40), (88, 104), (24, 24)])
def test_seed_resize_keeps_the_middle(width: int, height: int) -> None:
    """The noise of the other size lies in the middle of this one's, or its middle fills this one."""
    shape = (4, 9, 8)  # of 64×72 pixels
    options = NoiseOptions(seed_resize_from_w=width, seed_resize_from_h=height)
    resized, canvas = Noise(7, shape, options).at(0), Noise(7, shape).at(0)
    small = Noise(7, (4, height // 8, width // 8)).at(0)
    if small.shape == canvas.shape:
        assert torch.equal(resized, canvas)
        return
    expected = canvas.clone()
    dx, dy = (shape[2] - small.shape[2]) // 2, (shape[1] - small.shape[1]) // 2
    for y in range(small.shape[1]):
        for x in range(small.shape[2]):
            # A1111 cuts as much on the far side as on the near one, and never reaches beyond the canvas.
            inside_x = dx >= 0 or -dx <= x < small.shape[2] + dx
            inside_y = dy >= 0 or -dy <= y < small.shape[1] + dy
            if inside_x and inside_y:
                expected[:, y + dy, x + dx] = small[:, y, x]
    assert torch.equal(resized, expected)
    assert torch.equal(Noise(7, shape, options).at(1), Noise(7, shape).at(1))


def test_seed_resize_needs_both_sides() -> None:
    assert torch.equal(Noise(7, SHAPE, NoiseOptions(seed_resize_from_w=128)).at(0), Noise(7, SHAPE).at(0))


# Brownian motion


def theirs_and_ours(seed: int, start: float, end: float) -> tuple[torchsde.BrownianTree, BrownianPath]:
    first, last = np.float32(start), np.float32(end)
    tree = torchsde.BrownianTree(t0=float(first), w0=torch.zeros(SHAPE), t1=float(last), entropy=seed)
    return tree, Noise(seed, SHAPE).path(start, end)


@pytest.mark.parametrize("schedule", ["Karras", "Exponential", "Uniform"])
def test_brownian_motion_is_torchsdes_bit_for_bit(schedule: str, chance: random.Random) -> None:
    sigmas = plan_sigmas("DPM++ 2M", schedule, chance.randint(1, 60), LEVELS)[:-1]
    sigmas = (*sigmas, 0.0291675) if len(sigmas) == 1 else sigmas
    seed = chance.randrange(2**63)
    tree, path = theirs_and_ours(seed, min(sigmas), max(sigmas))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchsde says so when a time lies a rounding error outside
        for sigma, following in itertools.pairwise(sigmas):
            low, high = float(np.float32(following)), float(np.float32(sigma))
            assert torch.equal(path.increment(low, high), tree(low, high))
            scaled = -tree(low, high) / (torch.tensor(high) - torch.tensor(low)).abs().sqrt()
            torch.testing.assert_close(path.noise(sigma, following), scaled, rtol=1e-6, atol=1e-6)


def test_brownian_motion_does_not_know_what_was_asked_before(chance: random.Random) -> None:
    seed = chance.randrange(2**32)
    times = [round(chance.uniform(0.03, 14.6), chance.randint(0, 7)) for _ in range(30)]
    asked = [tuple(sorted(chance.sample(times, 2))) for _ in range(30)]
    used = Noise(seed, SHAPE).path(0.03, 14.6)
    for low, high in asked:
        assert torch.equal(used.increment(low, high), Noise(seed, SHAPE).path(0.03, 14.6).increment(low, high))


def test_brownian_increments_add_up_and_have_their_variance(chance: random.Random) -> None:
    path = Noise(chance.randrange(2**32), (4, 64, 64)).path(0.0, 8.0)
    cuts = sorted([0.0, *(chance.uniform(0, 8) for _ in range(6)), 8.0])
    pieces = [path.increment(low, high) for low, high in itertools.pairwise(cuts)]
    torch.testing.assert_close(torch.stack(pieces).sum(0), path.increment(0.0, 8.0), rtol=1e-4, atol=1e-4)
    for piece, low, high in zip(pieces, cuts, cuts[1:], strict=False):
        assert float(piece.var()) == pytest.approx(high - low, rel=0.1)
    independent = torch.corrcoef(torch.stack(pieces).flatten(1)) - torch.eye(len(pieces))
    assert float(independent.abs().max()) < 6 / math.sqrt(pieces[0].numel())
    assert torch.equal(path.increment(3.0, 3.0), torch.zeros(4, 64, 64))


@pytest.mark.parametrize("source", SOURCES)
def test_brownian_motion_follows_the_noise_source(source: str) -> None:
    path = Noise(3, SHAPE, NoiseOptions(source=source)).path(0.03, 14.6)  # type: ignore[arg-type]
    reference = Noise(3, SHAPE).path(0.03, 14.6).increment(1.0, 2.0)
    assert torch.equal(path.increment(1.0, 2.0), reference) == (source != "NV")
