"""Say what a postcard shows: a small network that was trained on renders alone. `python -m training.judge` trains it.

It has never seen a generated picture, so it cannot have learnt to be kind to one. In training its renders are blurred,
dimmed and made noisy at random, for a generated picture is a little of each.
"""

from __future__ import annotations

import argparse
import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from training.draw import draw
from training.pace import share_of_rate
from training.scenes import COLOURS, KINDS, PLACES, SETTINGS, SKIES, Scene, sample

FILE = Path(__file__).with_name("judge.safetensors")
SIDE = 96
"""Pixels to which a picture is brought, whatever its shape."""

FEATURES = ("clouds", "mountains", "sun", "moon", "stars", "rainbow")
NOTHING = "nothing"
"""The object of a picture without one."""

CHOICES: dict[str, tuple[str, ...]] = {
    "sky": SKIES,
    "setting": SETTINGS,
    "object": (NOTHING, *KINDS),
    "colour": COLOURS,
    "place": PLACES,
}
_SHAPES = ((SIDE, SIDE), (SIDE, SIDE), (SIDE, SIDE), (144, 96), (96, 144))
_NO_ANSWER = -1


@dataclass(frozen=True)
class Verdict:
    """What the picture shows. `colour` and `place` say something only where there is an object."""

    sky: str
    setting: str
    object: str
    colour: str
    place: str
    features: frozenset[str]


class _Block(nn.Module):
    """Half the size, then a convolution beside a straight path."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(after)
        self.again = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.norm_again = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.norm(self.down(x)))
        return functional.relu(x + self.norm_again(self.again(x)))


class Judge(nn.Module):
    """96 x 96 pixels to 6 x 6 places, and from these one answer to each question."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 16, 32, 56, 80)
        self.blocks = nn.Sequential(*(_Block(a, b) for a, b in pairwise(widths)))
        inside = widths[-1] * 13  # the mean of each row and of each column, and the largest value anywhere
        self.answers = nn.ModuleDict({name: nn.Linear(inside, len(values)) for name, values in CHOICES.items()})
        self.presence = nn.Linear(inside, len(FEATURES))

    def forward(self, pictures: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Logits of each question, and of each feature's presence, for pictures (N, 3, 96, 96) from -1 to 1."""
        seen = self.blocks(pictures)
        parts = [seen.mean(dim=3).flatten(1), seen.mean(dim=2).flatten(1), seen.amax(dim=(2, 3))]
        inside = functional.dropout(torch.cat(parts, dim=1), 0.1, self.training)
        return {name: head(inside) for name, head in self.answers.items()}, self.presence(inside)


def judge(picture: Image.Image) -> Verdict:
    """What the picture shows, by the network that ships with the training code."""
    return judge_all([picture])[0]


@torch.no_grad()
def judge_all(pictures: list[Image.Image], network: Judge | None = None) -> list[Verdict]:
    """What each picture shows."""
    network = network or shipped()
    small = [np.asarray(seen_small(picture)) for picture in pictures]
    choices, presence = network(_tensor(np.stack(small)))
    named = {name: [CHOICES[name][i] for i in logits.argmax(dim=1).tolist()] for name, logits in choices.items()}
    features = [
        frozenset(name for name, logit in zip(FEATURES, row, strict=True) if logit > 0) for row in presence.tolist()
    ]
    return [
        Verdict(**{name: values[index] for name, values in named.items()}, features=features[index])
        for index in range(len(pictures))
    ]


@cache
def shipped() -> Judge:
    """The network as trained, ready to judge."""
    network = Judge()
    network.load_state_dict({name: value.float() for name, value in load_file(FILE).items()}, strict=False)
    return network.eval()


def seen_small(picture: Image.Image) -> Image.Image:
    """The picture at the judge's size."""
    return picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)


def truth_of(scene: Scene) -> Verdict:
    """What the scene's render shows, known without looking."""
    subject = scene.subject
    return Verdict(
        scene.sky,
        scene.setting,
        subject.kind if subject else NOTHING,
        subject.colour or "" if subject else "",
        subject.place if subject else "",
        frozenset(name for name in FEATURES if getattr(scene, name)),
    )


def scene_of(seed: str, index: int) -> Scene:
    """A scene for the judge: from every mixture, those that Postcard never sees among them."""
    return sample(random.Random(f"judge/{seed}/{index}"), everything=True)


def accuracy(network: Judge, count: int, size: int = 256, seed: str = "held out") -> dict[str, float]:
    """Share of right answers on renders that training did not see. Colour and place count where there is one."""
    scenes = [scene_of(seed, index) for index in range(count)]
    verdicts = [seen for scene in scenes for seen in judge_all([draw(scene, size)], network)]
    pairs = list(zip(verdicts, map(truth_of, scenes), strict=True))
    figures = {}
    for name in CHOICES:
        asked = [(getattr(seen, name), getattr(true, name)) for seen, true in pairs if getattr(true, name)]
        figures[name] = float(np.mean([seen == true for seen, true in asked]))
    for name in FEATURES:
        figures[name] = float(np.mean([(name in seen.features) == (name in true.features) for seen, true in pairs]))
    return figures


@dataclass(frozen=True)
class Plan:
    """How long and how hard to train."""

    scenes: int = 16_000
    steps: int = 2_400
    batch: int = 64
    rate: float = 3e-3
    warmup: int = 50


def train(plan: Plan, processes: int) -> Judge:
    """A trained network, from renders drawn now."""
    scenes = [scene_of("seen", index) for index in range(plan.scenes)]
    with ProcessPoolExecutor(processes) as pool:
        drawn = pool.map(partial(_render, "seen"), range(plan.scenes), chunksize=64)
        pictures = np.stack(list(tqdm(drawn, "renders", plan.scenes, mininterval=5)))
    answers = {name: torch.tensor([_number(scene, name) for scene in scenes]) for name in CHOICES}
    features = torch.tensor([[float(name in truth_of(scene).features) for name in FEATURES] for scene in scenes])
    torch.manual_seed(1)
    network = Judge().train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=0.02)
    rng = np.random.default_rng(1)
    bar = tqdm(range(plan.steps), "judge", mininterval=10)
    for step in bar:
        chosen = rng.integers(0, plan.scenes, plan.batch)
        choices, presence = network(roughened(_tensor(pictures[chosen]), rng))
        losses = [
            functional.cross_entropy(logits, answers[name][chosen], ignore_index=_NO_ANSWER, label_smoothing=0.02)
            for name, logits in choices.items()
        ]
        loss = torch.stack(losses).sum() + functional.binary_cross_entropy_with_logits(presence, features[chosen])
        for group in optimiser.param_groups:
            group["lr"] = plan.rate * share_of_rate(step, plan.steps, plan.warmup)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    return network.eval()


def roughened(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Each picture of a batch shifted in colour, and half of the batches blurred or made noisy."""
    count = len(pictures)
    scale = torch.from_numpy(rng.uniform(0.88, 1.12, (count, 3, 1, 1)).astype(np.float32))
    shift = torch.from_numpy(rng.uniform(-0.08, 0.08, (count, 3, 1, 1)).astype(np.float32))
    rough = pictures * scale + shift
    if rng.random() < 0.5:
        small = functional.interpolate(rough, scale_factor=float(rng.uniform(0.4, 0.8)), mode="area")
        rough = functional.interpolate(small, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
    if rng.random() < 0.5:
        rough = rough + torch.from_numpy(rng.normal(0, rng.uniform(0, 0.12), rough.shape).astype(np.float32))
    return rough.clamp(-1, 1)


def _render(seed: str, index: int) -> NDArray[np.uint8]:
    width, height = _SHAPES[index % len(_SHAPES)]
    return np.asarray(seen_small(draw(scene_of(seed, index), width, height)))


def _number(scene: Scene, question: str) -> int:
    answer = getattr(truth_of(scene), question)
    return CHOICES[question].index(answer) if answer else _NO_ANSWER


def _tensor(pictures: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def main() -> None:
    """Parse the command line, train, measure and write the network."""
    parser = argparse.ArgumentParser(prog="python -m training.judge", description=main.__doc__)
    parser.add_argument("--steps", type=int, default=Plan.steps)
    parser.add_argument("--scenes", type=int, default=Plan.scenes)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=FILE)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    network = train(Plan(scenes=options.scenes, steps=options.steps), options.threads)
    weights = {name: value.half() for name, value in network.state_dict().items() if value.is_floating_point()}
    save_file(weights, options.out)
    for size in (256, SIDE):
        print(size, {name: round(share, 4) for name, share in accuracy(network, 500, size).items()})


if __name__ == "__main__":
    main()
