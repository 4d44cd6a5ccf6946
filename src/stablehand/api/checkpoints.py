"""Checkpoints that can be named in an order, and the weights that can be used beside them."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from stablehand.api.door import Door, blueprint, reply
from stablehand.api.schemas import AddonPage, AddonQuery, CheckpointPage, PageQuery
from stablehand.api.views import addon_out, checkpoint_out
from stablehand.domain.pages import page_of
from stablehand.services.addons import list_addons
from stablehand.services.catalogue import allowed_checkpoints, default_checkpoint, resident_checkpoints
from stablehand.services.rescan import rescan


def routes(door: Door) -> APIBlueprint:
    api = blueprint("checkpoints", "Weights that can draw.")

    @api.get("/checkpoints", responses={200: CheckpointPage})
    def browse_checkpoints(query: PageQuery) -> Response:
        """List the checkpoints that you may use."""
        resident = resident_checkpoints(door.services)
        default = default_checkpoint(door.services, door.account)
        known = allowed_checkpoints(door.services, door.account)
        page = page_of("checkpoints", known, limit=query.limit, cursor=query.cursor)
        items = [
            checkpoint_out(
                checkpoint,
                resident=checkpoint.id in resident,
                default=default is not None and checkpoint.id == default.id,
            )
            for checkpoint in page.items
        ]
        return reply(CheckpointPage(items=items, next_cursor=page.next_cursor))

    @api.post("/checkpoints/scan", responses={204: None})
    def scan_folder() -> Response:
        """Look for new, changed and missing files at once, not at the next round; for administrators."""
        door.check_admin()
        rescan(door.services)
        return Response(status=204)

    @api.get("/addons", responses={200: AddonPage})
    def browse_addons(query: AddonQuery) -> Response:
        """List autoencoders and embeddings."""
        known = list_addons(door.services, query.kind)
        page = page_of("addons", known, limit=query.limit, cursor=query.cursor)
        return reply(AddonPage(items=[addon_out(addon) for addon in page.items], next_cursor=page.next_cursor))

    return api
