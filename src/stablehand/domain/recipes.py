"""A recipe: everything that decides how a picture looks. Immutable, hashable, versioned.

Its parts are nouns of their own: how the sampler behaves, where noise comes from, how words are read, the picture it
starts from, the second pass, the second checkpoint. A part that is None takes no part in the drawing.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, Self

Kind = Literal["text", "image", "inpaint", "upscale"]
Format = Literal["png", "webp", "jpeg"]
NoiseSource = Literal["CPU", "GPU", "NV"]
Emphasis = Literal["Original", "No norm", "Ignore", "None"]
#: How an input picture meets the size that was asked for.
ResizeMode = Literal["Just resize", "Crop and resize", "Resize and fill", "Just resize (latent upscale)"]
#: What lies under the mask before the first step.
MaskFill = Literal["fill", "original", "latent noise", "latent nothing"]

#: Raised when the meaning of a stored recipe changes.
RECIPE_VERSION = 1

SEED_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerOptions:
    """Karras et al.'s and A1111's settings of a sampler. None: the sampler's own default."""

    eta: float | None = None  #: share of noise put back in each step, for samplers that know it
    s_churn: float = 0.0
    s_tmin: float = 0.0
    s_tmax: float | None = None  #: None: no upper end
    s_noise: float = 1.0
    discard_next_to_last_sigma: bool | None = None
    ensd: int = 0  #: added to the seed of the noise after the first draw ("eta noise seed delta")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseOptions:
    """Where a picture's noise comes from."""

    source: NoiseSource = "CPU"
    subseed: int = 0  #: the variation seed of the first shot
    subseed_strength: float = 0.0  #: 0: only the seed, 1: only the variation seed
    seed_resize_from_w: int = 0  #: pixels; 0: off
    seed_resize_from_h: int = 0  #: pixels; 0: off


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOptions:
    """How words become conditioning."""

    clip_skip: int = 1  #: 1: the last layer of the text encoder
    emphasis: Emphasis = "Original"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The picture that kinds other than text start from, and the mask of kind inpaint."""

    input: str  #: SHA-256 of an input
    mask: str | None = None  #: SHA-256 of an input; white is repainted
    denoising_strength: float = 0.75
    resize_mode: ResizeMode = "Just resize"
    initial_noise_multiplier: float = 1.0
    mask_blur: int = 4  #: pixels
    mask_invert: bool = False
    mask_fill: MaskFill = "original"
    only_masked: bool = False  #: draw only around the mask, at full size, and paste that back
    only_masked_padding: int = 32  #: pixels
    width: int = 0  #: of the input, in pixels
    height: int = 0  #: of the input, in pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Hires:
    """The second pass at a larger size. Its prompts, sampler and schedule are those of the first where None."""

    width: int  #: pixels, after the second pass
    height: int  #: pixels, after the second pass
    upscaler: str = "Latent"
    steps: int = 0  #: 0: as many as the first pass
    denoising_strength: float = 0.7
    sampler: str | None = None
    schedule: str | None = None
    prompt: str | None = None
    negative_prompt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refiner:
    """A second checkpoint that takes over in the middle."""

    checkpoint_id: str
    checkpoint: str  #: its name when the job was submitted
    switch_at: float  #: share of the steps, 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Addon:
    """A file of weights beside the checkpoint, as it was known at submit."""

    kind: Literal["vae", "embedding", "upscaler"]
    id: str  #: id of the row in the catalogue
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to draw. ``seed`` is the seed of the first shot; shot i of a job is drawn with ``seed + i``."""

    prompt: str
    negative_prompt: str = ""
    kind: Kind = "text"
    checkpoint_id: str  #: id of the row in the catalogue
    checkpoint: str  #: its name when the job was submitted
    width: int  #: pixels, a multiple of 8
    height: int  #: pixels, a multiple of 8
    steps: int
    sampler: str  #: a label of domain.samplers.SAMPLERS
    schedule: str  #: a label of domain.samplers.SCHEDULES
    cfg_scale: float
    seed: int
    format: Format = "webp"
    quality: int = 90  #: 1 to 100; ignored by PNG
    exact: bool = False  #: bit-equal whatever else is in the batch
    sampler_options: SamplerOptions = SamplerOptions()
    noise: NoiseOptions = NoiseOptions()
    text: TextOptions = TextOptions()
    addons: tuple[Addon, ...] = ()
    source: Source | None = None
    hires: Hires | None = None
    refiner: Refiner | None = None
    upscaler: str | None = None  #: of kind upscale, whose target is ``width`` and ``height``
    version: int = RECIPE_VERSION

    def for_shot(self, index: int) -> Self:
        """The recipe of one shot: the same, with that shot's own seed (wrapping at the largest seed).

        Seeds count up as A1111's do: where a variation seed has a say, it counts and the seed stays.
        """
        if self.noise.subseed_strength:
            return replace(self, noise=replace(self.noise, subseed=(self.noise.subseed + index) % (SEED_MAX + 1)))
        return replace(self, seed=(self.seed + index) % (SEED_MAX + 1))

    def with_seed(self, seed: int) -> Self:
        """The recipe of a shot whose :attr:`counting_seed` is known: after a retry, they need not be consecutive."""
        if self.noise.subseed_strength:
            return replace(self, noise=replace(self.noise, subseed=seed))
        return replace(self, seed=seed)

    def without_content(self) -> "Recipe":
        """How much was drawn and by what, without anything that says what it shows."""
        kept = ("checkpoint_id", "checkpoint", "width", "height", "steps", "sampler", "schedule", "cfg_scale")
        return Recipe(prompt="", seed=0, **{name: getattr(self, name) for name in kept})

    @property
    def counting_seed(self) -> int:
        """The one that differs from shot to shot: the seed or, where it has a say, the variation seed."""
        return self.noise.subseed if self.noise.subseed_strength else self.seed

    @property
    def input_ids(self) -> frozenset[str]:
        """Ids of the inputs that it is drawn from."""
        if self.source is None:
            return frozenset()
        return frozenset({self.source.input} | ({self.source.mask} if self.source.mask is not None else set()))

    @property
    def output_size(self) -> tuple[int, int]:
        """Width and height of the finished picture, in pixels."""
        if self.hires is not None:
            return self.hires.width, self.hires.height
        if self.kind == "inpaint" and self.source is not None and self.source.only_masked and self.source.width:
            return self.source.width, self.source.height
        return self.width, self.height

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, the form that is stored and sent to agents. A part with nothing to say is left out."""
        # By hand: asdict copies every value, and this is done for each picture that is delivered.
        values = {name: getattr(self, name) for name in _NAMES}
        for name, default in _DEFAULTS.items():
            if values[name] == default:
                del values[name]
            elif name in _PARTS:
                values[name] = asdict(values[name])
        if "addons" in values:
            values["addons"] = [asdict(addon) for addon in values["addons"]]
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of :meth:`as_dict`; raises TypeError for fields of another version."""
        parts = {name: kind(**values[name]) for name, kind in _PARTS.items() if values.get(name) is not None}
        addons = {"addons": tuple(Addon(**addon) for addon in values["addons"])} if values.get("addons") else {}
        return cls(**{**values, **parts, **addons})

    @property
    def fingerprint(self) -> str:
        """A SHA-256 over the canonical JSON form: equal recipes, equal fingerprints."""
        canonical = json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()


_PARTS: dict[str, type] = {
    "sampler_options": SamplerOptions,
    "noise": NoiseOptions,
    "text": TextOptions,
    "source": Source,
    "hires": Hires,
    "refiner": Refiner,
}
_NAMES = tuple(part.name for part in fields(Recipe))
#: of parts that are left out where they say nothing
_DEFAULTS = {part.name: part.default for part in fields(Recipe) if part.name in (*_PARTS, "addons", "upscaler")}
