"""Weights that are not on this machine: from the server, else from where they once came, into a bounded cache."""

import shutil
import threading
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import structlog

from stablehand.domain.errors import WeightsUnavailable
from stablehand.downloads import DownloadFailed, Wish, download, open_client
from stablehand.protocol import AddonRef, CheckpointRef

#: a folder's list may be this long
_LIST_MAX_BYTES = 4 * 2**20

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}

log = structlog.get_logger("agent")


class WeightsCache:
    """Weights by their hash in ``folder``, at most ``most_bytes`` of them; those not used for the longest go first."""

    def __init__(self, server: str, token: str, folder: Path, most_bytes: int) -> None:
        self._server = server.rstrip("/")
        self._token = token
        self._folder = folder
        self._most_bytes = most_bytes
        self._room = threading.Lock()

    def fetch(self, ref: CheckpointRef | AddonRef) -> Path:
        """Where these weights lie, once they do. Raises WeightsUnavailable, StorageFull."""
        if ref.sha256 is None:
            raise WeightsUnavailable(
                f"{ref.name} is not on this agent, and the server has not computed its hash yet.",
                hint="It is tried again; copying the file into the agent's models folder works at once.",
            )
        place = self._folder / ref.sha256[:2] / ref.sha256 / Path(ref.path).name
        if not place.exists():
            self._bring(ref, ref.sha256, place)
        place.parent.touch()  # used just now
        return place

    def _bring(self, ref: CheckpointRef | AddonRef, sha256: str, place: Path) -> None:
        log.info("fetching weights", name=ref.name, sha256=sha256)
        try:
            with self._server_client() as client:
                self._from_server(client, ref, sha256, place)
        except DownloadFailed as failed:
            if ref.source is None or not ref.source.startswith("https://"):
                raise WeightsUnavailable(failed.message, hint=failed.hint) from failed
            log.warning("the server has no such weights, asking where they came from", reason=failed.message)
            self._from_source(ref.source, sha256, place)
        self._make_room(place)

    def _server_client(self) -> httpx.Client:
        # To one's own server also over plain http: that is where the token goes with every other word.
        return httpx.Client(
            headers={"Authorization": f"Bearer {self._token}"},
            # A server that meets a folder for the first time hashes it before it answers.
            timeout=httpx.Timeout(600.0, connect=3.0),
            trust_env=(urlsplit(self._server).hostname or "") not in _LOOPBACK,
        )

    def _from_server(self, client: httpx.Client, ref: CheckpointRef | AddonRef, sha256: str, place: Path) -> None:
        base = f"{self._server}/agent/v1/weights/{sha256}"
        if place.suffix.casefold() == ".safetensors":
            download(client, Wish(url=base, sha256=sha256), place)
            self._side_file(client, base, place)
            return
        listing = place.parent / "list"
        # The list's own hash is the folder's, so every line of it is vouched for.
        download(client, Wish(url=base, sha256=sha256, most_bytes=_LIST_MAX_BYTES), listing)
        coming = place.with_name(place.name + ".coming")
        for line in listing.read_text(encoding="utf-8").splitlines():
            digest, _, path = line.partition("  ")
            file = coming / path
            if not file.resolve().is_relative_to(coming.resolve()):
                raise WeightsUnavailable(f"The list of {ref.name} leads out of its folder.", hint="See the server.")
            if not file.is_file():
                download(client, Wish(url=f"{base}/{path}", sha256=digest), file)
        coming.rename(place)

    def _side_file(self, client: httpx.Client, base: str, place: Path) -> None:
        """What the server's owner wrote beside the file about how it is sampled."""
        try:
            download(client, Wish(url=f"{base}/side", most_bytes=2**20), place.with_suffix(".yaml"))
        except DownloadFailed:
            log.debug("nothing is written beside these weights", name=place.name)

    def _from_source(self, source: str, sha256: str, place: Path) -> None:
        try:
            with open_client() as client:
                download(client, Wish(url=source, sha256=sha256), place)
        except DownloadFailed as failed:
            raise WeightsUnavailable(failed.message, hint=failed.hint) from failed

    def _make_room(self, newest: Path) -> None:
        with self._room:
            entries = sorted(self._folder.glob("*/*"), key=lambda entry: entry.stat().st_mtime)
            sizes = {
                entry: sum(file.stat().st_size for file in entry.rglob("*") if file.is_file()) for entry in entries
            }
            total = sum(sizes.values())
            for entry in entries:
                if total <= self._most_bytes:
                    return
                if entry != newest.parent:
                    log.info("making room for weights", removed=entry.name, size_bytes=sizes[entry])
                    shutil.rmtree(entry, ignore_errors=True)
                    total -= sizes[entry]
