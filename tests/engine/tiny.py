"""A complete checkpoint in miniature, with random weights: a folder that the loader takes for Stable Diffusion 1.x.

Its tokenizer has one token per character, so a prompt of more than 75 characters is a long one.
"""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

FEATURES = 16
START, END = "<|startoftext|>", "<|endoftext|>"


def write_tiny_checkpoint(folder: Path, seed: int = 0) -> Path:
    """Write the folder (about 600 KB); equal seeds give equal weights."""
    torch.manual_seed(seed)
    unet: Any = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=FEATURES,
        attention_head_dim=2,
        norm_num_groups=8,
    )
    # Untrained networks whisper; this one speaks loudly enough for prompts and neighbours to show.
    unet.conv_out.weight.data *= 4
    for name, parameter in unet.named_parameters():
        if "attn2.to_v" in name:
            parameter.data *= 8
    vae: Any = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=64,
        mid_block_add_attention=False,
    )
    vae.decoder.conv_out.weight.data *= 4
    vocabulary = _vocabulary()
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(vocabulary),
            hidden_size=FEATURES,
            intermediate_size=2 * FEATURES,
            num_hidden_layers=2,
            num_attention_heads=2,
            projection_dim=FEATURES,
            bos_token_id=vocabulary[START],
            eos_token_id=vocabulary[END],
            pad_token_id=vocabulary[END],
        )
    )
    for parameter in text_encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    unet.save_pretrained(folder / "unet")
    vae.save_pretrained(folder / "vae")
    text_encoder.save_pretrained(folder / "text_encoder")
    _write_json(folder / "tokenizer" / "vocab.json", vocabulary)
    (folder / "tokenizer" / "merges.txt").write_text("#version: 0.2\n")
    _write_json(
        folder / "tokenizer" / "tokenizer_config.json",
        {
            "tokenizer_class": "CLIPTokenizer",
            "bos_token": START,
            "eos_token": END,
            "unk_token": END,
            "pad_token": END,
            "model_max_length": 77,
        },
    )
    _write_json(
        folder / "scheduler" / "scheduler_config.json",
        {
            "_class_name": "DDIMScheduler",
            "num_train_timesteps": 1000,
            "beta_start": 0.00085,
            "beta_end": 0.012,
            "beta_schedule": "scaled_linear",
            "prediction_type": "epsilon",
            "set_alpha_to_one": False,
            "clip_sample": False,
            "steps_offset": 1,
        },
    )
    _write_json(
        folder / "model_index.json",
        {
            "_class_name": "StableDiffusionPipeline",
            "scheduler": ["diffusers", "DDIMScheduler"],
            "text_encoder": ["transformers", "CLIPTextModel"],
            "tokenizer": ["transformers", "CLIPTokenizer"],
            "unet": ["diffusers", "UNet2DConditionModel"],
            "vae": ["diffusers", "AutoencoderKL"],
        },
    )
    return folder


def _vocabulary() -> dict[str, int]:
    letters = [chr(code) for code in range(33, 127)]
    tokens = [*letters, *(letter + "</w>" for letter in letters), START, END]
    return {token: index for index, token in enumerate(tokens)}


def _write_json(file: Path, content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
