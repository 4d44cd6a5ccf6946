"""Measure a Postcard checkpoint: held-out captions drawn, and judged by a network that saw renders alone.

`python -m training.evaluate` prints tables and one JSON object, and writes a contact sheet. The judge is measured on
fresh renders first: its own error is part of the answer.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from training.__main__ import FOLDER
from training.autoencoder import psnr
from training.judge import NOTHING, Verdict, accuracy, judge_all, shipped, truth_of
from training.orders import Order, held_out_orders, silent_orders
from training.printing import QUICK, Manner, generate, load
from training.renders import HELD_OUT_SEED, render
from training.sheet import contact_sheet, wall

BARS = {"sky": 0.90, "setting": 0.90, "object": 0.90, "colour": 0.85, "place": 0.80}
"""The share of pictures that must be right."""

ABSENT_BAR = 0.85
"""The share of pictures without a thing that a negative prompt names."""

PSNR_BAR = 32.0
JUDGE_BAR = 0.97

OTHER_SHAPES = ((128, 128), (192, 192), (320, 320), (320, 224), (224, 320))


def right(order: Order, seen: Verdict) -> dict[str, bool]:
    """For each attribute the caption names, whether the picture shows it."""
    true = truth_of(order.scene)
    return {name: getattr(seen, name) == getattr(true, name) for name in BARS if getattr(true, name)}


def shares(answers: Sequence[dict[str, bool]]) -> dict[str, float]:
    """The share of right answers to each question, of the pictures that were asked it."""
    asked = {name: [answer[name] for answer in answers if name in answer] for name in BARS}
    return {name: float(np.mean(values)) for name, values in asked.items() if values}


def obedience(
    pipeline: Any, count: int, manner: Manner
) -> tuple[list[Image.Image], list[Order], list[dict[str, bool]]]:
    """Held-out captions drawn, with what each picture has right."""
    orders = held_out_orders(count)
    pictures = generate(pipeline, [order.caption for order in orders], manner)
    return pictures, orders, [right(order, seen) for order, seen in zip(orders, judge_all(pictures), strict=True)]


def refusals(pipeline: Any, count: int, manner: Manner) -> dict[str, dict[str, float]]:
    """What negative prompts keep away: pictures drawn again from the same noise, with a thing named as unwanted.

    * ``pictures``: how many there are, and ``shown``: how many of them show the thing when nobody forbids it.
    * ``absent``: the share without it when it is unwanted: of all pictures for clouds and mountains, of those that
      showed one for objects, each of which is drawn again without its own.
    * ``taken``: the share of ``shown`` that it is gone from. The others could not fail, unless the word itself brings
      in what it forbids.
    """
    orders = silent_orders(count)
    captions = [order.caption for order in orders]
    before = judge_all(generate(pipeline, captions, manner))
    figures = {}
    for thing in ("clouds", "mountains", "object"):
        shown = [index for index, seen in enumerate(before) if _shows(seen, thing)]
        chosen = shown if thing == "object" else list(range(count))
        if not shown:
            continue
        names = [before[index].object if thing == "object" else thing for index in chosen]
        again = generate(pipeline, [captions[index] for index in chosen], manner, negatives=names, seeds=chosen)
        gone = {
            index: seen.object != name if thing == "object" else thing not in seen.features
            for index, name, seen in zip(chosen, names, judge_all(again), strict=True)
        }
        figures[thing] = {
            "pictures": count,
            "shown": len(shown),
            "absent": float(np.mean(list(gone.values()))),
            "taken": float(np.mean([gone[index] for index in shown])),
        }
    return figures


def _shows(seen: Verdict, thing: str) -> bool:
    return seen.object != NOTHING if thing == "object" else thing in seen.features


def seconds_a_picture(pipeline: Any, manner: Manner, tries: int = 3) -> float:
    """The fastest of several single pictures."""
    taken = []
    for _ in range(tries):
        start = time.perf_counter()
        generate(pipeline, ["a red house in a meadow at sunset, purple mountains"], manner)
        taken.append(time.perf_counter() - start)
    return round(min(taken), 2)


def evaluate(folder: Path, count: int, manner: Manner, device: torch.device, *, thorough: bool) -> dict[str, Any]:
    """Everything measured, with the pictures under `pictures`, their orders and answers beside them."""
    pipeline = load(folder, device)
    pictures, orders, answers = obedience(pipeline, count, manner)
    fresh = np.stack([render(index, HELD_OUT_SEED, 256) for index in range(48)])
    measured: dict[str, Any] = {
        "captions": count,
        **asdict(manner),
        "right": shares(answers),
        "autoencoder_psnr_db": round(psnr(pipeline.vae, fresh, device), 2),
        "judge": accuracy(shipped(), 500),
        "seconds_a_picture": seconds_a_picture(pipeline, manner),
        "threads": torch.get_num_threads(),
        "pictures": pictures,
        "orders": orders,
        "answers": answers,
    }
    if thorough:
        if manner.guidance > 1:
            measured["negative"] = refusals(pipeline, max(count // 3, 8), manner)
        measured["shapes"] = {
            f"{width}x{height}": shares(
                obedience(pipeline, max(count // 6, 8), replace(manner, width=width, height=height))[2]
            )
            for width, height in OTHER_SHAPES
        }
    return measured


def tables(measured: dict[str, Any]) -> str:
    """The figures as Markdown, each beside its bar."""
    lines = ["| asked for | right | bar |", "|---|---|---|"]
    lines += [f"| {name} | {_percent(share)} | {_percent(BARS[name])} |" for name, share in measured["right"].items()]
    for thing, found in measured.get("negative", {}).items():
        lines.append(
            f"| no {thing} (negative prompt; {found['shown']:.0f} of {found['pictures']:.0f} pictures show it unasked) "
            f"| {_percent(found['absent'])} | {_percent(ABSENT_BAR)} |"
        )
        if thing != "object":
            lines.append(f"| … gone from those {found['shown']:.0f} | {_percent(found['taken'])} | |")
    lines.append(f"| autoencoder, held-out renders | {measured['autoencoder_psnr_db']} dB | {PSNR_BAR:.0f} dB |")
    worst = min((measured["judge"][name], name) for name in (*BARS, "clouds", "mountains"))
    lines.append(f"| the judge on renders, worst answer ({worst[1]}) | {worst[0]:.1%} | {_percent(JUDGE_BAR)} |")
    if "shapes" in measured:
        lines += ["", f"| size | {' | '.join(BARS)} |", f"|---|{'---|' * len(BARS)}"]
        lines += [
            f"| {shape} | {' | '.join(_percent(found[name]) for name in BARS)} |"
            for shape, found in measured["shapes"].items()
        ]
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{share:.0%}"


def main() -> None:
    """Parse the command line, measure, print, and write the contact sheet."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    parser.add_argument("--captions", type=int, default=300)
    parser.add_argument("--width", type=int, default=Manner.width)
    parser.add_argument("--height", type=int, default=Manner.height)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--quick", action="store_true", help="as the distilled sibling is drawn: 4 steps, no guidance")
    parser.add_argument("--brief", action="store_true", help="no negative prompts and no other sizes")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--sheet", type=Path, default=Path("contact-sheet.png"))
    parser.add_argument("--wall", type=Path, help="the first 24 pictures without words")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    usual = QUICK if options.quick else Manner()
    steps = usual.steps if options.steps is None else options.steps
    guidance = usual.guidance if options.guidance is None else options.guidance
    manner = Manner(options.width, options.height, steps, guidance)
    device = torch.device(options.device)
    measured = evaluate(options.folder, options.captions, manner, device, thorough=not options.brief)
    pictures, orders, answers = (measured.pop(name) for name in ("pictures", "orders", "answers"))
    contact_sheet(pictures, [order.caption for order in orders], [all(a.values()) for a in answers]).save(options.sheet)
    if options.wall is not None:
        wall(pictures[:24]).save(options.wall, quality=85)
    print(tables(measured))
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
