"""Write the trained networks as a folder in diffusers' layout, in half precision."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, LCMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from stablehand.domain.siblings import PARTS_FROM
from training import vocabulary
from training.denoiser import NOISE, Denoiser
from training.distil import LEVELS


def tokenizer_of(folder: Path) -> CLIPTokenizer:
    """Postcard's tokenizer, its files written into `folder`."""
    vocabulary.write(folder)
    tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(folder)
    return tokenizer


def export(autoencoder: AutoencoderKL, weights: dict[str, Tensor], folder: Path) -> None:
    """Write everything that `StableDiffusionPipeline.from_pretrained(folder)` reads. The model card is not touched."""
    tokenizer = tokenizer_of(folder / "tokenizer")
    denoiser = Denoiser(len(tokenizer))
    denoiser.load_state_dict(weights)
    pipeline = StableDiffusionPipeline(
        vae=autoencoder,
        text_encoder=denoiser.text,
        tokenizer=tokenizer,
        unet=denoiser.unet,
        scheduler=DDIMScheduler(**NOISE, clip_sample=False, set_alpha_to_one=False, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).to(dtype=torch.float16)
    pipeline.save_pretrained(folder, safe_serialization=True)
    _settle(folder)


def export_quick(unet_weights: dict[str, Tensor], folder: Path, sibling: Path) -> None:
    """Write the distilled sibling: its own UNet and scheduler; everything else is `sibling`'s, which lies beside it."""
    config = UNet2DConditionModel.load_config(sibling / "unet")
    unet = UNet2DConditionModel.from_config(config)
    unet.load_state_dict(unet_weights)
    unet.to(dtype=torch.float16).save_pretrained(folder / "unet", safe_serialization=True)
    LCMScheduler(
        **NOISE, clip_sample=False, set_alpha_to_one=False, steps_offset=1, original_inference_steps=LEVELS
    ).save_pretrained(folder / "scheduler")
    index = json.loads((sibling / "model_index.json").read_text())
    index |= {"scheduler": ["diffusers", "LCMScheduler"], PARTS_FROM: sibling.name}
    (folder / "model_index.json").write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")
    for file in folder.rglob("*.safetensors"):
        file.chmod(0o644)


def loaded(folder: Path) -> tuple[AutoencoderKL, dict[str, Tensor]]:
    """Autoencoder and denoiser weights of an exported checkpoint, in float32: what training can go on from."""
    autoencoder = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32)
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
    text = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
    parts = {"unet": unet.state_dict(), "text": text.state_dict()}
    return autoencoder, {f"{part}.{name}": tensor for part, found in parts.items() for name, tensor in found.items()}


def _settle(folder: Path) -> None:
    """Mend what the libraries leave behind: formats, file modes and a precision that surprises."""
    # transformers saves one merged file in place of the two that CLIP readers expect.
    (folder / "tokenizer" / "tokenizer.json").unlink(missing_ok=True)
    vocabulary.write(folder / "tokenizer")
    # transformers loads in the precision its config names, diffusers in float32: a pipeline loaded without a word about
    # precision would mix the two.
    config = folder / "text_encoder" / "config.json"
    config.write_text(
        json.dumps(json.loads(config.read_text()) | {"dtype": "float32"}, indent=2, sort_keys=True) + "\n"
    )
    for file in folder.rglob("*.safetensors"):
        file.chmod(0o644)
