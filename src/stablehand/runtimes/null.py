"""The null runtime: a seeded gradient in milliseconds, so that everything but the drawing can be tried and tested."""

import io
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import structlog
from PIL import Image as Pictures
from PIL import ImageChops

from stablehand import __version__
from stablehand.domain.errors import StablehandError
from stablehand.domain.infotext import write_infotext
from stablehand.domain.recipes import Kind, Recipe
from stablehand.ports import Broken, Drawn, Loaded, Order, Parked
from stablehand.protocol import Device
from stablehand.runtimes.encode import encode
from stablehand.runtimes.manifests import addon_hashes, painted_manifest
from stablehand.runtimes.parcel import BrokenParcel, unwrap, wrap

#: pixels of a preview's longer side
_PREVIEW_SIDE = 128
#: how far grain moves a colour, of 255
_GRAIN = 4

log = structlog.get_logger("agent")


@dataclass(slots=True)
class _Seat:
    order: Order
    steps_done: int = 0
    device_seconds: float = 0.0


class NullRuntime:
    """Draws equal gradients for equal recipes, takes ``seconds_per_step`` for one step of all seated shots together.

    ``on_start``, ``on_load`` and ``on_tick`` are called before the work with nothing, with the id of a checkpoint that
    comes into memory, and with the seated orders; what they raise goes through, but for our own errors while
    loading. Tests use them to see how the agent bears a device that misbehaves.
    """

    name = "null"
    kinds: Sequence[str] = get_args(Kind)

    def __init__(
        self,
        *,
        seconds_per_step: float = 0.002,
        seats: int = 8,
        on_start: Callable[[], None] = lambda: None,
        on_load: Callable[[str], None] = lambda _checkpoint_id: None,
        on_tick: Callable[[Sequence[Order]], None] = lambda _orders: None,
    ) -> None:
        self._seconds_per_step = seconds_per_step
        self._seats = seats
        self._on_start = on_start
        self._on_load = on_load
        self._on_tick = on_tick
        self._seated: dict[str, _Seat] = {}
        self._resident: list[str] = []
        self._loading: str | None = None
        self._unloaded: list[Broken] = []  #: what the next tick will say
        self._guard = threading.Lock()  #: progress is asked from other threads

    def start(self) -> None:
        self._on_start()

    @property
    def device(self) -> Device:
        return Device(kind="none", name="null")

    @property
    def seats(self) -> int:
        return self._seats

    def resident(self) -> list[str]:
        return list(self._resident)

    def loads(self) -> list[Loaded]:
        return []

    def loading(self) -> str | None:
        return self._loading

    def add(self, order: Order) -> None:
        with self._guard:
            self._seated[order.shot_id] = self._seat(order)
        if order.checkpoint.id not in self._resident:
            self._load(order)

    def _load(self, order: Order) -> None:
        self._loading = order.checkpoint.id
        try:
            self._on_load(order.checkpoint.id)
        except StablehandError as error:
            self._unloaded.append(Broken(order.shot_id, "final", error.code, error.message, error.hint, at_load=True))
        else:
            # One slot, as the smallest device has: the last checkpoint asked for is the one in memory.
            self._resident = [order.checkpoint.id]
        finally:
            self._loading = None

    def _seat(self, order: Order) -> _Seat:
        if order.resume_from is None:
            return _Seat(order)
        try:
            _, label = unwrap(order.resume_from, order, self.name, self.device.precision)
            return _Seat(order, int(label["step"]), float(label["device_seconds"]))
        except (BrokenParcel, KeyError, ValueError, TypeError) as error:
            log.warning("a saved state cannot be used, the shot begins anew", shot=order.shot_id, reason=str(error))
            return _Seat(order)

    def park(self, shot_id: str) -> Parked | None:
        seat = self._seated.get(shot_id)
        if seat is None or seat.steps_done == 0:
            return None
        data = wrap(
            seat.order,
            self.name,
            self.device.precision,
            b"",
            step=seat.steps_done,
            device_seconds=seat.device_seconds,
        )
        return Parked(shot_id, data, seat.steps_done, seat.order.recipe.steps, seat.device_seconds)

    def drop(self, shot_id: str) -> None:
        with self._guard:
            self._seated.pop(shot_id, None)

    def tick(self) -> list[Drawn | Broken]:
        unloaded = [broken for broken in self._unloaded if broken.shot_id in self._seated]
        self._unloaded.clear()
        for broken in unloaded:
            self.drop(broken.shot_id)
        seats = list(self._seated.values())
        if not seats:
            return [*unloaded]
        self._on_tick([seat.order for seat in seats])
        began = time.perf_counter()
        time.sleep(self._seconds_per_step)
        share = (time.perf_counter() - began) / len(seats)
        ended: list[Drawn | Broken] = [*unloaded]
        for seat in seats:
            seat.steps_done += 1
            seat.device_seconds += share
            if seat.steps_done >= seat.order.recipe.steps:
                ended.append(_finish(seat))
        for result in ended:
            self.drop(result.shot_id)
        return ended

    def busy(self) -> bool:
        return bool(self._seated)

    def progress(self) -> dict[str, float]:
        with self._guard:
            return {shot_id: seat.steps_done / seat.order.recipe.steps for shot_id, seat in self._seated.items()}

    def preview(self, shot_id: str) -> bytes | None:
        seat = self._seated.get(shot_id)
        if seat is None or seat.steps_done == 0:
            return None
        recipe = seat.order.recipe
        width, height = recipe.output_size
        scale = _PREVIEW_SIDE / max(width, height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        fog = Pictures.new("RGB", size, (128, 128, 128))
        picture = Pictures.blend(fog, paint(recipe, size), min(1.0, seat.steps_done / recipe.steps))
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=75)
        return out.getvalue()

    def close(self) -> None:
        with self._guard:
            self._seated.clear()


def paint(recipe: Recipe, size: tuple[int, int] | None = None) -> Pictures.Image:
    """The gradient of a recipe: two colours from its fingerprint, from one corner to the opposite one.

    A fine grain lies over it: without one the steps of the gradient show, and files would be unlike real ones in size.
    """
    chance = random.Random(recipe.fingerprint)
    size = size or recipe.output_size
    first, second = (tuple(chance.randrange(256) for _ in range(3)) for _ in range(2))
    down = Pictures.linear_gradient("L")
    across = down.transpose(Pictures.Transpose.ROTATE_90 if chance.random() < 0.5 else Pictures.Transpose.ROTATE_270)
    mask = ImageChops.add(down, across, scale=2.0).resize(size, Pictures.Resampling.BILINEAR)
    gradient = Pictures.composite(Pictures.new("RGB", size, first), Pictures.new("RGB", size, second), mask)
    grain = np.random.default_rng(chance.getrandbits(64)).integers(-_GRAIN, _GRAIN + 1, (size[1], size[0], 3))
    return Pictures.fromarray((np.asarray(gradient, np.int16) + grain).clip(0, 255).astype(np.uint8))


def _finish(seat: _Seat) -> Drawn | Broken:
    recipe = seat.order.recipe
    infotext = write_infotext(recipe, seat.order.checkpoint.sha256, __version__, addon_hashes(seat.order))
    manifest = painted_manifest(seat.order, NullRuntime.name)
    return Drawn(
        shot_id=seat.order.shot_id,
        data=encode(paint(recipe), recipe.format, recipe.quality, infotext, recipe.as_dict(), manifest=manifest),
        width=recipe.output_size[0],
        height=recipe.output_size[1],
        infotext=infotext,
        device_seconds=seat.device_seconds,
        manifest=manifest,
    )
