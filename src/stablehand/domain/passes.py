"""Passes: the rounds of sampling that a recipe takes, each with a recipe of its own.

Most pictures take one. A second pass at a larger size (hires fix) starts from what the first one drew; a picture that
starts from an input draws only the end of its schedule again.
"""

from dataclasses import dataclass, replace

from stablehand.domain.recipes import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One round of sampling."""

    number: int  #: 0 or 1
    recipe: Recipe  #: with this pass's size, steps, sampler, schedule and prompts
    strength: float | None = None  #: share of the way that is drawn again; None: from pure noise
    is_fixed: bool = False  #: all ``steps`` are taken, of a schedule that is longer for it
    steps_before: int | None = None  #: the steps of the pass before this one

    @property
    def calls(self) -> float:
        """About how many steps it takes."""
        if self.strength is None or self.is_fixed:
            return self.recipe.steps
        return max(1.0, self.strength * self.recipe.steps)


def passes(recipe: Recipe) -> tuple[Pass, ...]:
    """What a recipe takes, in order; none for kinds that do not sample."""
    if recipe.kind == "upscale":
        return ()
    strength = recipe.source.denoising_strength if recipe.source is not None else None
    hires = recipe.hires
    if hires is None:
        return (Pass(number=0, recipe=recipe, strength=strength),)
    # A second checkpoint belongs into the last pass, as in A1111: the first one only lays the picture out.
    first = Pass(number=0, recipe=replace(recipe, refiner=None), strength=strength)
    second = replace(
        recipe,
        width=hires.width,
        height=hires.height,
        steps=hires.steps or recipe.steps,
        sampler=hires.sampler or recipe.sampler,
        schedule=hires.schedule or recipe.schedule,
        prompt=recipe.prompt if hires.prompt is None else hires.prompt,
        negative_prompt=recipe.negative_prompt if hires.negative_prompt is None else hires.negative_prompt,
    )
    return (
        first,
        Pass(number=1, recipe=second, strength=hires.denoising_strength, is_fixed=True, steps_before=recipe.steps),
    )


def progress(recipe: Recipe, number: int, share: float) -> float:
    """How far a picture is that has done ``share`` of its pass ``number``: 0 to 1 over all passes."""
    shares = _shares(recipe)
    if not shares:
        return share
    return sum(shares[:number]) + share * shares[number]


def whole_steps(recipe: Recipe, first_steps: int) -> int:
    """How many steps of the first pass all passes are worth together; it takes ``first_steps`` itself. At least 1."""
    shares = _shares(recipe)
    return max(1, round(first_steps / shares[0]) if shares else first_steps)


def _shares(recipe: Recipe) -> list[float]:
    """How much of the work each pass is: steps times pixels. Their sum is 1."""
    work = [one.calls * one.recipe.width * one.recipe.height for one in passes(recipe)]
    return [one / sum(work) for one in work]
