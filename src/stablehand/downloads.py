"""Large files over HTTP: resumed where they broke off, bounded, and checked before they count.

Agents fetch weights with it from their server, and ``stablehand models add`` from anywhere.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from stablehand.domain.errors import StablehandError, StorageFull

#: Ends without progress after which a download is given up.
TRIES = 5
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_PARTIAL, _WHOLE, _NOTHING_LEFT = 206, 200, 416

#: (bytes so far, bytes in all if known)
Tell = Callable[[int, int | None], None]


class DownloadFailed(StablehandError):
    """A file could not be fetched; what came of it is kept for the next try where that makes sense."""

    code = "download_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wanted, and what of it may be believed."""

    url: str
    sha256: str | None = None  #: of the whole file
    most_bytes: int | None = None
    headers: Mapping[str, str] | None = None
    patience_seconds: float = 1.0  #: before the second try; doubled for each further one


def download(client: httpx.Client, wish: Wish, target: Path, *, tell: Tell = lambda _done, _total: None) -> str:
    """Fetch a file to ``target`` and return its SHA-256; ``target.part`` holds it until it is whole and right.

    A part that is there is gone on with, if the server has ranges and still serves the same file.

    Raises:
        DownloadFailed: refused, too large, not what was promised, or broken off too often. StorageFull.
    """
    part = target.with_name(target.name + ".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    tries = 0
    while True:
        before = _size(part)
        try:
            if _go_on(client, wish, part, tell):
                break
        except httpx.TransportError as error:
            tries = 1 if _size(part) > before else tries + 1
            if tries >= TRIES:
                raise DownloadFailed(
                    f"{wish.url} broke off {TRIES} times: {type(error).__name__}: {error}",
                    hint="Try again later; what came so far is kept.",
                ) from error
            time.sleep(wish.patience_seconds * 2 ** (tries - 1))
        except OSError as error:
            raise _disk_trouble(error, part) from error
    digest = _sha256(part)
    if wish.sha256 is not None and digest != wish.sha256.casefold():
        forget_part(target)
        raise DownloadFailed(
            f"What came from {wish.url} has the SHA-256 {digest}, not {wish.sha256}.",
            hint="It was thrown away. Check the address and the hash.",
        )
    part.replace(target)
    _tag_of(part).unlink(missing_ok=True)
    return digest


def forget_part(target: Path) -> None:
    """Throw away what has come of a file so far."""
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    _tag_of(part).unlink(missing_ok=True)


def open_client(*, trust_env: bool = True) -> httpx.Client:
    """A client that follows redirects, but never from an encrypted address to a plain one."""
    return httpx.Client(
        follow_redirects=True,
        timeout=httpx.Timeout(30.0, connect=10.0),
        trust_env=trust_env,
        event_hooks={"request": [_refuse_plain]},
    )


def _refuse_plain(request: httpx.Request) -> None:
    if request.url.scheme != "https" and request.url.host not in _LOOPBACK:
        raise DownloadFailed(
            f"{request.url.host} is not reached by https.",
            hint="Weights are fetched over https only; copy them by hand.",
        )


def _go_on(client: httpx.Client, wish: Wish, part: Path, tell: Tell) -> bool:
    """One request; True when the file is whole. Raises httpx.TransportError when it broke off."""
    have = _size(part)
    tag_file = _tag_of(part)
    headers = {**(wish.headers or {}), "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        with suppress(FileNotFoundError):
            headers["If-Range"] = tag_file.read_text()
    with client.stream("GET", wish.url, headers=headers) as response:
        if response.status_code == _NOTHING_LEFT and have:
            # Either all is here, or the file has become shorter.
            if response.headers.get("Content-Range", "").rpartition("/")[2] == str(have):
                return True
            part.unlink()
            return False
        if response.status_code not in (_WHOLE, _PARTIAL):
            raise _refused(wish, response)
        begin, total = _reach(response)
        if response.status_code == _PARTIAL and begin != have:
            raise httpx.RemoteProtocolError(f"bytes from {begin} came, from {have} were asked for")
        _check_size(wish, total)
        _note_tag(tag_file, response)
        done = begin
        with part.open("ab" if begin else "wb") as file:
            for chunk in response.iter_raw():
                done += len(chunk)
                _check_size(wish, done)
                file.write(chunk)
                tell(done, total)
        if total is not None and done != total:
            raise httpx.RemoteProtocolError(f"{done} bytes of {total} came")
    return True


def _reach(response: httpx.Response) -> tuple[int, int | None]:
    """Where the bytes of an answer begin, and how long the whole file is, if the server says."""
    try:
        if response.status_code == _PARTIAL:
            span, _, whole = response.headers["Content-Range"].removeprefix("bytes ").partition("/")
            return int(span.partition("-")[0]), None if whole == "*" else int(whole)
        length = response.headers.get("Content-Length")
        return 0, None if length is None else int(length)
    except (KeyError, ValueError) as error:
        raise httpx.RemoteProtocolError("the answer does not say which bytes it brings") from error


def _note_tag(tag_file: Path, response: httpx.Response) -> None:
    """Remember by which mark the server knows this very file; a weak one vouches for no bytes."""
    tag = response.headers.get("ETag", "")
    if tag and not tag.startswith("W/"):
        tag_file.write_text(tag)
    else:
        tag_file.unlink(missing_ok=True)


def _check_size(wish: Wish, size: int | None) -> None:
    if size is not None and wish.most_bytes is not None and size > wish.most_bytes:
        raise DownloadFailed(
            f"{wish.url} is larger than {wish.most_bytes / 1e9:.1f} GB.",
            hint="Raise the limit if that is what you want: --max-gigabytes.",
        )


def _refused(wish: Wish, response: httpx.Response) -> StablehandError:
    status = response.status_code
    if status >= 500 or status in (408, 425, 429):
        raise httpx.RemoteProtocolError(f"the server answered {status}")
    host = urlsplit(wish.url).hostname
    hints = {
        401: f"{host} wants a token: set HF_TOKEN for Hugging Face, or download it by hand.",
        403: f"{host} does not let you have it: accept its licence there first, and set HF_TOKEN.",
        404: "Check the address.",
    }
    return DownloadFailed(f"{wish.url} was refused: {status}.", hint=hints.get(status, "Check the address."))


def _disk_trouble(error: OSError, part: Path) -> StablehandError:
    if error.errno in (28, 122):  # no space left, quota exceeded
        return StorageFull(
            f"The disk is full at {part.parent}.", hint="Make room; the download goes on where it ended."
        )
    return DownloadFailed(f"{part} cannot be written: {error.strerror}.", hint="Check its folder and permissions.")


def _tag_of(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
