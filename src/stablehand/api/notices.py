"""Notices that could not be delivered, for the administrator."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from stablehand.api.admin_schemas import (
    DeadDispatchOut,
    DeadDispatchPage,
    DispatchCountOut,
    NoticeOut,
    NoticePage,
    RedeliveredOut,
)
from stablehand.api.door import Door, blueprint, reply
from stablehand.api.schemas import ById, PageQuery
from stablehand.domain.errors import NotFound
from stablehand.services.courier import list_dead_notices, redeliver
from stablehand.services.webhooks import dispatch_counts, list_dead_dispatches, redeliver_dead_of_all


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

    @api.get("/admin/dispatches", responses={200: DeadDispatchPage})
    def browse_dead_dispatches(query: PageQuery) -> Response:
        """List what was given up on its way to webhooks and mailboxes, newest first."""
        door.check_admin()
        page = list_dead_dispatches(door.services, limit=query.limit, cursor=query.cursor)
        items = [
            DeadDispatchOut(
                id=one.id,
                channel=one.channel,
                kind=one.kind,
                account_id=account_id,
                job_id=one.job_id,
                created_at=one.created_at,
                dead_at=one.ended_at,
                tries=one.tries,
                status=one.status,
                error=one.error,
            )
            for account_id, one in page.items
        ]
        counts = [
            DispatchCountOut(channel=one.channel, state=one.state.value, count=one.count)
            for one in dispatch_counts(door.services)
        ]
        return reply(DeadDispatchPage(items=items, next_cursor=page.next_cursor, counts=counts))

    @api.post("/admin/dispatches/<id>/redeliver", responses={200: RedeliveredOut})
    def redeliver_dead_dispatch(path: ById) -> Response:
        """Try a dispatch anew that was given up."""
        door.check_admin()
        if not redeliver_dead_of_all(door.services, [path.id]):
            raise NotFound("There is no such dispatch among those given up.", hint="See GET /api/v1/admin/dispatches.")
        return reply(RedeliveredOut(redelivered=1))

    return api
