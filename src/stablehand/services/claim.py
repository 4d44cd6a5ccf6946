"""claim: an agent asks for work."""

import time
from collections.abc import Mapping, Sequence

from stablehand.domain.addons import AddonFile
from stablehand.domain.agents import Agent
from stablehand.domain.checkpoints import Checkpoint
from stablehand.protocol import AddonRef, CheckpointRef, Claim, Lease, Leases
from stablehand.services import Services
from stablehand.services.announce import announce, work_topic
from stablehand.store.claims import Leased
from stablehand.store.holdings import Memory


def claim(services: Services, agent: Agent, message: Claim) -> Leases:
    """Lease shots to an agent; waits up to ``wait_seconds`` for some, holding no database connection meanwhile.

    Raises:
        UnknownIncarnation: it must say hello first. Superseded: a newer process of this agent runs; it must end.
    """
    deadline = time.monotonic() + message.wait_seconds
    while True:
        heard = services.doorbell.heard()
        leased, drain, changes = services.store.claim(
            agent.id,
            message.incarnation,
            # What would be drawn could not be kept: it waits, and says why.
            seats=0 if services.space.is_full else message.seats,
            memory=Memory(message.resident, message.loading, is_fresh=False),
            lease_seconds=services.limits.lease_seconds,
            premium_seats=services.limits.premium_seats,
        )
        # The board must not say that a picture which goes on had only begun.
        services.feed.note_progress({lease.shot_id: lease.parked.progress for lease in leased if lease.parked})
        announce(services, changes)
        left = deadline - time.monotonic()
        if leased or drain or left <= 0:
            return Leases(leases=_all_on_the_wire(services, leased), drain=drain)
        services.doorbell.wait(work_topic(agent.pool), min(left, services.limits.poll_seconds), since=heard)


def _all_on_the_wire(services: Services, leased: Sequence[Leased]) -> list[Lease]:
    addons = services.store.addons_by_id({addon.id for lease in leased for addon in lease.recipe.addons})
    refiners = {lease.recipe.refiner.checkpoint_id for lease in leased if lease.recipe.refiner is not None}
    checkpoints = services.store.checkpoints_by_id(refiners)
    return [_on_the_wire(services, lease, addons, checkpoints) for lease in leased]


def _on_the_wire(
    services: Services, leased: Leased, addons: Mapping[str, AddonFile], checkpoints: Mapping[str, Checkpoint]
) -> Lease:
    recipe = leased.recipe
    refiner = None if recipe.refiner is None else checkpoints.get(recipe.refiner.checkpoint_id)
    return Lease(
        shot_id=leased.shot_id,
        job_id=leased.job_id,
        account_id=leased.account_id,
        index=leased.index,
        token=leased.token,
        attempt=leased.attempt,
        lease_seconds=services.limits.lease_seconds,
        timeout_seconds=services.limits.timeout_seconds,
        recipe=recipe.as_dict(),
        checkpoint=_checkpoint_ref(leased.checkpoint),
        addons=[_addon_ref(addons[addon.id]) for addon in recipe.addons if addon.id in addons],
        refiner=None if refiner is None else _checkpoint_ref(refiner),
        inputs={
            input_id: f"/agent/v1/inputs/{input_id}?shot_id={leased.shot_id}&token={leased.token}"
            for input_id in sorted(recipe.input_ids)
        },
        resume_from=None if leased.parked is None else f"/agent/v1/shots/{leased.shot_id}/parked?token={leased.token}",
        resumed_progress=0.0 if leased.parked is None else leased.parked.progress,
    )


def _checkpoint_ref(checkpoint: Checkpoint) -> CheckpointRef:
    return CheckpointRef(
        id=checkpoint.id,
        name=checkpoint.name,
        path=checkpoint.path,
        sha256=checkpoint.sha256,
        source=checkpoint.source,
    )


def _addon_ref(addon: AddonFile) -> AddonRef:
    return AddonRef(
        kind=addon.kind, id=addon.id, name=addon.name, path=addon.path, sha256=addon.sha256, source=addon.source
    )
