"""The checkpoints that ship: their files, their size, and whether their pictures obey their captions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import CLIPTokenizer

from stablehand.domain.siblings import PARTS_FROM
from training.captions import words
from training.evaluate import BARS, right, shares
from training.judge import judge_all
from training.orders import held_out_orders
from training.printing import QUICK, Manner, generate, load

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "src/stablehand/builtin/checkpoints/postcard"
QUICK_FOLDER = FOLDER.with_name("postcard-quick")


def test_the_weights_stay_small() -> None:
    """17 MB a UNet and 42 MB in all: they travel in the wheel. The sibling borrows everything but its UNet."""
    sizes = {
        (folder.name, file.parent.name): file.stat().st_size
        for folder in (FOLDER, QUICK_FOLDER)
        for file in folder.rglob("*.safetensors")
    }
    own = {"postcard": {"text_encoder", "unet", "vae"}, "postcard-quick": {"unet"}}
    assert set(sizes) == {(folder, part) for folder, parts in own.items() for part in parts}
    assert max(size for (_, part), size in sizes.items() if part == "unet") <= 17_000_000
    assert sum(sizes.values()) <= 42_000_000


def test_the_sibling_says_who_lends_the_rest_and_how_it_draws() -> None:
    index = json.loads((QUICK_FOLDER / "model_index.json").read_text())
    assert index[PARTS_FROM] == FOLDER.name
    assert index["scheduler"][1] == "LCMScheduler"
    configs = [json.loads((folder / "unet/config.json").read_text()) for folder in (FOLDER, QUICK_FOLDER)]
    assert configs[0]["block_out_channels"] == configs[1]["block_out_channels"]


def test_its_configuration_says_what_it_is() -> None:
    unet = json.loads((FOLDER / "unet/config.json").read_text())
    vae = json.loads((FOLDER / "vae/config.json").read_text())
    text = json.loads((FOLDER / "text_encoder/config.json").read_text())
    scheduler = json.loads((FOLDER / "scheduler/scheduler_config.json").read_text())
    assert unet["sample_size"] * 2 ** (len(vae["block_out_channels"]) - 1) == 256
    assert unet["cross_attention_dim"] == text["hidden_size"]
    assert vae["latent_channels"] == unet["in_channels"] == 4
    assert vae["scaling_factor"] == 1.0  # its latents are white: Stable Diffusion's 0.18215 would be wrong
    assert scheduler["prediction_type"] == "epsilon"
    assert (scheduler["beta_start"], scheduler["beta_end"]) == (0.00085, 0.012)


def test_its_tokenizer_knows_the_captions_words() -> None:
    tokenizer = CLIPTokenizer.from_pretrained(FOLDER / "tokenizer")
    text = json.loads((FOLDER / "text_encoder/config.json").read_text())
    assert len(tokenizer) == text["vocab_size"]
    assert tokenizer.eos_token_id == text["eos_token_id"]
    assert all(len(tokenizer(word, add_special_tokens=False).input_ids) == 1 for word in words())


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("folder", "manner"), [(FOLDER, Manner(steps=10)), (QUICK_FOLDER, QUICK)], ids=["ten steps", "four steps"]
)
def test_pictures_obey_held_out_captions(folder: Path, manner: Manner) -> None:
    """24 captions whose mixtures training never showed; the full 300 are `python -m training.evaluate`."""
    torch.set_num_threads(2)
    orders = held_out_orders(24)
    pictures = generate(load(folder, torch.device("cpu")), [order.caption for order in orders], manner)
    assert {picture.size for picture in pictures} == {(256, 256)}
    found = shares([right(order, seen) for order, seen in zip(orders, judge_all(pictures), strict=True)])
    # Five pictures in 24 below the bar of 300 would be bad luck; more is bad drawing.
    assert {name: share for name, share in found.items() if share < BARS[name] - 0.2} == {}
