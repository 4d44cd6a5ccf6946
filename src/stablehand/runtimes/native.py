"""The native runtime: the engine of this package behind the port that the agent drives.

Torch is imported when the runtime starts, not when this module is: an agent says hello before.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

import numpy as np
import structlog
from PIL import Image as Pictures

import stablehand
from stablehand.domain.errors import RecipeUnsupported, StablehandError
from stablehand.domain.infotext import write_infotext
from stablehand.domain.manifests import Manifest
from stablehand.domain.notes import Note, read_notes
from stablehand.domain.passes import whole_steps
from stablehand.domain.recipes import Kind
from stablehand.domain.upscalers import is_formula
from stablehand.ports import Broken, Drawn, Fetch, Loaded, Order, Parked
from stablehand.protocol import Device
from stablehand.runtimes.encode import encode
from stablehand.runtimes.manifests import addon_hashes, drawn_manifest, resized_manifest
from stablehand.runtimes.parcel import BrokenParcel, unwrap, wrap
from stablehand.runtimes.supplies import Places, Supplies

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stablehand.engine.batch import Batch
    from stablehand.engine.devices import Placement
    from stablehand.engine.residents import Extras
    from stablehand.engine.seats import Finished

#: What another attempt may change. Everything else is final: the same recipe would fail the same way.
_ERROR_CLASSES = {
    "weights_unavailable": "retry",
    "out_of_memory": "retry",
    "engine_fault": "retry",
    "device_lost": "agent_sick",
}

#: Share of a device's memory that weights may take; the rest is for activations, and on a CPU for everybody else.
_WEIGHTS_SHARE = {"cuda": 0.7, "cpu": 0.4}
#: Share of the host's free memory that may hold checkpoints beside a GPU.
_HOST_SHARE = 0.3
_SEATS = {"cuda": 24, "cpu": 12}
_ENCODERS = 2
#: Longer side of a preview in pixels.
_PREVIEW_SIDE = 256
_PREVIEW_QUALITY = 70
#: How long a tick waits for encoders when the device has nothing to do.
_IDLE_WAIT_SECONDS = 0.05

log = structlog.get_logger("agent")


@dataclass(slots=True)
class _Seat:
    order: Order
    resumed: bool = False  #: it went on from a saved state
    encoding: Future[Drawn] | None = None


class NativeRuntime:
    """Pictures by the row engine, on this machine's device.

    ``models_dir`` holds the checkpoints that are not built in. ``seats``, ``threads``, ``exact_rows`` (of a call for
    exact pictures) and ``weights_bytes`` (the memory that weights may take there) default to what suits the device.
    ``fetch`` brings weights that are not in ``models_dir``. The encoders run in threads of their own, so that the
    device need not wait for them.
    """

    name = "native"
    kinds: Sequence[str] = get_args(Kind)

    def __init__(
        self,
        models_dir: Path,
        precision: str = "auto",
        seats: int | None = None,
        threads: int | None = None,
        *,
        exact_rows: int | None = None,
        fetch: Fetch | None = None,
        weights_bytes: int | None = None,
    ) -> None:
        self._models_dir = models_dir
        self._weights_bytes = weights_bytes
        self._supplies = Supplies(models_dir, fetch)
        self._precision = precision
        self._seats = seats
        self._threads = threads
        self._exact_rows = exact_rows
        self._seated: dict[str, _Seat] = {}
        self._placement: Placement | None = None
        self._batch: Batch | None = None
        self._encoders: ThreadPoolExecutor | None = None
        self._refused: list[Broken] = []  #: what the next tick will say
        self._progress: dict[str, float] = {}  #: replaced as a whole, so that other threads may read it

    def start(self) -> None:
        """Import torch and choose the device; raises BadSettings for a precision that it cannot do."""
        from stablehand.engine.batch import Batch  # noqa: PLC0415 - torch takes seconds to import
        from stablehand.engine.checkpoints import load_checkpoint  # noqa: PLC0415
        from stablehand.engine.devices import choose, free_memory_bytes  # noqa: PLC0415
        from stablehand.engine.hosts import HostTier  # noqa: PLC0415
        from stablehand.engine.residents import Residents  # noqa: PLC0415

        placement = choose(self._precision, self._threads)
        share_bytes = int(placement.memory_bytes * _WEIGHTS_SHARE.get(placement.device.type, 0.5))
        budget_bytes = share_bytes if self._weights_bytes is None else self._weights_bytes
        host = None
        if placement.device.type == "cuda":
            host = HostTier(int(free_memory_bytes() * _HOST_SHARE), pin=True)
        load = partial(load_checkpoint, tokenizers=self._models_dir / "tokenizers")
        residents = Residents(placement, budget_bytes, load, host=host)
        self._batch = Batch(placement, residents, exact_rows=self._exact_rows)
        self._placement = placement
        self._encoders = ThreadPoolExecutor(_ENCODERS, thread_name_prefix="encode")

    @property
    def device(self) -> Device:
        placement = self._placement
        if placement is None:
            return Device(kind="none", name="starting")
        return Device(
            kind=cast(Literal["cpu", "cuda"], placement.device.type),
            name=placement.name,
            memory_bytes=placement.memory_bytes,
            precision=placement.precision,
        )

    @property
    def seats(self) -> int:
        if self._seats is not None:
            return self._seats
        return 0 if self._placement is None else _SEATS.get(self._placement.device.type, 8)

    def resident(self) -> list[str]:
        return self._batch.residents.slots() if self._batch is not None else []

    def loads(self) -> list[Loaded]:
        taken = self._batch.residents.take_loads() if self._batch is not None else []
        return [Loaded(load.slot, load.seconds, load.size_bytes, load.from_host) for load in taken]

    def loading(self) -> str | None:
        return self._batch.residents.loading if self._batch is not None else None

    def add(self, order: Order) -> None:
        self._seated[order.shot_id] = _Seat(order)
        self._progress = {**self._progress, order.shot_id: 0.0}
        if order.recipe.kind == "upscale" and is_formula(order.recipe.upscaler or "Lanczos"):
            self._seated[order.shot_id].encoding = self._encoding().submit(_upscale, order, self.name)
            return
        self._supplies.ask(order)
        self._join()

    def _join(self) -> None:
        """Seat those whose weights have come."""
        for order, places in self._supplies.come():
            if order.shot_id not in self._seated:
                continue
            if isinstance(places, StablehandError):
                self._refused.append(_broken(order.shot_id, places, at_load=True))
                continue
            if order.recipe.kind == "upscale":
                self._enlarge(order, _extras(order, places))
                continue
            add = partial(
                self._started().add,
                order.shot_id,
                order.recipe,
                order.checkpoint.id,
                places[order.checkpoint.id],
                extras=_extras(order, places),
                inputs=order.inputs,
                owner=order.owner,
            )
            seat = self._seated[order.shot_id]
            seat.resumed = order.resume_from is not None and self._goes_on(order, order.resume_from, add)
            if not seat.resumed:
                add()
            self._progress = {**self._progress, order.shot_id: self._started().progress()[order.shot_id]}

    def _enlarge(self, order: Order, extras: Extras) -> None:
        """Seat a picture that a network makes larger."""
        try:
            self._started().enlarge(order.shot_id, order.recipe, extras, _given(order), owner=order.owner)
        except StablehandError as error:
            self._refused.append(_broken(order.shot_id, error))

    def _goes_on(self, order: Order, parcel: bytes, add: Callable[..., None]) -> bool:
        """Seat a shot where it was parked; False where that state cannot be used."""
        from stablehand.engine.parked import unpack  # noqa: PLC0415 - loaded by start()

        try:
            packed, label = unwrap(parcel, order, self.name, self.device.precision)
            add(
                unpack(packed),
                device_seconds=float(label["device_seconds"]),
                notes=read_notes(label.get("notes", [])),
                attention=label.get("attention", []),
            )
        except (BrokenParcel, StablehandError, KeyError, ValueError, TypeError) as error:
            log.warning("a saved state cannot be used, the shot begins anew", shot=order.shot_id, reason=str(error))
            return False
        return True

    def park(self, shot_id: str) -> Parked | None:
        from stablehand.engine.parked import pack  # noqa: PLC0415 - loaded by start()

        seat, snapshot = self._seated.get(shot_id), self._started().snapshot(shot_id)
        if seat is None or snapshot is None or snapshot.progress <= 0:
            return None
        state, recipe, seconds = snapshot.state, seat.order.recipe, snapshot.device_seconds
        data = wrap(
            seat.order,
            self.name,
            self.device.precision,
            pack(state),
            device_seconds=seconds,
            notes=list(snapshot.notes),
            attention=sorted(snapshot.attention),
        )
        # Samplers that choose their steps on the way cannot count them, and a second pass does not know those of the
        # first: what was ordered stands for them.
        is_counted = recipe.hires is None and "progress" not in state.numbers
        steps = whole_steps(recipe, state.steps if is_counted else recipe.steps)
        return Parked(shot_id, data, int(snapshot.progress * steps + 1e-6), steps, seconds)

    def drop(self, shot_id: str) -> None:
        seat = self._seated.pop(shot_id, None)
        if seat is not None and seat.encoding is not None:
            seat.encoding.cancel()
        self._supplies.forget(shot_id)
        self._started().drop(shot_id)

    def tick(self) -> list[Drawn | Broken]:
        from stablehand.engine.seats import Failed  # noqa: PLC0415 - loaded by start()

        self._join()
        batch = self._started()
        ended: list[Drawn | Broken] = [broken for broken in self._refused if broken.shot_id in self._seated]
        self._refused.clear()
        for result in batch.tick():
            if isinstance(result, Failed):
                ended.append(_broken(result.picture_id, result.error, at_load=result.at_load))
            else:
                self._encode(result)
        ended += self._collect(is_idle=not batch.ids())
        for gone in ended:
            self._seated.pop(gone.shot_id, None)
        waiting = self._supplies.waiting()
        if waiting and not batch.ids() and not ended:
            self._supplies.wait(_IDLE_WAIT_SECONDS)
        being_encoded = {shot_id: 0.0 if shot_id in waiting else 1.0 for shot_id in self._seated}
        self._progress = {**being_encoded, **batch.progress()}
        return ended

    def busy(self) -> bool:
        return bool(self._seated)

    def progress(self) -> dict[str, float]:
        return self._progress

    def preview(self, shot_id: str) -> bytes | None:
        painted = self._started().preview(shot_id)
        if painted is None:
            return None
        small = Pictures.fromarray(painted)
        scale = _PREVIEW_SIDE / max(small.size)
        size = (max(1, round(small.width * scale)), max(1, round(small.height * scale)))
        out = io.BytesIO()
        small.resize(size, Pictures.Resampling.BICUBIC).save(out, "JPEG", quality=_PREVIEW_QUALITY)
        return out.getvalue()

    def release(self) -> None:
        """Take all weights out of memory; only while no shot is seated."""
        self._started().residents.release_idle(())

    def close(self) -> None:
        if self._encoders is not None:
            self._encoders.shutdown(wait=True, cancel_futures=True)
        for shot_id in list(self._seated):
            self.drop(shot_id)
        if self._batch is not None:
            self._batch.close()

    def _started(self) -> Batch:
        assert self._batch is not None, "start() comes first"
        return self._batch

    def _encoding(self) -> ThreadPoolExecutor:
        assert self._encoders is not None, "start() comes first"
        return self._encoders

    def _encode(self, finished: Finished) -> None:
        seat = self._seated[finished.picture_id]
        if seat.order.recipe.kind == "upscale":
            manifest = resized_manifest(seat.order, self.name, finished.circumstances)
        else:
            manifest = drawn_manifest(seat.order, self.name, finished.circumstances, resumed=seat.resumed)
        seat.encoding = self._encoding().submit(
            _draw, seat.order, finished.pixels, finished.device_seconds, manifest, finished.notes
        )

    def _collect(self, *, is_idle: bool) -> list[Drawn | Broken]:
        """What the encoders have ready; waits a moment for the first when there is nothing else to do."""
        encoding = {seat.encoding: shot_id for shot_id, seat in self._seated.items() if seat.encoding is not None}
        if not encoding:
            return []
        ready, _ = wait(encoding, _IDLE_WAIT_SECONDS if is_idle else 0, FIRST_COMPLETED)
        results: list[Drawn | Broken] = []
        for future in ready:
            error = future.exception()
            if error is None:
                results.append(future.result())
            elif isinstance(error, StablehandError):
                results.append(_broken(encoding[future], error))
            else:
                text = f"The picture could not be encoded: {type(error).__name__}: {error}"
                results.append(Broken(encoding[future], "retry", "encoding_failed", text))
        return results


def _extras(order: Order, places: Places) -> Extras:
    """What a picture uses beside its checkpoint, as the engine knows it."""
    from stablehand.engine.residents import Extras, Place  # noqa: PLC0415 - loaded by start()

    vae = next((addon for addon in order.addons if addon.kind == "vae"), None)
    upscaler = next((addon for addon in order.addons if addon.kind == "upscaler"), None)
    words = [addon for addon in order.addons if addon.kind == "embedding"]
    return Extras(
        autoencoder=None if vae is None else Place(vae.id, places[vae.id]),
        refiner=None if order.refiner is None else Place(order.refiner.id, places[order.refiner.id]),
        upscaler=None if upscaler is None else Place(upscaler.id, places[upscaler.id]),
        embeddings={addon.name: Place(addon.id, places[addon.id]) for addon in words},
    )


def _upscale(order: Order, runtime: str) -> Drawn:
    """Resize the input: no network takes part, and no device. Raises RecipeUnsupported, InputBroken."""
    from stablehand.engine.circumstances import host_circumstances  # noqa: PLC0415 - loaded by start()
    from stablehand.engine.upscaling import upscale_pixels  # noqa: PLC0415

    began = time.perf_counter()
    recipe = order.recipe
    enlarged = upscale_pixels(recipe.upscaler or "Lanczos", _given(order), recipe.height, recipe.width)
    manifest = resized_manifest(order, runtime, host_circumstances())
    return _draw(order, enlarged, time.perf_counter() - began, manifest)


def _given(order: Order) -> NDArray[np.uint8]:
    """The picture to upscale, (H, W, 3). Raises RecipeUnsupported, InputBroken."""
    from stablehand.engine.sources import open_input  # noqa: PLC0415 - loaded by start()

    source = order.recipe.source
    if source is None:
        raise RecipeUnsupported("There is no picture to upscale.", hint="Kind upscale needs an input.")
    return np.asarray(open_input(order.inputs, source.input))


def _draw(
    order: Order, pixels: NDArray[np.uint8], device_seconds: float, manifest: Manifest, notes: Sequence[Note] = ()
) -> Drawn:
    recipe = order.recipe
    infotext = write_infotext(recipe, order.checkpoint.sha256, stablehand.__version__, addon_hashes(order))
    image = Pictures.fromarray(pixels)
    # A picture that went on elsewhere is the same picture, and so is its file.
    in_file = replace(manifest, resumed=False)
    return Drawn(
        shot_id=order.shot_id,
        data=encode(image, recipe.format, recipe.quality, infotext, recipe.as_dict(), manifest=in_file),
        width=image.width,
        height=image.height,
        infotext=infotext,
        device_seconds=device_seconds,
        notes=notes,
        manifest=manifest,
    )


def _broken(shot_id: str, error: StablehandError, *, at_load: bool = False) -> Broken:
    error_class = _ERROR_CLASSES.get(error.code, "final")
    return Broken(shot_id, error_class, error.code, error.message, error.hint, at_load=at_load)
