"""A checker as an operator might write one; the settings of a test name it."""

import io

from PIL import Image

from stablehand.domain.recipes import Recipe
from stablehand.ports import Verdict


class Palette:
    """Looks at the picture for red, and at the prompt for what to do about it."""

    def check(self, picture: bytes, recipe: Recipe) -> Verdict:
        red, _, blue = Image.open(io.BytesIO(picture)).convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
        if red <= blue:
            return "keep"
        match recipe.prompt:
            case "a red flag":
                return "refuse"
            case "a red light":
                return "blur"
            case "a red herring":
                raise RuntimeError("the model is gone")
            case "a red book":
                return "burn"  # type: ignore[return-value]
        return "keep"


class Silent:
    """Has nothing to say."""


def broken() -> None:
    raise OSError("no weights")
