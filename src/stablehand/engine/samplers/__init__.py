"""Samplers: each a generator over a plain state, under A1111's names and with k-diffusion's results.

A sampler yields what it must know, a latent at a noise level, and is sent the denoised latent. It never sees other
pictures. All that outlives a step lies in :class:`SamplerState`; a generator started on a saved state goes on exactly
where the other one stopped, because the state only changes as a whole, after the last answer of a step. A step that is
cut in the middle is done again.

One family of methods a file; ``asks`` holds what passes in and out, ``methods`` the table, ``plans`` the beginning.
"""

from stablehand.engine.samplers.asks import Answer, Ask, Means
from stablehand.engine.samplers.methods import METHODS, Method, find_method
from stablehand.engine.samplers.plans import begin, begin_from, plan_part, plan_sigmas
from stablehand.engine.samplers.state import SamplerState

__all__ = [
    "METHODS",
    "Answer",
    "Ask",
    "Means",
    "Method",
    "SamplerState",
    "begin",
    "begin_from",
    "find_method",
    "plan_part",
    "plan_sigmas",
]
