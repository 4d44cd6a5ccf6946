"""What a client of a dialect has set for itself, and believes to be the server's."""

from collections.abc import Mapping
from typing import Any

from stablehand.domain.a1111.client_options import all_options, changed_options
from stablehand.domain.a1111.errors import Refused
from stablehand.domain.a1111.titles import find_by_title, title_of
from stablehand.domain.credentials import Caller
from stablehand.services import Services
from stablehand.services.catalogue import allowed_checkpoints, default_checkpoint


def chosen_options(services: Services, caller: Caller) -> dict[str, Any]:
    """Only what it has set."""
    return services.store.client_options(caller.credential)


def read_options(services: Services, caller: Caller) -> dict[str, Any]:
    """All of them, with the checkpoint that an order of this client would be drawn with."""
    chosen = chosen_options(services, caller)
    try:
        checkpoint = find_by_title(allowed_checkpoints(services, caller.account), chosen.get("sd_model_checkpoint"))
    except Refused:
        checkpoint = None  # it has been removed since
    checkpoint = checkpoint or default_checkpoint(services, caller.account)
    if checkpoint is None:
        return all_options(chosen, None, None)
    return all_options(chosen, title_of(checkpoint), checkpoint.sha256)


def set_options(services: Services, caller: Caller, posted: Mapping[str, Any]) -> None:
    """Remember what it sets. Raises Refused for a checkpoint that is not there for it; then nothing changes."""
    chosen = changed_options(chosen_options(services, caller), posted)
    wanted = posted.get("sd_model_checkpoint")
    if wanted is not None:
        checkpoint = find_by_title(allowed_checkpoints(services, caller.account), str(wanted))
        default = default_checkpoint(services, caller.account)
        if checkpoint is None or (default is not None and checkpoint.id == default.id):
            chosen.pop("sd_model_checkpoint", None)  # it follows the default
        else:
            chosen["sd_model_checkpoint"] = title_of(checkpoint)
    services.store.set_client_options(caller.credential, caller.account.id, chosen)
