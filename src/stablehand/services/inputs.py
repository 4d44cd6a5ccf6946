"""Inputs: pictures that orders start from, brought by people or taken from their images."""

import hashlib

from stablehand.adapters.cleaning import Cleaned, clean
from stablehand.domain.accounts import Account
from stablehand.domain.agents import Agent
from stablehand.domain.errors import NotFound
from stablehand.domain.orders import Given, JobOrder
from stablehand.services import Services
from stablehand.services.identity import new_id
from stablehand.store.inputs import Input

#: Folder of the inputs in the object store.
INPUTS = "inputs"
#: How long an input is kept that no unfinished job needs.
UNUSED_HOURS = 24.0


def take_input(services: Services, account: Account, data: bytes) -> Input:
    """Check, clean and keep a picture; the same one twice is kept once.

    Raises: BadPicture, PictureTooLarge, StorageFull, StorageAway.
    """
    return _keep(services, account, clean(data))


def _keep(services: Services, account: Account, cleaned: Cleaned) -> Input:
    key_id = new_id()
    # The key is its own: sweeping an old row can never hit the bytes of a new one.
    kept = services.store.note_input(
        Input(
            account_id=account.id,
            id=cleaned.sha256,
            object_key=f"{INPUTS}/{key_id[-2:]}/{key_id}.png",
            size_bytes=len(cleaned.data),
            width=cleaned.width,
            height=cleaned.height,
        )
    )
    # Also when it was known: an earlier attempt may have ended between the row and its bytes.
    services.objects.put(kept.object_key, cleaned.data, content_type="image/png")
    return kept


def input_bytes(services: Services, account: Account, input_id: str) -> bytes:
    """The PNG of an account's own input. Raises NotFound, StorageAway."""
    known = services.store.input(account.id, input_id)
    if known is None:
        raise NotFound(
            "There is no such input.", hint="Inputs are kept for a day after their last use; upload it again."
        )
    return services.objects.get(known.object_key)


def find_given(services: Services, account: Account, order: JobOrder, found: dict[str, str]) -> dict[str, Given]:
    """The pictures that an order names, by field, as they are known now; adds to ``found`` those that do not exist."""
    given = {}
    for field in ("input", "mask"):
        wanted = getattr(order, field)
        if wanted is None or field in found:
            continue
        known = services.store.input(account.id, wanted)
        if known is not None:
            given[field] = Given(id=known.id, width=known.width, height=known.height)
            continue
        try:
            image = services.store.image(wanted, account.id)
        except NotFound:
            found[field] = "no such picture: upload it with POST /api/v1/inputs, or give the id of one of your images"
        else:
            given[field] = Given(id=image.id, width=image.width, height=image.height)
    return given


def as_input(services: Services, account: Account, given: Given) -> Given:
    """The same picture as an input: images are copied, because they may be deleted before the order is drawn.

    Raises: NotFound, BadPicture, PictureTooLarge, StorageFull, StorageAway.
    """
    if services.store.input(account.id, given.id) is not None:
        return given
    image = services.store.image(given.id, account.id)
    kept = take_input(services, account, services.objects.get(image.object_key))
    return Given(id=kept.id, width=kept.width, height=kept.height)


def leased_input(services: Services, agent: Agent, shot_id: str, token: int, input_id: str) -> bytes:
    """The bytes of an input for the holder of a shot's lease.

    Raises: LeaseLost; NotFound, also when its bytes are not what was stored; StorageAway.
    """
    data = services.objects.get(services.store.leased_input(agent.id, shot_id, token, input_id).object_key)
    if hashlib.sha256(data).hexdigest() != input_id:
        raise NotFound("The stored picture is damaged.", hint="Upload it again; that mends it.")
    return data
