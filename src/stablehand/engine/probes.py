"""What a network says about itself when it is asked, where no header says it."""

from typing import Any

import torch

from stablehand.domain.families import Prediction
from stablehand.engine.devices import Placement

#: Of the probe's latent: large enough for an average, small enough to cost next to nothing.
_SIDE = 16


@torch.inference_mode()
def measure_prediction(unet: Any, placement: Placement) -> Prediction:
    """Whether a network predicts noise or velocity.

    At the last trained timestep a noisy latent is noise almost alone (of Stable Diffusion's variance 0.5 % is picture).
    A network that predicts the noise then answers with what it was given; one that predicts the velocity
    v = alpha * noise - sigma * picture (Salimans & Ho 2022, arXiv 2202.00512) has alpha = 0.07 of it left and answers
    with the picture it imagines. So one call and one correlation tell them apart.
    """
    config = unet.config
    generator = torch.Generator().manual_seed(0)
    given = torch.randn((1, config.in_channels, _SIDE, _SIDE), generator=generator)
    text = torch.zeros((1, 77, config.cross_attention_dim), device=placement.device, dtype=placement.dtype)
    answer = unet(
        given.to(placement.device, placement.dtype),
        torch.tensor([999.0], device=placement.device),
        encoder_hidden_states=text,
        return_dict=False,
    )[0]
    pair = torch.stack([given[:, : answer.shape[1]].flatten(), answer.float().cpu().flatten()])
    return "epsilon" if float(torch.corrcoef(pair)[0, 1]) > 0.5 else "v_prediction"
