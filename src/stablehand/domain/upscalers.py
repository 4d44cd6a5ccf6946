"""The names of upscalers, as A1111 writes them."""

#: Of latents, for the second pass only.
LATENT_UPSCALERS = (
    "Latent",
    "Latent (antialiased)",
    "Latent (bicubic)",
    "Latent (bicubic antialiased)",
    "Latent (nearest)",
    "Latent (nearest-exact)",
)

#: Of pixels.
PIXEL_UPSCALERS = ("Lanczos", "Nearest")


def find_upscaler(text: str, *, latent: bool = False) -> str | None:
    """The exact name for what somebody typed, or None. ``latent``: those of latents count as well."""
    wanted = text.strip().casefold()
    known = (*LATENT_UPSCALERS, *PIXEL_UPSCALERS) if latent else PIXEL_UPSCALERS
    return next((name for name in known if name.casefold() == wanted), None)
