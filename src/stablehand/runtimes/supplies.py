"""Supplies: an order waits here until everything it is drawn with lies on this machine."""

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import stablehand
from stablehand.domain.errors import CheckpointBroken, StablehandError, WeightsUnavailable
from stablehand.ports import Fetch, Order
from stablehand.protocol import AddonRef, CheckpointRef

_BUILTIN = "builtin:"
_BUILTIN_FOLDER = Path(stablehand.__file__).parent / "builtin"

#: id of a checkpoint or addon -> where it lies
Places = Mapping[str, Path]


@dataclass(slots=True)
class _Waiting:
    order: Order
    wanted: dict[str, Future[Path]]


class Supplies:
    """What lies in ``models_dir`` is used as it is; ``fetch`` brings the rest, each file once for all who want it.

    One thread (the one that calls the runtime) calls everything; fetching goes on in threads of its own.
    """

    def __init__(self, models_dir: Path, fetch: Fetch | None = None) -> None:
        self._models_dir = models_dir
        self._fetch = fetch
        self._waiting: dict[str, _Waiting] = {}
        self._fetching: dict[CheckpointRef | AddonRef, Future[Path]] = {}

    def ask(self, order: Order) -> None:
        refs: list[CheckpointRef | AddonRef] = [*order.addons]
        if order.recipe.kind != "upscale":  # a lane has a checkpoint also where nothing is drawn with it
            refs += [order.checkpoint] if order.refiner is None else [order.checkpoint, order.refiner]
        self._waiting[order.shot_id] = _Waiting(order, {ref.id: self._bring(ref) for ref in refs})

    def come(self) -> Iterable[tuple[Order, Places | StablehandError]]:
        """Orders that wait no longer: with all their places, or with what keeps one of them away."""
        ready = [waiting for waiting in self._waiting.values() if _is_settled(waiting)]
        for waiting in ready:
            del self._waiting[waiting.order.shot_id]
            yield waiting.order, _outcome(waiting)
        self._fetching = {ref: future for ref, future in self._fetching.items() if not future.done()}

    def waiting(self) -> set[str]:
        return set(self._waiting)

    def wait(self, seconds: float) -> None:
        """Until something that is waited for has come, at most so long."""
        wanted = {future for waiting in self._waiting.values() for future in waiting.wanted.values()}
        wait([future for future in wanted if not future.done()], seconds, FIRST_COMPLETED)

    def forget(self, shot_id: str) -> None:
        """The order waits no longer; what is being fetched for it still comes, for the next."""
        self._waiting.pop(shot_id, None)

    def _bring(self, ref: CheckpointRef | AddonRef) -> Future[Path]:
        found: Future[Path] = Future()
        try:
            place = local_place(ref, self._models_dir)
        except CheckpointBroken as error:
            found.set_exception(error)
            return found
        if self._fetch is None or place.exists():
            found.set_result(place)
            return found
        known = self._fetching.get(ref)
        if known is None:
            known = self._fetching[ref] = found
            fetch = self._fetch
            # A daemon: an agent that ends does not wait for gigabytes.
            threading.Thread(target=lambda: _settle(found, fetch, ref), name="fetch", daemon=True).start()
        return known


def local_place(ref: CheckpointRef | AddonRef, models_dir: Path) -> Path:
    """Where weights lie on this machine. Raises CheckpointBroken for a path that leaves its folder."""
    is_builtin = ref.path.startswith(_BUILTIN)
    relative = PurePosixPath(ref.path.removeprefix(_BUILTIN))
    if relative.is_absolute() or ".." in relative.parts:
        raise CheckpointBroken(
            f"The path of {ref.name}, {ref.path!r}, leads out of the models folder.",
            hint="Scan the models folder again.",
        )
    if not is_builtin:
        return models_dir / relative
    return (_BUILTIN_FOLDER / "checkpoints" if isinstance(ref, CheckpointRef) else _BUILTIN_FOLDER) / relative


def _settle(found: Future[Path], fetch: Fetch, ref: CheckpointRef | AddonRef) -> None:
    try:
        found.set_result(fetch(ref))
    except StablehandError as error:
        found.set_exception(error)
    except Exception as error:
        text = f"{ref.name} could not be fetched: {type(error).__name__}: {error}"
        found.set_exception(WeightsUnavailable(text, hint="The agent's log may say more; it is tried again."))


def _is_settled(waiting: _Waiting) -> bool:
    """All there, or one certain not to come."""
    futures = waiting.wanted.values()
    return all(future.done() for future in futures) or any(
        future.done() and future.exception() is not None for future in futures
    )


def _outcome(waiting: _Waiting) -> Places | StablehandError:
    for future in waiting.wanted.values():
        error = future.exception() if future.done() else None
        if error is not None:
            assert isinstance(error, StablehandError)
            return error
    return {name: future.result() for name, future in waiting.wanted.items()}
