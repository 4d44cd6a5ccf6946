"""purge: remove for good what nobody can want any more."""

from stablehand.services import Services
from stablehand.services.inputs import UNUSED_HOURS


def purge(services: Services) -> int:
    """Pictures long in the trash, uploads never delivered, states of ended shots, inputs and keys that nobody needs.

    Pictures that their tier keeps no longer go to the trash first.

    Returns how many objects went. Rows go first and leave a note behind, so that a crash in between forgets no object.
    """
    limits = services.limits
    services.store.forget_old_rows(
        idempotency_hours=limits.idempotency_hours,
        outbox_days=limits.outbox_days,
        attempts_days=limits.attempts_days,
    )
    services.store.forget_old_links()
    while services.store.sweep_dispatches(log_days=services.webhooks.log_days):
        continue
    services.store.forget_empty_tallies(hours=limits.idempotency_hours)
    while services.store.forget_ended_parked():
        continue
    while services.store.trash_expired():
        continue
    while services.store.sweep_inputs(unused_hours=UNUSED_HOURS):
        continue
    gone = 0
    while keys := services.store.doom(trash_days=limits.trash_days, upload_hours=limits.upload_hours):
        for key in keys:
            services.objects.delete(key)
        services.store.forget_doomed(keys)
        gone += len(keys)
    return gone
