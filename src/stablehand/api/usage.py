"""What accounts were charged, day by day, for the administrator."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from stablehand.api.admin_account_schemas import UsageLineOut, UsagePage, UsageQuery
from stablehand.api.door import Door, blueprint, reply
from stablehand.domain.pages import page_of
from stablehand.services.administration import usage


def routes(door: Door) -> APIBlueprint:
    api = blueprint("usage", "What accounts have used, for the administrator.")

    @api.get("/admin/usage", responses={200: UsagePage})
    def browse_usage(query: UsageQuery) -> Response:
        """Look at pictures and device time by day and account, the newest day first, then the most device time."""
        door.check_admin()
        lines = usage(door.services, days=query.days, account_id=query.account)
        page = page_of("usage", lines, limit=query.limit, cursor=query.cursor)
        items = [
            UsageLineOut(
                day=line.day,
                account_id=line.account_id,
                account=line.account,
                tier=line.tier,
                pictures=line.pictures,
                device_seconds=line.device_seconds,
            )
            for line in page.items
        ]
        return reply(UsagePage(items=items, next_cursor=page.next_cursor))

    return api
