"""Names of samplers and schedules that can be used in an order."""

from collections.abc import Iterable

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from stablehand.api.door import blueprint, reply
from stablehand.api.schemas import NamedOut, NamedPage
from stablehand.domain.samplers import SAMPLERS, SCHEDULES, Named


def routes() -> APIBlueprint:
    api = blueprint("samplers", "Denoising methods and their noise levels.")

    @api.get("/samplers", responses={200: NamedPage})
    def browse_samplers() -> Response:
        """List samplers, the default first."""
        return _page(SAMPLERS)

    @api.get("/schedules", responses={200: NamedPage})
    def browse_schedules() -> Response:
        """List schedules, the default first."""
        return _page(SCHEDULES)

    return api


def _page(table: Iterable[Named]) -> Response:
    items = [NamedOut(name=named.name, aliases=list(named.aliases)) for named in table]
    return reply(NamedPage(items=items, next_cursor=None))
