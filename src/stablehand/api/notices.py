"""Notices that could not be delivered, for the administrator."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from stablehand.api.admin_schemas import NoticeOut, NoticePage, RedeliveredOut
from stablehand.api.door import Door, blueprint, reply
from stablehand.api.schemas import ById, PageQuery
from stablehand.domain.errors import NotFound
from stablehand.services.courier import list_dead_notices, redeliver


def routes(door: Door) -> APIBlueprint:
    api = blueprint("notices", "Notices that could not be delivered, for the administrator.")

    @api.get("/admin/notices", responses={200: NoticePage})
    def browse_notices(query: PageQuery) -> Response:
        """List notices that were given up, newest first."""
        door.check_admin()
        page = list_dead_notices(door.services, limit=query.limit, cursor=query.cursor)
        items = [
            NoticeOut(
                id=notice.id,
                kind=notice.kind,
                account_id=notice.account_id,
                job_id=notice.job_id,
                created_at=notice.created_at,
                dead_at=notice.dead_at,
                tries=notice.tries,
                error=notice.error,
            )
            for notice in page.items
        ]
        return reply(NoticePage(items=items, next_cursor=page.next_cursor))

    @api.post("/admin/notices/<id>/redeliver", responses={200: RedeliveredOut})
    def redeliver_one(path: ById) -> Response:
        """Try a notice anew that was given up."""
        door.check_admin()
        if not redeliver(door.services, [path.id]):
            raise NotFound("There is no such notice among those given up.", hint="See GET /api/v1/admin/notices.")
        return reply(RedeliveredOut(redelivered=1))

    return api
