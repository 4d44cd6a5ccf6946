"""`python -m training.welcome`: the pictures on the page's first screen, drawn by the checkpoint that ships."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from training.__main__ import FOLDER
from training.printing import Manner, generate, load

_PAGE = Path(__file__).parents[1] / "web" / "src"
EXAMPLES = _PAGE / "domain" / "examples.json"
"""Name, prompt and seed of each picture; the page reads the prompts from there too."""

PICTURES = _PAGE / "assets" / "examples"
MANNER = Manner(width=320, height=224)
_QUALITY = 88


def main() -> None:
    """Parse the command line and draw."""
    parser = argparse.ArgumentParser(prog="python -m training.welcome", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    options = parser.parse_args()
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    pictures = generate(
        load(options.folder, torch.device("cpu")),
        [example["prompt"] for example in examples],
        MANNER,
        seeds=[example["seed"] for example in examples],
    )
    PICTURES.mkdir(parents=True, exist_ok=True)
    for example, picture in zip(examples, pictures, strict=True):
        picture.save(PICTURES / f"{example['name']}.webp", quality=_QUALITY, method=6)


if __name__ == "__main__":
    main()
