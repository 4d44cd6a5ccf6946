"""Checkpoints that can be named in an order."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from stablehand.api.door import Door, blueprint, reply
from stablehand.api.schemas import CheckpointPage
from stablehand.api.views import checkpoint_out
from stablehand.services.catalogue import default_checkpoint, list_checkpoints, resident_checkpoints


def routes(door: Door) -> APIBlueprint:
    api = blueprint("checkpoints", "Weights that can draw.")

    @api.get("/checkpoints", responses={200: CheckpointPage})
    def browse_checkpoints() -> Response:
        """List checkpoints."""
        resident = resident_checkpoints(door.services)
        default = default_checkpoint(door.services)
        items = [
            checkpoint_out(
                checkpoint,
                resident=checkpoint.id in resident,
                default=default is not None and checkpoint.id == default.id,
            )
            for checkpoint in list_checkpoints(door.services)
        ]
        return reply(CheckpointPage(items=items, next_cursor=None))

    return api
