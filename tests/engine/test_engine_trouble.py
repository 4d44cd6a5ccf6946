"""Out of memory, values that are not numbers, faults: the guilty picture is told, its neighbours are drawn."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stablehand.domain.notes import Note
from stablehand.engine.batch import Batch
from stablehand.engine.caps import RECOVERY_CALLS, Caps
from stablehand.engine.checkpoints import Resident, load_checkpoint
from stablehand.engine.decode import decode
from stablehand.engine.devices import Placement, _container_memory
from stablehand.engine.residents import Residents
from stablehand.engine.seats import Failed, Finished
from tests.engine.drawing import PLACEMENT, holding, make_recipe

FOLDER = Path("in-memory")


class Troubled:
    """A network with a hook before each call, which may raise, and one after it, which may change the answer."""

    def __init__(
        self,
        network: Any,
        before: Callable[[torch.Tensor], None] = lambda _sample: None,
        after: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = lambda _sample, answer: answer,
    ) -> None:
        self._network = network
        self._before = before
        self._after = after
        self.rows: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def __call__(self, sample: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        self.rows.append(len(sample))
        self._before(sample)
        answer = self._network(sample, *args, **kwargs)
        return (self._after(sample, answer[0]), *answer[1:])

    def decode(self, latents: torch.Tensor, **kwargs: Any) -> Any:
        self.rows.append(len(latents))
        self._before(latents)
        answer = self._network.decode(latents, **kwargs)
        return (self._after(latents, answer[0]),)


def no_more_than(rows: int) -> Callable[[torch.Tensor], None]:
    def check(sample: torch.Tensor) -> None:
        if len(sample) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    return check


def run(batch: Batch) -> dict[str, Finished | Failed]:
    results: dict[str, Finished | Failed] = {}
    for _ in range(1000):
        if not batch.ids():
            return results
        results |= {ended.picture_id: ended for ended in batch.tick()}
    raise AssertionError("the batch never ends")


@pytest.fixture
def undisturbed(tiny: Path) -> Callable[[int], np.ndarray]:
    """The pixels that seed N gives when nothing goes wrong."""
    healthy = load_checkpoint("tiny", tiny, PLACEMENT)

    def draw(seed: int) -> np.ndarray:
        batch = Batch(PLACEMENT, holding(healthy))
        batch.add("x", make_recipe(seed=seed), "tiny", FOLDER)
        finished = run(batch)["x"]
        assert isinstance(finished, Finished)
        return finished.pixels

    return draw


def add_seeds(batch: Batch, count: int) -> None:
    for seed in range(count):
        batch.add(str(seed), make_recipe(seed=seed), "tiny", FOLDER)


def assert_drawn(result: Finished | Failed, pixels: np.ndarray) -> None:
    assert isinstance(result, Finished), result
    assert np.abs(result.pixels.astype(int) - pixels.astype(int)).max() <= 1


def noted(results: dict[str, Finished | Failed]) -> dict[str, tuple[Note, ...]]:
    return {name: ended.notes for name, ended in results.items() if isinstance(ended, Finished)}


def test_out_of_memory_shrinks_the_group_and_loses_nobody(
    batch: Batch, resident: Resident, undisturbed: Callable[[int], np.ndarray]
) -> None:
    resident.unet = Troubled(resident.unet, before=no_more_than(5))
    add_seeds(batch, 6)
    results = run(batch)
    for seed in range(6):
        assert_drawn(results[str(seed)], undisturbed(seed))
    assert resident.unet.rows[:3] == [12, 6, 2]
    assert noted(results) == dict.fromkeys(map(str, range(6)), (Note.SMALLER_BATCH, Note.ONE_BY_ONE))
    assert all(rows <= 5 for rows in resident.unet.rows[2:])


def test_a_picture_that_does_not_fit_alone_fails_and_its_neighbours_do_not(
    batch: Batch, resident: Resident, undisturbed: Callable[[int], np.ndarray]
) -> None:
    def check(sample: torch.Tensor) -> None:
        if sample.shape[-1] > 8:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory")

    resident.unet = Troubled(resident.unet, before=check)
    batch.add("huge", make_recipe(width=1024), "tiny", FOLDER)
    batch.add("huge too", make_recipe(width=1024, seed=9), "tiny", FOLDER)
    add_seeds(batch, 2)
    results = run(batch)
    for name in ("huge", "huge too"):
        failed = results[name]
        assert isinstance(failed, Failed)
        assert failed.error.code == "out_of_memory"
        assert "1024×64" in failed.error.message
        assert failed.error.hint
    for seed in range(2):
        assert_drawn(results[str(seed)], undisturbed(seed))


def test_out_of_memory_in_the_decoder_shrinks_its_batch(
    batch: Batch, resident: Resident, undisturbed: Callable[[int], np.ndarray]
) -> None:
    batch._decodes.caps = Caps(call_seconds=1.0, most=8)  # as on a GPU
    resident.autoencoder.network = Troubled(resident.autoencoder.network, before=no_more_than(1))
    add_seeds(batch, 3)
    results = run(batch)
    for seed in range(3):
        assert_drawn(results[str(seed)], undisturbed(seed))
    assert resident.autoencoder.network.rows == [3, 1, 1, 1]
    apart = (Note.SMALLER_BATCH, Note.ONE_BY_ONE)
    assert noted(results) == {"0": apart[:1], "1": apart, "2": apart}, "the last one has nobody to wait for"


def test_a_picture_too_large_for_the_decoder_is_decoded_in_pieces_and_says_so(
    batch: Batch, resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch.add("whole", make_recipe(width=320, height=256), "tiny", FOLDER)
    whole = run(batch)["whole"]
    forward = resident.autoencoder.network.decoder.forward

    def check(sample: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if sample.shape[-1] > 16:
            raise torch.OutOfMemoryError("CUDA out of memory")
        decoded: torch.Tensor = forward(sample, *args, **kwargs)
        return decoded

    monkeypatch.setattr(resident.autoencoder.network.decoder, "forward", check)
    batch.add("pieces", make_recipe(width=320, height=256), "tiny", FOLDER)
    pieces = run(batch)["pieces"]
    assert isinstance(whole, Finished)
    assert isinstance(pieces, Finished)
    assert whole.notes == ()
    assert pieces.notes == (Note.TILED_DECODE,)
    assert pieces.pixels.shape == whole.pixels.shape
    # A random decoder's group norms see other neighbours, so only its large strokes stay.
    assert np.abs(pieces.pixels.astype(int) - whole.pixels.astype(int)).mean() < 40


def test_memory_of_idle_checkpoints_is_given_up_before_a_picture_is(
    tiny: Path, other_tiny: Path, resident: Resident
) -> None:
    residents = holding(resident)
    residents._load = load_checkpoint
    assert residents.admit("idle", other_tiny, {"tiny"}) is not None

    def check(_sample: torch.Tensor) -> None:
        if "idle" in residents.slots():
            raise torch.OutOfMemoryError("CUDA out of memory")

    resident.unet = Troubled(resident.unet, before=check)
    batch = Batch(PLACEMENT, residents)
    batch.add("x", make_recipe(), "tiny", FOLDER)
    assert noted(run(batch)) == {"x": (Note.MADE_ROOM,)}
    assert residents.slots() == ["tiny"]


def test_an_unforeseen_error_costs_only_the_picture_that_causes_it(
    batch: Batch, resident: Resident, undisturbed: Callable[[int], np.ndarray]
) -> None:
    cursed = 3.0

    def check(sample: torch.Tensor) -> None:
        if torch.isclose(sample, torch.tensor(cursed), rtol=1e-6).any():
            raise ValueError("cannot broadcast something\nlong trace")

    resident.unet = Troubled(resident.unet, before=check)
    add_seeds(batch, 4)
    batch.tick()
    with torch.inference_mode():
        ask = batch._running["2"].ask
        ask.latent[0, 0, 0] = cursed * (ask.sigma**2 + 1) ** 0.5  # what the network sees of it is the cursed value
    results = run(batch)
    failed = results["2"]
    assert isinstance(failed, Failed)
    assert failed.error.code == "engine_fault"
    assert failed.error.message.endswith("ValueError: cannot broadcast something")
    for seed in (0, 1, 3):
        assert_drawn(results[str(seed)], undisturbed(seed))


def test_values_that_are_not_numbers_fail_their_own_picture_only(
    batch: Batch, resident: Resident, undisturbed: Callable[[int], np.ndarray]
) -> None:
    def spoil(sample: torch.Tensor, answer: torch.Tensor) -> torch.Tensor:
        answer = answer.clone()
        answer[1, 0, 0, 0] = torch.nan  # the second picture's conditional row
        return answer if len(sample) == 6 else self_healed(answer)

    def self_healed(answer: torch.Tensor) -> torch.Tensor:
        return answer.nan_to_num(0.0)

    resident.unet = Troubled(resident.unet, after=spoil)
    add_seeds(batch, 3)
    [failed] = batch.tick()
    assert isinstance(failed, Failed)
    assert (failed.picture_id, failed.error.code) == ("1", "not_finite")
    assert "step 1" in failed.error.message
    assert batch.ids() == ["0", "2"]
    resident.unet = resident.unet._network
    results = run(batch)
    for seed in (0, 2):
        assert_drawn(results[str(seed)], undisturbed(seed))


def test_a_decoder_that_overflows_in_half_precision_decodes_that_picture_in_float32(tiny: Path) -> None:
    half = Placement(torch.device("cpu"), "test", "bf16", 2**30)
    resident = load_checkpoint("tiny", tiny, half)
    latents = [torch.full((4, 8, 8), 0.5), torch.full((4, 8, 8), 0.7)]
    with torch.inference_mode():
        expected: list[Any] = list(decode(resident.autoencoder, latents))

        def overflow(latents: torch.Tensor, answer: torch.Tensor) -> torch.Tensor:
            if answer.dtype == torch.bfloat16:
                answer[0] = torch.inf
            return answer

        resident.autoencoder.network = Troubled(resident.autoencoder.network, after=overflow)
        mended: list[Any] = list(decode(resident.autoencoder, latents))
        assert resident.autoencoder.network.rows == [2, 1]
        assert next(resident.autoencoder.network.parameters()).dtype == torch.bfloat16
        assert np.array_equal(mended[1], expected[1])
        assert np.abs(mended[0].astype(int) - expected[0].astype(int)).mean() < 4  # rounding to bfloat16 apart

        resident.autoencoder.network = Troubled(
            resident.autoencoder.network, after=lambda _latents, answer: answer * torch.nan
        )
        assert decode(resident.autoencoder, latents) == [None, None]


def test_a_lost_device_fails_everything_as_such(batch: Batch, resident: Resident) -> None:
    def check(_sample: torch.Tensor) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered\nCompile with TORCH_USE_CUDA_DSA")

    resident.unet = Troubled(resident.unet, before=check)
    add_seeds(batch, 2)
    results = run(batch)
    assert {result.error.code for result in results.values() if isinstance(result, Failed)} == {"device_lost"}
    assert len(results) == 2


def test_weights_that_do_not_fit_say_so(tiny: Path) -> None:
    def load(*_: Any) -> Resident:
        raise torch.OutOfMemoryError("CUDA out of memory")

    batch = Batch(PLACEMENT, Residents(PLACEMENT, 2**30, load=load))
    batch.add("x", make_recipe(), "tiny", tiny)
    failed = run(batch)["x"]
    assert isinstance(failed, Failed)
    assert failed.error.code == "out_of_memory"


def test_a_picture_too_large_for_the_memory_is_refused_before_it_is_tried(
    batch: Batch, resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a CPU the operating system would end the process instead of raising."""
    resident.unet = Troubled(resident.unet)
    monkeypatch.setattr(Placement, "free_bytes", lambda _self: 3_000_000)
    batch.add("huge", make_recipe(width=1024, height=1024), "tiny", FOLDER)
    batch.add("small", make_recipe(), "tiny", FOLDER)
    results = run(batch)
    huge = results["huge"]
    assert isinstance(huge, Failed)
    assert huge.error.code == "out_of_memory"
    assert isinstance(results["small"], Finished)
    assert set(resident.unet.rows) == {2}


def test_a_picture_too_large_to_decode_is_refused(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    batch.add("x", make_recipe(steps=1), "tiny", FOLDER)
    assert batch.tick() == []
    monkeypatch.setattr(Placement, "free_bytes", lambda _self: 1000)
    assert batch.tick() == []  # in pieces, perhaps?
    [failed] = batch.tick()
    assert isinstance(failed, Failed)
    assert failed.error.code == "out_of_memory"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"memory.max": "1000", "memory.current": "700", "memory.stat": "anon 1\ninactive_file 200"}, (1000, 500)),
        ({"memory.max": "max", "memory.current": "700", "memory.stat": "anon 1"}, (None, 0)),
        (
            {"memory/memory.limit_in_bytes": "900", "memory/memory.usage_in_bytes": "5", "memory/memory.stat": ""},
            (900, 5),
        ),
        ({}, (None, 0)),
    ],
    ids=["v2", "v2-unlimited", "v1", "none"],
)
def test_a_containers_memory_limit_counts(
    tmp_path: Path, files: dict[str, str], expected: tuple[int | None, int]
) -> None:
    (tmp_path / "memory").mkdir()
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    assert _container_memory(tmp_path) == expected


def test_weights_that_do_not_fit_beside_others_wait_for_them(tiny: Path) -> None:
    loads: list[str] = []
    crowded = True

    def load(slot: str, folder: Path, placement: Placement) -> Resident:
        loads.append(slot)
        if slot == "second" and crowded:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return load_checkpoint(slot, folder, placement)

    batch = Batch(PLACEMENT, Residents(PLACEMENT, 2**30, load=load))
    batch.add("a", make_recipe(steps=6), "first", tiny)
    batch.tick()
    batch.add("b", make_recipe(), "second", tiny)
    results: dict[str, Finished | Failed] = {}
    while "a" not in results:
        results |= {ended.picture_id: ended for ended in batch.tick()}
    assert loads == ["first", "second"]  # not tried again at every tick
    crowded = False
    results |= run(batch)
    assert loads == ["first", "second", "second"]
    assert all(isinstance(result, Finished) for result in results.values())


def test_caps_halve_after_failure_and_recover() -> None:
    caps = Caps(call_seconds=1.0, most=64)
    assert caps.rows("a", 16, 0.001) == 16
    caps.failed("a", 16)
    assert caps.rows("a", 16, 0.001) == 8
    for _ in range(RECOVERY_CALLS):
        caps.succeeded("a", 8, 0.001)
    assert caps.rows("a", 16, 0.001) == 16
    caps.failed("a", 1)
    assert caps.rows("a", 16, 0.001) == 1
    assert caps.rows("b", 16, 0.001) == 16


def test_caps_keep_calls_short() -> None:
    caps = Caps(call_seconds=1.0, most=64)
    assert caps.rows("a", 64, 0.25) == 4
    assert caps.rows("a", 64, 7.0) == 1
    caps.succeeded("a", 10, 2.5)
    assert caps.rows("a", 64, 0.001) == 4
    for _ in range(50):
        caps.succeeded("a", 4, 40.0)
    assert caps.rows("a", 64, 0.001) == 1
