"""What pictures are asked to be: their prompts, encoded, as they change in the course of the steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stablehand.domain.passes import Pass
from stablehand.domain.prompts import spans, split
from stablehand.engine.checkpoints import Resident
from stablehand.engine.embeddings import Embedding
from stablehand.engine.samplers import find_method
from stablehand.engine.text import Prompt, Words


@dataclass(frozen=True, slots=True)
class Timed:
    """An encoded prompt in the course of the steps."""

    spans: tuple[tuple[int, Words], ...]  #: (last step that it holds for, words), in order; steps count from 1

    def at(self, step: int) -> Words:
        return next((words for last_step, words in self.spans if step <= last_step), self.spans[-1][1])


@dataclass(frozen=True, slots=True)
class Conditioning:
    """What a picture is asked to be, and what guidance pushes it away from."""

    parts: tuple[tuple[float, Timed], ...]  #: (say in the sum, prompt): those that AND joins
    uncond: Timed | None  #: None where nothing needs a second row

    @property
    def rows(self) -> int:
        return len(self.parts) + (self.uncond is not None)


def condition(
    turns: Sequence[Pass], resident: Resident, embeddings: Sequence[Mapping[str, Embedding]] = ()
) -> list[Conditioning]:
    """Encode the prompts of several passes for one checkpoint together; exact ones each for itself.

    ``embeddings``: for each pass, the words in it that a file teaches.
    """
    orders = [
        _Order(turn, resident, known) for turn, known in zip(turns, embeddings or [{} for _ in turns], strict=True)
    ]
    together = list(dict.fromkeys(prompt for order in orders if not order.recipe.exact for prompt in order.prompts))
    encoded = dict(zip(together, resident.text.encode(together), strict=True))
    return [
        order.fill(
            dict(zip(order.prompts, resident.text.encode(order.prompts, exact=True), strict=True))
            if order.recipe.exact
            else encoded
        )
        for order in orders
    ]


class _Order:
    """The prompts of one pass: what has to be encoded, and how it is put together."""

    def __init__(self, turn: Pass, resident: Resident, embeddings: Mapping[str, Embedding]) -> None:
        self.recipe = recipe = turn.recipe
        self._steps_before = turn.steps_before
        self._parts = [(part.weight, self._timed(part.text, embeddings)) for part in split(recipe.prompt)]
        self._uncond = self._timed(recipe.negative_prompt, embeddings) if self._needs_uncond(resident) else None
        # SDXL was trained to take zeros for no words at all.
        self._says_nothing = resident.knows_sizes and not recipe.negative_prompt

    def _timed(self, text: str, embeddings: Mapping[str, Embedding]) -> list[tuple[int, Prompt]]:
        return [
            (span.last_step, Prompt(span.text, self.recipe.text, embeddings))
            for span in spans(text, self.recipe.steps, steps_before=self._steps_before)
        ]

    def _needs_uncond(self, resident: Resident) -> bool:
        if resident.knows_guidance:
            return False
        is_plain = len(self._parts) == 1 and self._parts[0][0] == 1.0
        return self.recipe.cfg_scale != 1.0 or not is_plain or find_method(self.recipe.sampler).needs_uncond

    @property
    def prompts(self) -> list[Prompt]:
        timed = [timed for _, timed in self._parts] + ([self._uncond] if self._uncond is not None else [])
        return [prompt for spans_ in timed for _, prompt in spans_]

    def fill(self, encoded: Mapping[Prompt, Words]) -> Conditioning:
        def words(timed: list[tuple[int, Prompt]]) -> Timed:
            return Timed(tuple((last_step, encoded[prompt]) for last_step, prompt in timed))

        uncond = None if self._uncond is None else words(self._uncond)
        if uncond is not None and self._says_nothing:
            uncond = Timed(tuple((last_step, silent.zeros()) for last_step, silent in uncond.spans))
        return Conditioning(tuple((weight, words(timed)) for weight, timed in self._parts), uncond)
