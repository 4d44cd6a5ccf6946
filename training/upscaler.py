"""The upscaler: twice as many pixels a side, learnt from renders at 512 px and what a checkpoint makes of them.

`python -m training.upscaler`. What it is to enlarge are pictures that Postcard draws: soft, and a little off where the
denoiser was unsure. So half of what it sees went through Postcard's autoencoder, with some noise on the latents; the
other half is clean, shrunk by one of several filters, so that renders and photographs of them do not suffer.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from stablehand.engine.srvgg import CompactNet
from training import snapshots
from training.muon import Optimiser
from training.pace import share_of_rate
from training.renders import HELD_OUT_SEED, cached

CHECKPOINT = Path(__file__).parents[1] / "src/stablehand/builtin/checkpoints/postcard"
FILE = Path(__file__).parents[1] / "src/stablehand/builtin/upscalers/postcard-2x.safetensors"

LARGE, SMALL = 512, 256
"""Pixels a side of what it is to draw, and of what it is given."""

_FILTERS = (Image.Resampling.BOX, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS, Image.Resampling.BILINEAR)


@dataclass(frozen=True)
class Plan:
    """How long and how hard to train. Sizes in pixels, counts in pictures."""

    seed: int = 2
    width: int = 48  #: channels
    convolutions: int = 12  #: between the first and the last one
    scenes: int = 600
    steps: int = 1700
    batch: int = 16
    crop: int = 48  #: of what it is given
    rate: float = 1e-3
    crops_solved: int = 30  #: batches that the last layer is solved with before the first step
    warmup: int = 100
    edge_weight: float = 0.5
    average: float = 0.998
    save_every: int = 250
    fresh: int = 24  #: held-out scenes it is measured with


def build(plan: Plan) -> CompactNet:
    """A network whose layers hand on what they see: a quarter of a million parameters.

    The first one sees each colour at each of nine places, and a few small random filters' answers besides; all that
    comes through to the last one, which :func:`solve` gives the best linear say.
    """
    network = CompactNet(width=plan.width, convolutions=plan.convolutions, scale=2)
    first, *inner, _ = [layer for layer in network.body if isinstance(layer, nn.Conv2d)]
    with torch.no_grad():
        for channel in range(27):
            first.weight[channel] = 0
            first.weight[channel, channel % 3, channel // 9, channel // 3 % 3] = 1.0
        for layer in (first, *inner):
            nn.init.zeros_(layer.bias if layer.bias is not None else layer.weight)
        for layer in inner:
            layer.weight.mul_(0.1).add_(nn.init.dirac_(torch.empty_like(layer.weight)))
    return network


@torch.no_grad()
def solve(network: CompactNet, large: NDArray[np.uint8], small: NDArray[np.uint8], plan: Plan) -> None:
    """Give the last layer the weights with the least squared error over some crops: linear regression with a ridge."""
    *before, last = network.body
    features = 9 * plan.width + 1  # what the last layer sees of one place, and its bias
    square, answer = torch.zeros(features, features), torch.zeros(features, 12)
    for number in range(plan.crops_solved):
        given, wanted = crops(large, small, plan, np.random.default_rng((plan.seed, 1, number)))
        seen = nn.Sequential(*before)(given)
        missing = wanted - functional.interpolate(given, scale_factor=2.0, mode="nearest")
        inputs = functional.unfold(seen, 3, padding=1).transpose(1, 2).flatten(0, 1)
        inputs = torch.cat((inputs, torch.ones(len(inputs), 1)), 1)
        targets = functional.pixel_unshuffle(missing, 2).flatten(2).transpose(1, 2).flatten(0, 1)
        square += inputs.T @ inputs
        answer += inputs.T @ targets
    ridge = 1e-4 * square.diagonal().mean() * torch.eye(features)
    solved = torch.linalg.solve((square + ridge).double(), answer.double()).float().T
    assert isinstance(last, nn.Conv2d)
    assert last.bias is not None
    last.weight.copy_(solved[:, :-1].reshape(last.weight.shape))
    last.bias.copy_(solved[:, -1])


@torch.no_grad()
def pairs(
    plan: Plan, state: Path, seed: int, count: int, processes: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Renders (count, 512, 512, 3) and what is made of them at 256 px, (2 * count, 256, 256, 3): clean ones first.

    Kept on disk. Which filter and how much noise is a function of the series and the number of the scene.
    """
    large = cached(state, seed, LARGE, count, processes)
    path = state / f"shrunk-{seed}-{SMALL}-{count}.npy"
    if not path.exists():
        autoencoder = AutoencoderKL.from_pretrained(CHECKPOINT / "vae", torch_dtype=torch.float32).eval()
        small = np.empty((2 * count, SMALL, SMALL, 3), np.uint8)
        for index in tqdm(range(count), "shrunk", mininterval=5):
            rng = np.random.default_rng((plan.seed, seed, index))
            picture = Image.fromarray(large[index])
            small[index] = np.asarray(picture.resize((SMALL, SMALL), _FILTERS[int(rng.integers(len(_FILTERS)))]))
            pixels = as_floats(np.array(picture.reduce(LARGE // SMALL))[None])
            latent = autoencoder.encode(pixels * 2 - 1).latent_dist.mode()
            noise = torch.from_numpy(rng.standard_normal(latent.shape, np.float32))
            drawn = autoencoder.decode(latent + noise * float(rng.uniform(0, 0.2))).sample[0]
            small[count + index] = ((drawn.clamp(-1, 1) + 1) * 127.5).round().permute(1, 2, 0).byte().numpy()
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as file:
            np.save(file, small)
        unfinished.rename(path)
    return large, np.load(path, mmap_mode="r")


def crops(
    large: NDArray[np.uint8], small: NDArray[np.uint8], plan: Plan, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """What it is given, (batch, 3, crop, crop), and what it should draw, twice as large; floats from 0 to 1.

    Of three places the busiest, since much of a postcard is plain sky; turned and mirrored as chance has it.
    """
    given: list[NDArray[np.uint8]] = []
    wanted: list[NDArray[np.uint8]] = []
    side = plan.crop
    for _ in range(plan.batch):
        index = int(rng.integers(len(small)))
        picture, target = small[index], large[index % len(large)]
        places = [tuple(int(place) for place in rng.integers(0, SMALL - side + 1, 2)) for _ in range(3)]
        y, x = max(places, key=lambda place: _business(target[2 * place[0] :, 2 * place[1] :], 2 * side))
        turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
        for pile, cut in (
            (given, picture[y : y + side, x : x + side]),
            (wanted, target[2 * y : 2 * (y + side), 2 * x : 2 * (x + side)]),
        ):
            turned = np.rot90(cut[:, ::-1] if mirrored else cut, turns)
            pile.append(np.ascontiguousarray(turned))
    return as_floats(np.stack(given)), as_floats(np.stack(wanted))


def _business(corner: NDArray[np.uint8], side: int) -> float:
    cut = corner[:side:4, :side:4].astype(np.int16)
    return float(np.abs(np.diff(cut, axis=1)).mean() + np.abs(np.diff(cut, axis=0)).mean())


def as_floats(pictures: NDArray[np.uint8]) -> Tensor:
    """(n, h, w, 3) bytes to (n, 3, h, w) from 0 to 1."""
    # A copy, since renders are mapped from a file that nobody writes to.
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 255


def loss_of(wanted: Tensor, drawn: Tensor, edge_weight: float) -> Tensor:
    """Absolute error of the colours and of the edges: differences of neighbours, and of those two apart."""
    loss = functional.l1_loss(drawn, wanted)
    for apart in (1, 2):
        for axis in (2, 3):
            a, b = (_differences(picture, apart, axis) for picture in (drawn, wanted))
            loss = loss + edge_weight * functional.l1_loss(a, b) / 2
    return loss


def _differences(picture: Tensor, apart: int, axis: int) -> Tensor:
    length = picture.shape[axis] - apart
    return picture.narrow(axis, apart, length) - picture.narrow(axis, 0, length)


def psnr(drawn: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio of bytes in dB."""
    error = float(np.square(drawn.astype(np.float64) - wanted).mean())
    return float(10 * np.log10(255.0**2 / max(error, 1e-6)))


@torch.no_grad()
def enlarged(network: CompactNet, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w, 3) bytes to (2h, 2w, 3) bytes."""
    drawn = network(as_floats(picture[None]))[0].clamp(0, 1)
    return np.asarray((drawn * 255).round().permute(1, 2, 0).byte().numpy())


def measured(network: CompactNet, large: NDArray[np.uint8], small: NDArray[np.uint8]) -> dict[str, dict[str, float]]:
    """Mean PSNR in dB of each way to enlarge, for clean pictures and for those that the autoencoder gave back."""
    found: dict[str, dict[str, float]] = {}
    for name, part in (("clean", small[: len(large)]), ("autoencoded", small[len(large) :])):
        ways: dict[str, list[float]] = {"bicubic": [], "Lanczos": [], "network": []}
        for picture, wanted in zip(part, large, strict=True):
            for way, kernel in (("bicubic", Image.Resampling.BICUBIC), ("Lanczos", Image.Resampling.LANCZOS)):
                drawn = np.asarray(Image.fromarray(picture).resize((LARGE, LARGE), kernel))
                ways[way].append(psnr(drawn, wanted))
            ways["network"].append(psnr(enlarged(network, picture), wanted))
        found[name] = {way: round(float(np.mean(values)), 2) for way, values in ways.items()}
    return found


def train(plan: Plan, state: Path, processes: int) -> CompactNet:
    """The averaged weights after `plan.steps`; goes on from the last saved state."""
    torch.manual_seed(plan.seed)
    network, averaged = build(plan), build(plan)
    for one in (network, averaged):
        one.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged.load_state_dict(network.state_dict())
    averaged.eval().requires_grad_(False)
    large, small = pairs(plan, state, plan.seed, plan.scenes, processes)
    fresh = pairs(plan, state, HELD_OUT_SEED, plan.fresh, processes)
    if not (state / "upscaler.pt").exists():
        solve(network, large, small, plan)
        averaged.load_state_dict(network.state_dict())
    optimiser = Optimiser(network, plan.rate)
    path, first = state / "upscaler.pt", 0
    if (saved := snapshots.load(path)) is not None:
        network.load_state_dict(saved["weights"])
        averaged.load_state_dict(saved["average"])
        optimiser.load_state_dict(saved["optimiser"])
        first = saved["step"]
    bar = tqdm(range(first, plan.steps), "upscaler", plan.steps, initial=first, mininterval=5)
    for step in bar:
        rng = np.random.default_rng((plan.seed, step))  # by step, so that a resumed run sees what an unbroken one sees
        given, wanted = crops(large, small, plan, rng)
        drawn = network(given.contiguous(memory_format=torch.channels_last))
        loss = loss_of(wanted, drawn, plan.edge_weight)
        optimiser.step(loss, share_of_rate(step, plan.steps, plan.warmup))
        kept = min(plan.average, (step + 1) / (step + 10))
        with torch.no_grad():
            for mean, now in zip(averaged.parameters(), network.parameters(), strict=True):
                mean.lerp_(now, 1 - kept)
        if (step + 1) % plan.save_every == 0 or step + 1 == plan.steps:
            parts = {"weights": network.state_dict(), "average": averaged.state_dict()}
            snapshots.save(path, parts | {"optimiser": optimiser.state_dict(), "step": step + 1})
            some = slice(0, min(2, plan.fresh))
            halves = np.concatenate([fresh[1][some], fresh[1][len(fresh[0]) :][some]])
            bar.write(f"step {step + 1}: loss {loss.item():.4f}, held out {measured(averaged, fresh[0][some], halves)}")
    return averaged


def export(network: CompactNet, file: Path) -> None:
    """Write the weights in half precision, under the names that published files have."""
    file.parent.mkdir(parents=True, exist_ok=True)
    weights = {name: weight.half().contiguous() for name, weight in network.state_dict().items()}
    save_file(weights, file, metadata={"format": "pt"})
    file.chmod(0o644)


def main() -> None:
    """Parse the command line, train, write the file and say how good it is."""
    parser = argparse.ArgumentParser(prog="python -m training.upscaler", description=main.__doc__)
    parser.add_argument("--state", type=Path, default=Path(__file__).parent / "state", help="where training is kept")
    parser.add_argument("--out", type=Path, default=FILE, help="the finished file")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--steps", type=int, default=Plan.steps)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    plan = Plan(steps=options.steps)
    network = train(plan, options.state, options.threads)
    export(network, options.out)
    network.load_state_dict({name: weight.half().float() for name, weight in network.state_dict().items()})
    found = measured(network, *pairs(plan, options.state, HELD_OUT_SEED, plan.fresh, options.threads))
    for name, ways in found.items():
        print(f"{name}: " + ", ".join(f"{way} {value:.2f} dB" for way, value in ways.items()))


if __name__ == "__main__":
    main()
