"""Measure a Postcard checkpoint: held-out captions drawn and judged on pixels. `python -m training.evaluate`.

Prints a table and one JSON object, and writes a contact sheet. The judge is measured on fresh renders first: its own
error is part of the answer.
"""

from __future__ import annotations

import argparse
import json
import random
import textwrap
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline
from PIL import Image, ImageDraw
from tqdm import tqdm

from training.__main__ import FOLDER
from training.autoencoder import psnr
from training.captions import full
from training.draw import draw
from training.judge import judge
from training.renders import HELD_OUT_SEED, render
from training.scenes import COLOURED, COLOURS, PLACES, SETTINGS, SKIES, Scene, held_out_mixtures, numbered, subject_at


@dataclass(frozen=True)
class Manner:
    """How pictures are drawn: pixels a side, DPM++ 2M steps, guidance."""

    size: int = 256
    steps: int = 20
    guidance: float = 6.0


@dataclass(frozen=True)
class Order:
    """One held-out caption and what it asks for."""

    caption: str
    scene: Scene


def held_out_orders(count: int, seed: int = 7) -> list[Order]:
    """Captions whose mixture of sky, setting and subject no training picture had; the same ones every time."""
    mixtures = held_out_mixtures()
    random.Random(seed).shuffle(mixtures)
    orders = []
    for index in range(count):
        rng = random.Random(f"order/{seed}/{index}")
        sky, setting, kind = mixtures[index % len(mixtures)]
        colour = rng.choice(COLOURS) if kind in COLOURED else None
        subject = subject_at(kind, colour, rng.choice(PLACES), rng)
        scene = Scene(sky, setting, 0.6, None, subject, False, False, False, False, False, index)
        orders.append(Order(full(scene, rng), scene))
    return orders


def judge_accuracy(count: int, size: int = 256) -> dict[str, float]:
    """Share of fresh renders whose sky and setting the judge names rightly."""
    scenes = [numbered(HELD_OUT_SEED, index) for index in range(count)]
    verdicts = [judge(draw(scene, size)) for scene in scenes]
    return {
        "sky": float(np.mean([v.sky == s.sky for v, s in zip(verdicts, scenes, strict=True)])),
        "setting": float(np.mean([v.setting == s.setting for v, s in zip(verdicts, scenes, strict=True)])),
    }


def load(folder: Path, device: torch.device) -> Any:
    """The checkpoint with DPM++ 2M and Karras noise levels, in float32."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, local_files_only=True)
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config, use_karras_sigmas=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def generate(pipeline: Any, captions: list[str], manner: Manner, batch: int = 8) -> list[Image.Image]:
    """One picture a caption; picture i has seed i."""
    pictures: list[Image.Image] = []
    for start in tqdm(range(0, len(captions), batch), "pictures", mininterval=5):
        some = captions[start : start + batch]
        seeds = [torch.Generator("cpu").manual_seed(start + offset) for offset in range(len(some))]
        made = pipeline(
            some,
            height=manner.size,
            width=manner.size,
            num_inference_steps=manner.steps,
            guidance_scale=manner.guidance,
            generator=seeds,
        )
        pictures.extend(made.images)
    return pictures


def evaluate(folder: Path, count: int, manner: Manner, device: torch.device) -> dict[str, Any]:
    """Everything measured, with the pictures under `pictures` and a line a picture under `rows`."""
    orders = held_out_orders(count)
    pipeline = load(folder, device)
    pictures = generate(pipeline, [order.caption for order in orders], manner)
    rows: list[dict[str, Any]] = []
    for order, picture in zip(orders, pictures, strict=True):
        seen = judge(picture)
        rows.append(
            {
                "caption": order.caption,
                "sky": [order.scene.sky, seen.sky],
                "setting": [order.scene.setting, seen.setting],
                "right": order.scene.sky == seen.sky and order.scene.setting == seen.setting,
            }
        )
    fresh = np.stack([render(index, HELD_OUT_SEED, manner.size) for index in range(48)])
    return {
        "captions": count,
        **asdict(manner),
        "sky": float(np.mean([row["sky"][0] == row["sky"][1] for row in rows])),
        "setting": float(np.mean([row["setting"][0] == row["setting"][1] for row in rows])),
        "both": float(np.mean([row["right"] for row in rows])),
        "judge": judge_accuracy(200),
        "autoencoder_psnr_db": round(psnr(pipeline.vae, fresh, device), 2),
        "rows": rows,
        "pictures": pictures,
    }


def contact_sheet(pictures: list[Image.Image], rows: list[dict[str, Any]], columns: int = 8) -> Image.Image:
    """All pictures at 192 px with their captions; a red bar under those the judge found wrong."""
    side, text = 192, 38
    lines = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (side + 4), lines * (side + text + 6)), "white")
    pen = ImageDraw.Draw(sheet)
    for index, (picture, row) in enumerate(zip(pictures, rows, strict=True)):
        x, y = index % columns * (side + 4), index // columns * (side + text + 6)
        sheet.paste(picture.resize((side, side), Image.Resampling.LANCZOS), (x, y))
        pen.text((x + 2, y + side + 3), textwrap.fill(row["caption"], 32), fill="black", font_size=10)
        if not row["right"]:
            pen.rectangle((x, y + side, x + side, y + side + 3), fill="red")
    return sheet


def table(measured: dict[str, Any]) -> str:
    """The figures by sky and by setting, as Markdown."""
    lines = ["| asked | pictures | sky right | setting right |", "|---|---|---|---|"]
    for attribute, values in (("sky", SKIES), ("setting", SETTINGS)):
        for value in values:
            of = [row for row in measured["rows"] if row[attribute][0] == value]
            sky = sum(row["sky"][0] == row["sky"][1] for row in of)
            setting = sum(row["setting"][0] == row["setting"][1] for row in of)
            lines.append(f"| {value} | {len(of)} | {sky} | {setting} |")
    lines.append(
        f"| **all** | {measured['captions']} | {measured['sky']:.0%} | {measured['setting']:.0%} |\n\n"
        f"both right: {measured['both']:.0%}; judge on renders: sky {measured['judge']['sky']:.1%}, setting "
        f"{measured['judge']['setting']:.1%}; autoencoder {measured['autoencoder_psnr_db']} dB"
    )
    return "\n".join(lines)


def main() -> None:
    """Parse the command line, measure, print, and write the contact sheet."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    parser.add_argument("--captions", type=int, default=48)
    parser.add_argument("--size", type=int, default=Manner.size)
    parser.add_argument("--steps", type=int, default=Manner.steps)
    parser.add_argument("--guidance", type=float, default=Manner.guidance)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--sheet", type=Path, default=Path("contact-sheet.png"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    manner = Manner(options.size, options.steps, options.guidance)
    measured = evaluate(options.folder, options.captions, manner, torch.device(options.device))
    contact_sheet(measured["pictures"], measured["rows"]).save(options.sheet)
    print(table(measured))
    print(json.dumps({key: value for key, value in measured.items() if key not in ("rows", "pictures")}))


if __name__ == "__main__":
    main()
