"""The default checkpoint, fetched in the background when the settings say where from and not what is there."""

import logging
import os
import threading
from pathlib import Path

from stablehand.adapters import weights
from stablehand.domain.errors import StablehandError
from stablehand.services.fetch import Order, fetch

#: Between two tries after one that failed.
RETRY_SECONDS = 300.0
#: The largest that is fetched without being asked again.
MOST_BYTES = 32 * 10**9

_log = logging.getLogger(__name__)


class DefaultModel:
    """Fetches ``source`` into the models folder once; meanwhile another checkpoint is the default."""

    def __init__(self, models_dir: Path, source: str, endpoint: str) -> None:
        self._models_dir = models_dir
        self._order = Order(source=source, endpoint=endpoint, most_bytes=MOST_BYTES, token=os.environ.get("HF_TOKEN"))
        self._word = "to be fetched"
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="default-model", daemon=True)

    @property
    def word(self) -> str:
        """How it stands, for people: "ok" once it is there."""
        return "ok" if self._is_there() else self._word

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Begin no further try. A download in hand ends with the process, and is gone on with after the next start."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set() and not self._is_there():
            try:
                _log.info("fetching the default checkpoint from %s", self._order.source)
                place = fetch(self._models_dir, self._order, self._tell)
                _log.info("the default checkpoint is there: %s", place)
            except StablehandError as error:
                self._word = f"could not be fetched: {error.message} {error.hint}".strip()
                _log.warning("the default checkpoint %s", self._word)
                self._stopping.wait(RETRY_SECONDS)
            except Exception as error:
                self._word = f"could not be fetched: {type(error).__name__}"
                _log.exception("the default checkpoint could not be fetched")
                self._stopping.wait(RETRY_SECONDS)

    def _tell(self, file: str, done: int, total: int | None) -> None:
        share = f"{done / total:.0%}" if total else f"{done / 1e6:.0f} MB"
        self._word = f"being fetched: {file}, {share}"

    def _is_there(self) -> bool:
        path = weights.read_asked(self._models_dir).get(self._order.source)
        return path is not None and (self._models_dir / path).exists()
