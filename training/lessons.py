"""What the denoiser learns from: latents by shape and captions as tokens, both made once and kept where it trains."""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from tqdm import tqdm
from transformers import CLIPTokenizer

from training.captions import Wording, describe
from training.latents import Shape, encoded
from training.scenes import numbered
from training.vocabulary import LENGTH
from training.workshop import Workshop

WORDINGS = 16
"""Captions of each scene, in as many wordings and silences."""


@dataclass(frozen=True)
class Lessons:
    """`latents` (scenes, 4, h, w) by shape of the render; `tokens` (scenes, wordings, 77) of the same scenes.

    `vocabulary` is how many different tokens there are.
    """

    latents: dict[Shape, Tensor]
    tokens: Tensor
    vocabulary: int

    def batch(self, shape: Shape, count: int, rng: random.Random) -> tuple[Tensor, Tensor]:
        """Latents (count, 4, h, w) and token ids (count, 77) of scenes of this shape, each in one of its wordings."""
        latents = self.latents[shape]
        scenes = torch.tensor([rng.randrange(len(latents)) for _ in range(count)], device=latents.device)
        wordings = torch.tensor([rng.randrange(self.tokens.shape[1]) for _ in range(count)], device=latents.device)
        return latents[scenes].float(), self.tokens[scenes, wordings].long()


def prepare(
    autoencoder: AutoencoderKL,
    tokenizer: CLIPTokenizer,
    workshop: Workshop,
    *,
    seed: int,
    shapes: tuple[Shape, ...],
    scenes: int,
    worded: Wording = describe,
) -> Lessons:
    """Draw, encode and describe the first `scenes` scenes of a series; in shapes after the first, a quarter as many.

    What a postcard shows is learnt from the first shape; the others teach only how it fills another frame.
    """
    latents = {
        shape: encoded(autoencoder, workshop, seed, shape, scenes if shape == shapes[0] else max(scenes // 4, 1))
        for shape in dict.fromkeys(shapes)
    }
    tokens = tokens_of(tokenizer, seed, scenes, worded)
    there = {shape: found.to(workshop.device) for shape, found in latents.items()}
    return Lessons(there, tokens.to(workshop.device), len(tokenizer))


def tokens_of(
    tokenizer: CLIPTokenizer, seed: int, scenes: int, worded: Wording = describe, wordings: int = WORDINGS
) -> Tensor:
    """Token ids of `wordings` captions for each of the first `scenes` scenes, (scenes, wordings, 77) in int16."""
    rows = []
    for index in tqdm(range(scenes), "captions", mininterval=5):
        scene, rng = numbered(seed, index), random.Random(f"captions/{seed}/{index}")
        texts = [worded(scene, rng) for _ in range(wordings)]
        rows.append(tokenizer(texts, padding="max_length", max_length=LENGTH, truncation=True).input_ids)
    return torch.tensor(rows, dtype=torch.int16)
