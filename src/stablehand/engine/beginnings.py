"""Beginnings: seats become pictures, with all that they are drawn with in memory."""

from collections.abc import Sequence, Set

from stablehand.engine.checkpoints import Resident, Slot
from stablehand.engine.conditioning import condition
from stablehand.engine.exact import Buckets
from stablehand.engine.pictures import Picture
from stablehand.engine.residents import Residents
from stablehand.engine.seats import Seat
from stablehand.engine.starts import latent_shape, start


def begin(
    joining: Sequence[Seat], resident: Resident, residents: Residents, buckets: Buckets, in_use: Set[Slot]
) -> list[Picture]:
    """Pictures of one checkpoint, before their first step; their words are encoded together.

    Raises what loading addons, encoding inputs and reading recipes raises.
    """
    known = [residents.embeddings(seat.extras) for seat in joining]
    conditionings = condition([seat.this_pass for seat in joining], resident, known)
    begun = []
    for seat, conditioning in zip(joining, conditionings, strict=True):
        autoencoder = residents.autoencoder(seat.extras, resident) or resident.autoencoder
        if seat.extras.upscaler is not None and seat.has_next_pass:  # so that a broken file costs no steps
            residents.upscaler(seat.extras.upscaler, in_use | {seat.slot})
        begins = start(seat, resident, autoencoder)
        bucket = buckets.rows(resident, latent_shape(seat.this_pass.recipe, resident))
        begun.append(Picture(seat, resident, conditioning, begins, autoencoder, bucket=bucket))
    return begun
