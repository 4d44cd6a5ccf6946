"""What infotext says of a recipe's further parts, under the keys and in the order that A1111's readers know."""

from collections.abc import Mapping

from stablehand.domain.recipes import Hires, Recipe, Source

#: id of an addon -> its SHA-256, of those whose hash is known
Hashes = Mapping[str, str]


def noise_parameters(recipe: Recipe, hashes: Hashes) -> dict[str, object]:
    """Between the checkpoint and the source of noise."""
    noise = recipe.noise
    found: dict[str, object] = {}
    vae = next((addon for addon in recipe.addons if addon.kind == "vae"), None)
    if vae is not None:
        found |= {"VAE hash": hashes[vae.id][:10]} if vae.id in hashes else {}
        found["VAE"] = vae.name
    if noise.subseed_strength:
        found |= {"Variation seed": noise.subseed, "Variation seed strength": noise.subseed_strength}
    if noise.seed_resize_from_w and noise.seed_resize_from_h:
        found["Seed resize from"] = f"{noise.seed_resize_from_w}x{noise.seed_resize_from_h}"
    if recipe.hires is not None:
        found["Denoising strength"] = recipe.hires.denoising_strength
    elif recipe.source is not None:
        found["Denoising strength"] = recipe.source.denoising_strength
    if recipe.text.clip_skip > 1:
        found["Clip skip"] = recipe.text.clip_skip
    if recipe.sampler_options.ensd:
        found["ENSD"] = recipe.sampler_options.ensd
    return found


def part_parameters(recipe: Recipe, hashes: Hashes) -> dict[str, object]:
    """After the source of noise."""
    found: dict[str, object] = {}
    if recipe.source is not None and recipe.kind == "inpaint":
        found |= _mask(recipe.source)
    if recipe.hires is not None:
        found |= _hires(recipe.hires)
    words = [addon for addon in recipe.addons if addon.kind == "embedding" and addon.id in hashes]
    if words:
        found["TI hashes"] = ", ".join(f"{addon.name}: {hashes[addon.id][:12]}" for addon in words)
    if recipe.text.emphasis != "Original":
        found["Emphasis"] = recipe.text.emphasis
    found |= _sampler(recipe)
    if recipe.refiner is not None:
        found |= {"Refiner": recipe.refiner.checkpoint, "Refiner switch at": recipe.refiner.switch_at}
    return found


def enlargement_parameters(recipe: Recipe) -> dict[str, object]:
    """All that was done for kind upscale, without steps, sampler or checkpoint; as A1111 writes it of its extras."""
    scale = recipe.width / recipe.source.width if recipe.source is not None and recipe.source.width else None
    return {
        "Postprocess upscale by": None if scale is None else f"{scale:.4g}",
        "Postprocess upscaler": recipe.upscaler,
    }


def _mask(source: Source) -> dict[str, object]:
    found: dict[str, object] = {"Mask mode": "Inpaint not masked"} if source.mask_invert else {}
    found["Mask blur"] = source.mask_blur
    if source.only_masked:
        found |= {"Inpaint area": "Only masked", "Masked area padding": source.only_masked_padding}
    if source.mask_fill != "original":
        found["Masked content"] = source.mask_fill
    return found


def _hires(hires: Hires) -> dict[str, object]:
    found: dict[str, object | None] = {
        "Hires sampler": hires.sampler,
        "Hires prompt": hires.prompt,
        "Hires negative prompt": hires.negative_prompt,
        "Hires schedule type": hires.schedule,
        "Hires resize": f"{hires.width}x{hires.height}",
        "Hires steps": hires.steps or None,
        "Hires upscaler": hires.upscaler,
    }
    return {key: value for key, value in found.items() if value is not None}


def _sampler(recipe: Recipe) -> dict[str, object]:
    options = recipe.sampler_options
    found: dict[str, object | None] = {
        "Discard penultimate sigma": options.discard_next_to_last_sigma or None,
        "Eta DDIM" if recipe.sampler.startswith("DDIM") else "Eta": options.eta,
        "Sigma churn": options.s_churn or None,
        "Sigma tmin": options.s_tmin or None,
        "Sigma tmax": options.s_tmax,
        "Sigma noise": options.s_noise if options.s_noise != 1.0 else None,
    }
    multiplier = recipe.source.initial_noise_multiplier if recipe.source is not None else 1.0
    found["Noise multiplier"] = multiplier if multiplier != 1.0 else None
    return {key: value for key, value in found.items() if value is not None}
