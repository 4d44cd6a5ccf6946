"""Many pictures as one ZIP, sent while it is made; whoever reads too slowly is cut off, because a thread waits."""

import errno
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from flask import Response

from stablehand.api.door import Door
from stablehand.api.schemas import Error
from stablehand.domain.errors import NotFound
from stablehand.services.zipping import zip_pictures

#: on the average, after the first minute
SLOWEST_BYTES_A_SECOND = 16_384
PATIENCE_SECONDS = 60.0

ZIP_ANSWERS: dict[Any, Any] = {
    200: {
        "description": "A ZIP with the pictures as they are.",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    },
    503: Error,
}


def zip_answer(door: Door, who: str, account_id: str, image_ids: Sequence[str], *, with_recipes: bool) -> Response:
    """The pictures of an account as one file. ``who``: counted against the thread budget.

    Raises NotFound: there are none. Busy.
    """
    if not image_ids:
        raise NotFound("There are no pictures to download.", hint="Wait for the first one, or look into the trash.")
    with ExitStack() as stack:
        stack.enter_context(door.zips.hold(who))
        chunks = zip_pictures(door.services, account_id, image_ids, with_recipes=with_recipes)
        stack.callback(chunks.close)  # type: ignore[attr-defined]  # a generator
        response = Response(paced(chunks), mimetype="application/zip")
        name = f"stablehand-{datetime.now(UTC):%Y%m%d-%H%M%S}.zip"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        # Proxies that gather an answer before they pass it on are asked not to.
        response.headers["X-Accel-Buffering"] = "no"
        response.call_on_close(stack.pop_all().close)
    return response


def paced(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same, until whoever reads is too slow. Raises ConnectionResetError, which only ends the line."""
    began_at = time.monotonic()
    sent = 0
    for chunk in chunks:
        yield chunk
        sent += len(chunk)
        took = time.monotonic() - began_at
        if took > PATIENCE_SECONDS and sent < took * SLOWEST_BYTES_A_SECOND:
            raise ConnectionResetError(errno.ECONNRESET, "the reader is too slow")
