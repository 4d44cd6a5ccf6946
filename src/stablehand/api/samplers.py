"""Names of samplers, schedules and upscalers that can be used in an order."""

from collections.abc import Sequence

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from stablehand.api.door import Door, blueprint, reply
from stablehand.api.schemas import NamedOut, NamedPage, PageQuery, UpscalerOut, UpscalerPage
from stablehand.domain.pages import page_of
from stablehand.domain.samplers import SAMPLERS, SCHEDULES, Named
from stablehand.services.upscalers import list_upscalers


def routes(door: Door) -> APIBlueprint:
    api = blueprint("samplers", "Denoising methods and their noise levels.")

    @api.get("/samplers", responses={200: NamedPage})
    def browse_samplers(query: PageQuery) -> Response:
        """List samplers, the default first."""
        return _page("samplers", SAMPLERS, query)

    @api.get("/schedules", responses={200: NamedPage})
    def browse_schedules(query: PageQuery) -> Response:
        """List schedules, the default first."""
        return _page("schedules", SCHEDULES, query)

    @api.get("/upscalers", responses={200: UpscalerPage})
    def browse_upscalers(query: PageQuery) -> Response:
        """List what enlarges pictures, or latents between two passes."""
        page = page_of("upscalers", list_upscalers(door.services), limit=query.limit, cursor=query.cursor)
        items = [
            UpscalerOut(name=one.name, aliases=[], latent=one.latent, network=one.network is not None, scale=one.scale)
            for one in page.items
        ]
        return reply(UpscalerPage(items=items, next_cursor=page.next_cursor))

    return api


def _page(name: str, table: Sequence[Named], query: PageQuery) -> Response:
    page = page_of(name, table, limit=query.limit, cursor=query.cursor)
    items = [NamedOut(name=named.name, aliases=list(named.aliases)) for named in page.items]
    return reply(NamedPage(items=items, next_cursor=page.next_cursor))
