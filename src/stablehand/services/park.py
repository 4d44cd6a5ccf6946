"""park: an agent saves the state of a running shot, so that another one can go on with it."""

import hashlib
import math

from stablehand.domain.agents import Agent
from stablehand.domain.errors import InvalidFields, NotFound, StablehandError
from stablehand.protocol import Done, Park
from stablehand.services import Services
from stablehand.services.identity import new_id
from stablehand.store.parking import NewParked

#: Far above what the largest picture's latents and their history need.
MAX_PARKED_BYTES = 64 * 2**20

#: Folder of the parked states in the object store.
PARKED = "parked"


def park(services: Services, agent: Agent, message: Park, data: bytes) -> Done:
    """Store the state of a shot; it replaces an older one of the same shot. The shot stays the agent's.

    Raises: InvalidFields, LeaseLost, StorageFull, StorageAway.
    """
    if not data or message.step > message.steps:
        raise InvalidFields({"step": "at most as many as steps"} if data else {"body": "the saved state"})
    services.store.check_lease(agent.id, message.shot_id, message.token)
    park_id = new_id()
    key = f"{PARKED}/{park_id[-2:]}/{message.shot_id}-{message.token}-{park_id}"
    seconds = message.device_seconds if math.isfinite(message.device_seconds) else 0.0
    services.objects.put(key, data)
    try:
        services.store.park(
            agent.id,
            message.incarnation,
            NewParked(
                shot_id=message.shot_id,
                token=message.token,
                object_key=key,
                size_bytes=len(data),
                sha256=hashlib.sha256(data).hexdigest(),
                step=message.step,
                steps=message.steps,
                # A broken stopwatch must not charge more than so many attempts can take.
                device_seconds=min(seconds, services.limits.timeout_seconds * message.token),
            ),
        )
    except StablehandError:
        services.objects.delete(key)
        raise
    return Done(accepted=[message.shot_id])


def parked(services: Services, agent: Agent, shot_id: str, token: int) -> bytes:
    """The state that this lease may go on from.

    Raises: LeaseLost; NotFound, also when its bytes are not what was stored; StorageAway.
    """
    offer = services.store.parked(agent.id, shot_id, token)
    data = services.objects.get(offer.object_key)
    if hashlib.sha256(data).hexdigest() != offer.sha256:
        raise NotFound("The parked state is damaged.", hint="Begin the picture anew.")
    return data
