"""API keys: made, listed, revoked, by the account's own browser."""

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint

from stablehand.api.account_schemas import KeyIn, KeyOut, KeyPage, NewKeyOut
from stablehand.api.door import BODY_ERRORS, Door, blueprint, reply
from stablehand.api.schemas import ById, Error, PageQuery
from stablehand.domain.credentials import ApiKey
from stablehand.domain.pages import page_of
from stablehand.services.keys import list_keys, make_key, revoke_key


def routes(door: Door) -> APIBlueprint:
    api = blueprint("keys", "Keys that programs use in your name.")

    @api.get("/keys", responses={200: KeyPage})
    def browse_keys(query: PageQuery) -> Response:
        """List your API keys, newest first."""
        page = page_of("keys", list_keys(door.services, door.account), limit=query.limit, cursor=query.cursor)
        return reply(KeyPage(items=[_out(key) for key in page.items], next_cursor=page.next_cursor))

    @api.post("/keys", responses={201: NewKeyOut, **BODY_ERRORS, 409: Error})
    def add_key(body: KeyIn) -> Response:
        """Make an API key; it is shown this once."""
        key, secret = make_key(
            door.services,
            door.account,
            name=body.name,
            scopes=body.scopes,
            days=body.days,
            came_from=request.remote_addr or "",
        )
        return reply(NewKeyOut(**_out(key).model_dump(), key=secret), 201)

    @api.delete("/keys/<id>", responses={200: KeyOut})
    def drop_key(path: ById) -> Response:
        """Revoke an API key: it is void at once."""
        return reply(_out(revoke_key(door.services, door.account, path.id, came_from=request.remote_addr or "")))

    return api


def _out(key: ApiKey) -> KeyOut:
    return KeyOut(
        id=key.id,
        name=key.name,
        hint=key.hint,
        scopes=list(key.scopes),
        created_at=key.created_at,
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
    )
