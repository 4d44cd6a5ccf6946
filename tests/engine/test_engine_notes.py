"""What pictures say of themselves when memory or precision ran short."""

from pathlib import Path

import torch

from stablehand.domain.notes import Note
from stablehand.engine.batch import Batch
from stablehand.engine.checkpoints import Resident, load_checkpoint
from stablehand.engine.devices import Placement
from stablehand.engine.seats import Finished
from tests.engine.drawing import holding, make_recipe
from tests.engine.test_engine_trouble import FOLDER, Troubled, add_seeds, no_more_than, noted, run


def test_pictures_drawn_in_smaller_company_say_so_until_memory_holds_more(batch: Batch, resident: Resident) -> None:
    """Half of six pictures go into a call; what keeps company small for other reasons is no trouble to speak of."""
    resident.unet = Troubled(resident.unet, before=no_more_than(6))
    add_seeds(batch, 6)
    assert noted(run(batch)) == dict.fromkeys(map(str, range(6)), (Note.SMALLER_BATCH,))
    add_seeds(batch, 3)
    assert noted(run(batch)) == dict.fromkeys("012", ())
    batch._caps._call_seconds = 0.0  # patience
    add_seeds(batch, 3)
    assert noted(run(batch)) == dict.fromkeys("012", ())


def test_a_picture_that_was_decoded_in_float32_says_so(tiny: Path) -> None:
    resident = load_checkpoint("tiny", tiny, Placement(torch.device("cpu"), "test", "bf16", 2**30))

    def overflow(latents: torch.Tensor, answer: torch.Tensor) -> torch.Tensor:
        return answer if answer.dtype == torch.float32 else answer * torch.inf

    resident.autoencoder.network = Troubled(resident.autoencoder.network, after=overflow)
    batch = Batch(resident.placement, holding(resident))
    batch.add("x", make_recipe(), "tiny", FOLDER)
    finished = run(batch)["x"]
    assert isinstance(finished, Finished)
    assert finished.notes == (Note.FLOAT32_DECODE,)
    assert finished.circumstances.dtypes == {"unet": "bfloat16", "text": "bfloat16", "vae": "float32"}
