"""upscalers: what enlarges pictures or latents, formulas and networks alike."""

from dataclasses import dataclass

from stablehand.domain.addons import AddonFile, find_addon
from stablehand.domain.orders import JobOrder
from stablehand.domain.recipes import Addon
from stablehand.domain.upscalers import LATENT_UPSCALERS, PIXEL_UPSCALERS, find_upscaler
from stablehand.services import Services
from stablehand.services.addons import list_addons

#: Names in the words about one that is not there.
_NAMED_MOST = 30


@dataclass(frozen=True, slots=True)
class Upscaler:
    """Something that an order can name."""

    name: str
    latent: bool = False  #: it enlarges latents, between the passes of one picture only
    network: AddonFile | None = None  #: None for a formula

    @property
    def scale(self) -> int | None:
        """What its network draws, in pixels a side for one; None where it has none, or its header does not say."""
        return None if self.network is None else self.network.scale


def list_upscalers(services: Services) -> tuple[Upscaler, ...]:
    """Those of latents, then the formulas for pixels, then the networks by name."""
    networks = (Upscaler(addon.name, network=addon) for addon in list_addons(services, "upscaler"))
    latent = (Upscaler(name, latent=True) for name in LATENT_UPSCALERS)
    return (*latent, *map(Upscaler, PIXEL_UPSCALERS), *networks)


def choose_upscaler(services: Services, order: JobOrder, found: dict[str, str]) -> Addon | None:
    """The network that an order names, if it names one; adds to ``found`` what is not there."""
    is_upscale = order.kind == "upscale"
    field, text = ("upscaler", order.upscaler) if is_upscale else ("hr_upscaler", order.hr_upscaler)
    if text is None or field in found or find_upscaler(text, latent=not is_upscale) is not None:
        return None
    network = find_addon(list_addons(services, "upscaler"), "upscaler", text)
    if network is None:
        names = [one.name for one in list_upscalers(services) if not (one.latent and is_upscale)]
        found[field] = "one of: " + ", ".join(names[:_NAMED_MOST])
        return None
    return network.as_part()
