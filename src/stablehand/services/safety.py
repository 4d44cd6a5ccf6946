"""safety: what operators keep from being drawn, in words and in pictures."""

import logging

from stablehand.adapters.pictures import blur
from stablehand.domain.errors import CheckerAway, PictureRefused, PromptBlocked
from stablehand.domain.notes import Note
from stablehand.domain.recipes import Recipe
from stablehand.services import Services

_log = logging.getLogger(__name__)


def check_prompts(services: Services, **prompts: str | None) -> None:
    """Look at what is to be drawn; what is *not* to be drawn may be called by any name. Raises PromptBlocked."""
    if services.blocklist is None:
        return
    fields = [field for field, text in prompts.items() if text and services.blocklist.blocks(text)]
    if fields:
        raise PromptBlocked(fields)


def check_recipe(services: Services, recipe: Recipe) -> None:
    """The same of a recipe that was ordered before. Raises PromptBlocked."""
    hires = recipe.hires.prompt if recipe.hires is not None else None
    check_prompts(services, prompt=recipe.prompt, hr_prompt=hires)


def check_picture(services: Services, data: bytes, recipe: Recipe) -> tuple[bytes, tuple[Note, ...]]:
    """What is kept of a picture, and what is to be said of that. One picture at a time.

    Raises:
        PictureRefused: nothing is kept. CheckerAway: nobody could look at it now, and so nobody shall see it.
    """
    if services.checker is None:
        return data, ()
    try:
        with services.checking:
            verdict = services.checker.check(data, recipe)
    except Exception as error:
        _log.exception("the safety checker failed")
        raise CheckerAway(
            "The safety checker failed, so the picture was not taken.", hint="The server's log says why."
        ) from error
    match verdict:
        case "keep":
            return data, ()
        case "blur":
            return blur(data, quality=recipe.quality), (Note.BLURRED,)
        case "refuse":
            raise PictureRefused(
                "The safety checker of this server has refused the picture.",
                hint="Describe it otherwise; whoever runs the service decides what is kept.",
            )
    _log.error("the safety checker answered %r, which is none of keep, blur and refuse", verdict)
    raise CheckerAway("The safety checker gave no clear answer, so the picture was not taken.")
