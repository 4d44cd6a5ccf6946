"""fetch: bring weights from elsewhere into the models folder, checked before they count."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from stablehand.adapters import hub, weights
from stablehand.domain.addons import ADDON_FOLDERS, ADDON_KINDS, recognise_addon
from stablehand.domain.errors import BadSettings, CheckpointBroken, Conflict, NotFound
from stablehand.domain.families import from_single_file
from stablehand.downloads import DownloadFailed, Wish, download, forget_part, open_client

#: folder in the models folder in which things lie until they are whole and checked
INCOMING = ".incoming"
CHECKPOINTS = "checkpoints"
_SAFE_NAME = re.compile(r"[\w][\w .()+-]{0,120}")

#: (file, bytes so far, bytes in all if known)
Tell = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to bring, and what of it may be believed."""

    source: str  #: a file on this machine, an https address, or hf:owner/name[/file]
    name: str | None = None  #: what to call it; None: as its source does
    sha256: str | None = None  #: of a single file
    most_bytes: int | None = None
    endpoint: str = hub.ENDPOINT
    token: str | None = None  #: for the hub alone
    patience_seconds: float = 1.0


def fetch(models_dir: Path, order: Order, tell: Tell = lambda _file, _done, _total: None) -> Path:
    """Bring weights and return where they lie now. What broke off is gone on with the next time.

    Raises:
        BadSettings: the source is none, or names a pickle file. Conflict: there is one of that name already.
        DownloadFailed, StorageFull. CheckpointBroken: what came is nothing that can be used.
    """
    _refuse_pickle(order.source)
    incoming = models_dir / INCOMING
    incoming.mkdir(parents=True, exist_ok=True)
    came, source = _from_afar(incoming, order, tell) if hub.is_source(order.source) else _from_here(incoming, order)
    try:
        folder = _kind_of(came)
    except CheckpointBroken:
        _remove(came)
        raise
    target = models_dir / folder / came.name
    target.parent.mkdir(parents=True, exist_ok=True)
    came.replace(target)
    if source is not None:
        _note_origin(models_dir, f"{folder}/{target.name}", {"source": source, "asked": order.source})
    return target


def remove(models_dir: Path, path: str) -> Path:
    """Delete weights by their path in the models folder. Raises NotFound."""
    parts = PurePosixPath(path).parts
    place = models_dir / path
    folders = (CHECKPOINTS, *ADDON_FOLDERS.values())
    if len(parts) != 2 or parts[0] not in folders or ".." in parts or not place.exists():
        raise NotFound(f"{path} is not in {models_dir}.", hint="See `stablehand models list`.")
    _remove(place)
    side = place.with_suffix(weights.SIDE_SUFFIX)
    side.unlink(missing_ok=True)
    return place


def _from_afar(incoming: Path, order: Order, tell: Tell) -> tuple[Path, str]:
    """Where it lies, and where it can be fetched again."""
    with open_client() as client:
        remote = hub.resolve(order.source, client, endpoint=order.endpoint, token=order.token)
        name = _checked_name(order, remote.name, is_file="" in remote.files)
        is_hub = order.source.startswith(hub.PREFIX)
        headers = {"Authorization": f"Bearer {order.token}"} if order.token and is_hub else None
        refuse_taken(incoming.parent, name)
        place = incoming / name
        left = order.most_bytes
        for path, url in remote.files.items():
            file = place / path if path else place
            if path and file.is_file():
                continue  # of an earlier try, whole and checked
            wish = Wish(
                url=url,
                sha256=None if path else order.sha256,
                most_bytes=left,
                headers=headers,
                patience_seconds=order.patience_seconds,
            )
            download(client, wish, file, tell=partial(tell, path or name))
            left = None if left is None else left - file.stat().st_size
        return place, remote.files.get("", order.source)


def _from_here(incoming: Path, order: Order) -> tuple[Path, None]:
    source = Path(order.source).expanduser()
    if not source.exists():
        raise BadSettings(
            f"{order.source} is neither a file nor an address.",
            hint="Write a file's path, an https address, or hf:owner/name[/file].",
        )
    name = _checked_name(order, source.name, is_file=source.is_file())
    refuse_taken(incoming.parent, name)
    place = incoming / name
    if source.is_file():
        shutil.copyfile(source, place)
        if order.sha256 is not None and (digest := weights.sha256_of(place)) != order.sha256.casefold():
            place.unlink()
            raise DownloadFailed(f"{source} has the SHA-256 {digest}, not {order.sha256}.", hint="Check both.")
    else:
        shutil.copytree(source, place, dirs_exist_ok=True)
    return place, None


def _checked_name(order: Order, given: str, *, is_file: bool) -> str:
    """What to call it on disk. Raises BadSettings."""
    name = order.name or given
    if is_file and not name.casefold().endswith(weights.SUFFIX):
        if order.name is None:
            _refuse_pickle(name)
        name += weights.SUFFIX
    if not _SAFE_NAME.fullmatch(name):
        raise BadSettings(f"{name!r} cannot be the name of a file.", hint="Give it one with --name.")
    return name


def _refuse_pickle(source: str) -> None:
    path = source.partition("?")[0]
    if path.casefold().endswith(weights.PICKLES):
        raise BadSettings(
            f"{path.rpartition('/')[2]} is a pickle file, which can run code when it is opened.",
            hint="Look for a .safetensors file of the same weights, or convert it on a machine you can afford to lose.",
        )


def _kind_of(place: Path) -> str:
    """The folder that weights belong into, by their header. Raises CheckpointBroken for what can be used nowhere."""
    if place.is_dir() and (place / weights.INDEX).is_file():
        weights.recognise(place)
        return CHECKPOINTS
    if place.is_dir():
        shapes = weights.read_network_headers(place)
    else:
        header = weights.read_header(place)
        shapes = header.shapes
        if from_single_file(shapes, header.metadata) is not None:
            weights.recognise(place)
            return CHECKPOINTS
    for kind in ADDON_KINDS:
        if recognise_addon(kind, shapes) is not None:
            return ADDON_FOLDERS[kind]
    raise CheckpointBroken(
        f"{place.name} holds neither a checkpoint nor an autoencoder, an embedding or an upscaler.",
        hint="This version uses no other weights.",
    )


def _note_origin(models_dir: Path, path: str, origin: dict[str, str]) -> None:
    """Remember where something came from, so that agents may fetch it there."""
    file = models_dir / weights.SOURCES
    known = weights.read_origins(models_dir)
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps({**known, path: origin}, indent=1, sort_keys=True))
    fresh.replace(file)


def _remove(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place)
    else:
        forget_part(place)
        place.unlink(missing_ok=True)


def refuse_taken(models_dir: Path, name: str) -> None:
    """Raises Conflict when weights of that name are there already."""
    for folder in (CHECKPOINTS, *ADDON_FOLDERS.values()):
        if (models_dir / folder / name).exists():
            raise Conflict(f"{folder}/{name} is there already.", hint="Remove it first, or choose another --name.")


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One thing in the models folder."""

    path: str
    what: str  #: its family or kind, or what is wrong with it
    size_bytes: int = 0


def survey(models_dir: Path) -> list[Surveyed]:
    """Everything that lies where weights belong, known by headers alone."""
    found = []
    for folder in (CHECKPOINTS, "", *ADDON_FOLDERS.values()):
        sign = weights.INDEX if folder in (CHECKPOINTS, "") else weights.CONFIG
        for place in weights.candidates(models_dir / folder, sign):
            path = place.relative_to(models_dir).as_posix()
            try:
                if folder in (CHECKPOINTS, ""):
                    network = weights.recognise(place)
                    what = f"checkpoint, {network.family}" + (", inpainting" if network.inpainting else "")
                else:
                    what = folder
                    if _kind_of(place) != folder:
                        raise CheckpointBroken("it is no file for this folder")
                found.append(Surveyed(path, what, weights.measure(place).size_bytes))
            except CheckpointBroken as error:
                found.append(Surveyed(path, f"cannot be used: {error.message}"))
        found += [
            Surveyed(pickle.relative_to(models_dir).as_posix(), "cannot be used: a pickle file")
            for pickle in weights.pickles(models_dir / folder)
        ]
    return found
