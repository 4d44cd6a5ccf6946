"""Webhooks of the account that asks, and the log of what was sent for it."""

from typing import Any

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint

from stablehand.api.door import BODY_ERRORS, Door, blueprint, reply
from stablehand.api.etags import CHANGED, expected_versions, reply_tagged
from stablehand.api.schemas import ById, Error, PageQuery
from stablehand.api.webhook_schemas import (
    DispatchesQuery,
    DispatchOut,
    DispatchPage,
    DispatchWhole,
    NewWebhookOut,
    PingedOut,
    RedeliverIn,
    RevivedOut,
    SecretOut,
    TryOut,
    WebhookIn,
    WebhookOut,
    WebhookPage,
    WebhookPatch,
)
from stablehand.domain.pages import page_of
from stablehand.domain.versions import webhook_version
from stablehand.domain.webhooks import CHANNEL, CHOICES, TYPES, LoggedDispatch, Webhook, is_address
from stablehand.services.webhooks import (
    account_secret,
    add_webhook,
    change_webhook,
    delete_webhook,
    get_dispatch,
    get_webhook,
    list_dispatches,
    list_webhooks,
    narrowed,
    pause_webhook,
    ping_webhook,
    redeliver_dead,
    redeliver_dispatch,
    resume_webhook,
    rotate_account_secret,
    rotate_secret,
)


def routes(door: Door) -> APIBlueprint:
    api = blueprint("webhooks", "Addresses that are told what happens to your jobs.")

    @api.get("/webhooks", responses={200: WebhookPage})
    def browse_webhooks(query: PageQuery) -> Response:
        """List your webhooks, newest first."""
        found = list_webhooks(door.services, door.account)
        page = page_of("webhooks", found, limit=query.limit, cursor=query.cursor)
        items = [WebhookOut(**_shown(webhook)) for webhook in page.items]
        most = door.services.webhooks.most
        return reply(WebhookPage(items=items, next_cursor=page.next_cursor, types=list(CHOICES), at_most=most))

    @api.post("/webhooks", responses={201: NewWebhookOut, **BODY_ERRORS, 409: Error})
    def create_webhook(body: WebhookIn) -> Response:
        """Register a webhook; its signing secret is shown this once."""
        webhook, secret = add_webhook(
            door.services,
            door.account,
            door.options.secret_key,
            url=body.url,
            types=body.types,
            description=body.description,
            came_from=_came_from(),
        )
        return _private(reply(NewWebhookOut(**_shown(webhook), secret=secret), 201))

    @api.get("/webhooks/secret", responses={200: SecretOut})
    def show_secret() -> Response:
        """Look up the secret that signs what is posted to addresses which your jobs bring along."""
        return _private(reply(SecretOut(secret=account_secret(door.services, door.account, door.options.secret_key))))

    @api.post("/webhooks/secret/rotate", responses={200: SecretOut})
    def rotate_own_secret() -> Response:
        """Change that secret; the old one signs as well for a day."""
        secret = rotate_account_secret(door.services, door.account, door.options.secret_key, came_from=_came_from())
        return _private(reply(SecretOut(secret=secret)))

    @api.get("/webhooks/<id>", responses={200: WebhookOut})
    def read_webhook(path: ById) -> Response:
        """Look at a webhook."""
        return _tagged(get_webhook(door.services, door.account, path.id))

    @api.patch("/webhooks/<id>", responses={200: WebhookOut, **BODY_ERRORS, **CHANGED})
    def patch_webhook(path: ById, body: WebhookPatch) -> Response:
        """Change a webhook's address, its description, or what it is told of."""
        values = body.model_dump(exclude_none=True)
        expected = expected_versions()
        return _tagged(change_webhook(door.services, door.account, path.id, values, expected=expected))

    @api.delete("/webhooks/<id>", responses={200: WebhookOut, **CHANGED})
    def drop_webhook(path: ById) -> Response:
        """Delete a webhook with its log; what has not arrived is dropped."""
        webhook = get_webhook(door.services, door.account, path.id)
        expected = expected_versions()
        delete_webhook(door.services, door.account, path.id, came_from=_came_from(), expected=expected)
        return reply(WebhookOut(**_shown(webhook)))

    @api.post("/webhooks/<id>/ping", responses={202: PingedOut, 409: Error})
    def ping(path: ById) -> Response:
        """Send a webhook a message of the type `webhook.ping`."""
        return reply(PingedOut(notice_id=ping_webhook(door.services, door.account, path.id)), 202)

    @api.post("/webhooks/<id>/pause", responses={200: WebhookOut})
    def pause(path: ById) -> Response:
        """Send nothing for now; what happens meanwhile is kept for it."""
        return reply(WebhookOut(**_shown(pause_webhook(door.services, door.account, path.id))))

    @api.post("/webhooks/<id>/resume", responses={200: WebhookOut})
    def resume(path: ById) -> Response:
        """Use a webhook again that was paused or disabled."""
        return reply(WebhookOut(**_shown(resume_webhook(door.services, door.account, path.id))))

    @api.post("/webhooks/<id>/rotate", responses={200: SecretOut})
    def rotate(path: ById) -> Response:
        """Change a webhook's secret; the old one signs as well for a day. The new one is shown this once."""
        secret = rotate_secret(door.services, door.account, door.options.secret_key, path.id, came_from=_came_from())
        return _private(reply(SecretOut(secret=secret)))

    @api.post("/webhooks/<id>/redeliver", responses={202: RevivedOut, **BODY_ERRORS, 409: Error})
    def redeliver_failed(path: ById, body: RedeliverIn) -> Response:
        """Send a webhook anew all that was given up."""
        return reply(RevivedOut(redelivered=redeliver_dead(door.services, door.account, path.id, body.since)), 202)

    @api.get("/dispatches", responses={200: DispatchPage})
    def browse_dispatches(query: DispatchesQuery) -> Response:
        """List what was sent for you and what is to be, newest first."""
        page = list_dispatches(
            door.services,
            door.account,
            narrowed(query.webhook, query.job, query.state, brought=query.brought),
            limit=query.limit,
            cursor=query.cursor,
        )
        return reply(DispatchPage(items=[dispatch_out(one) for one in page.items], next_cursor=page.next_cursor))

    @api.get("/dispatches/<id>", responses={200: DispatchWhole})
    def read_dispatch(path: ById) -> Response:
        """Look at one with all its tries and what was answered."""
        found, tries = get_dispatch(door.services, door.account, path.id)
        attempts = [
            TryOut(
                tried_at=one.tried_at,
                milliseconds=one.milliseconds,
                status=one.status,
                error=one.error,
                answer=one.answer,
            )
            for one in tries
        ]
        return reply(DispatchWhole(**dispatch_out(found).model_dump(), attempts=attempts))

    @api.post("/dispatches/<id>/redeliver", responses={202: DispatchOut, 409: Error})
    def redeliver_one(path: ById) -> Response:
        """Send one anew, even one that has arrived, under the same `webhook-id`."""
        return reply(dispatch_out(redeliver_dispatch(door.services, door.account, path.id)), 202)

    return api


def dispatch_out(one: LoggedDispatch) -> DispatchOut:
    is_own = one.channel == CHANNEL and not is_address(one.destination)
    return DispatchOut(
        id=one.id,
        notice_id=one.notice_id,
        channel=one.channel,
        webhook_id=one.destination if is_own else None,
        url=one.destination if one.channel == CHANNEL and not is_own else None,
        type=TYPES.get(one.kind, one.kind),
        job_id=one.job_id or None,
        state=one.state.value,
        tries=one.tries,
        status=one.status,
        error=one.error,
        created_at=one.created_at,
        next_try_at=one.next_try_at,
        ended_at=one.ended_at,
    )


def _shown(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "types": list(webhook.types),
        "description": webhook.description,
        "state": webhook.state,
        "reason": webhook.disabled_reason,
        "created_at": webhook.created_at,
        "failing_since": webhook.failing_since,
        "last_arrived_at": webhook.last_arrived_at,
        "rotated_at": webhook.key.rotated_at,
        "waiting": webhook.waiting,
        "dead": webhook.dead,
    }


def _tagged(webhook: Webhook) -> Response:
    return reply_tagged(WebhookOut(**_shown(webhook)), webhook_version(webhook))


def _private(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def _came_from() -> str:
    return request.remote_addr or ""
