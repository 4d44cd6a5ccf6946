"""A picture on its way from noise to latent: its sampler, its conditioning and what it has cost."""

from torch import Tensor

from stablehand.domain.errors import RecipeUnsupported
from stablehand.domain.recipes import Recipe
from stablehand.engine.autoencoders import Autoencoder
from stablehand.engine.checkpoints import Resident
from stablehand.engine.conditioning import Conditioning
from stablehand.engine.groups import GroupKey, chunks_of, context_bucket
from stablehand.engine.noise import Noise
from stablehand.engine.samplers import Answer, Ask, Means, SamplerState, begin, find_method, plan_sigmas
from stablehand.engine.text import Words


class Picture:
    """One shot in the batch. ``state`` holds everything that is needed to go on elsewhere."""

    def __init__(
        self,
        picture_id: str,
        recipe: Recipe,
        resident: Resident,
        conditioning: Conditioning,
        state: SamplerState | None = None,
        *,
        owner: str = "",
        autoencoder: Autoencoder | None = None,
    ) -> None:
        self.id = picture_id
        self.owner = owner
        self.recipe = recipe
        self.resident = resident
        self.autoencoder = autoencoder or resident.autoencoder
        self.conditioning = conditioning
        self.device_seconds = 0.0
        self.notes: list[str] = []  #: what had to be done otherwise than asked for
        self.tiled = False  #: decode it in pieces
        self.denoised: Tensor | None = None  #: the newest estimate of the finished latent
        method = find_method(recipe.sampler)
        self.guidance = recipe.cfg_scale * method.guidance_factor
        device = resident.placement.device
        noise = Noise(
            recipe.seed,
            latent_shape(recipe, resident),
            recipe.noise,
            ensd=recipe.sampler_options.ensd,
            device=device,
            pixels_per_latent=resident.pixels_per_latent,
        )
        if state is None:
            sigmas = plan_sigmas(
                recipe.sampler,
                recipe.schedule,
                recipe.steps,
                resident.levels,
                discard_next_to_last=recipe.sampler_options.discard_next_to_last_sigma,
                family=resident.network.family,
            )
            state = begin(recipe.sampler, sigmas, noise, device)
        self.state = state
        self._sampling = method.sample(state, Means(noise, resident.levels, recipe.sampler_options))
        self._ask: Ask | None = next(self._sampling, None)

    @property
    def ask(self) -> Ask:
        """What the sampler wants to know now. Only while not :attr:`is_finished`."""
        assert self._ask is not None
        return self._ask

    @property
    def is_finished(self) -> bool:
        return self._ask is None

    @property
    def rows(self) -> int:
        return self.conditioning.rows

    @property
    def parts(self) -> list[tuple[float, Words]]:
        """What it is asked to be in this step: words, each with its say."""
        return [(weight, timed.at(self._step)) for weight, timed in self.conditioning.parts]

    @property
    def uncond(self) -> Words | None:
        """What guidance pushes it away from in this step."""
        return None if self.conditioning.uncond is None else self.conditioning.uncond.at(self._step)

    @property
    def _contexts(self) -> list[Tensor]:
        uncond = self.uncond
        return [words.context for _, words in self.parts] + ([] if uncond is None else [uncond.context])

    @property
    def _step(self) -> int:
        """The step that is being taken, from 1; samplers may count theirs otherwise than the recipe does."""
        return min(int(self.state.progress * self.recipe.steps + 1e-6) + 1, self.recipe.steps)

    @property
    def progress(self) -> float:
        return self.state.progress

    @property
    def group(self) -> GroupKey:
        return GroupKey(
            slot=self.resident.slot,
            shape=(self.state.latent.shape[0], self.state.latent.shape[1], self.state.latent.shape[2]),
            chunks=context_bucket(chunks_of(*self._contexts)),
            alone=self.id if self.recipe.exact else None,
        )

    def note(self, text: str) -> None:
        """Remember, once, what the owner of this picture should know about how it was drawn."""
        if text not in self.notes:
            self.notes.append(text)

    def answer(self, answer: Answer) -> None:
        """Hand the sampler what it asked for; it goes on to its next question or finishes."""
        self.denoised = answer.denoised
        try:
            self._ask = self._sampling.send(answer)
        except StopIteration:
            self._ask = None


def latent_shape(recipe: Recipe, resident: Resident) -> tuple[int, int, int]:
    """What the sampler starts from: (channels, height, width).

    Raises RecipeUnsupported for other kinds than text, and for sizes that are no multiple of the autoencoder's factor.
    """
    if recipe.kind != "text":
        raise RecipeUnsupported(
            f"This engine does not draw recipes of the kind {recipe.kind!r}.", hint="It knows text."
        )
    if resident.unet.config.in_channels != resident.latent_channels:
        raise RecipeUnsupported(
            f"The checkpoint {recipe.checkpoint} is one for inpainting.", hint="Choose another for the kind text."
        )
    factor = resident.pixels_per_latent
    if recipe.width % factor or recipe.height % factor:
        raise RecipeUnsupported(
            f"The size {recipe.width}×{recipe.height} does not fit this checkpoint.",
            hint=f"Width and height must be multiples of {factor}.",
        )
    return (resident.latent_channels, recipe.height // factor, recipe.width // factor)
