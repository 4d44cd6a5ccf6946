"""Who may use which route: one table, and the check that stands before every one of them.

A route that is not in the table is closed, so that a new one cannot be forgotten.
"""

import base64
import binascii
from typing import Literal, cast

from flask import Flask, g, request
from flask_wtf.csrf import validate_csrf
from werkzeug.datastructures import Headers
from wtforms import ValidationError

from stablehand.api.auth.answers import not_signed_in
from stablehand.api.auth.attempts import count_bad_key
from stablehand.api.auth.install import signed_in
from stablehand.api.door import Door
from stablehand.api.guards import SAFE_METHODS
from stablehand.domain.credentials import Caller, Scope
from stablehand.domain.errors import AccountSuspended, Forbidden, Unauthorized
from stablehand.services.keys import caller_by_key, key_is_good
from stablehand.services.sessions import account_in_session

#: ``nobody``: open to all · ``agent``: an agent's own token · ``session``: a browser that has signed in, no key ·
#: else the scope that a key must have; ``admin`` wants an administrator besides.
Need = Literal["nobody", "agent", "session", "read", "generate", "admin"]

#: endpoint, or a whole blueprint as ``name.*``; the longer one counts
NEEDS: dict[str, Need] = {
    "health.*": "nobody",
    "metrics": "nobody",
    "openapi.*": "nobody",
    "swagger.*": "nobody",
    "page.*": "nobody",
    "security.*": "nobody",  # Flask-Security looks by itself, where it needs to
    "doorway.*": "nobody",
    "oidc.*": "nobody",  # who comes is about to show who they are
    "agents.*": "agent",
    "jobs.create_job": "generate",
    "jobs.browse_jobs": "read",
    "jobs.read_job": "read",
    "jobs.cancel_job": "generate",
    "jobs.move_job": "generate",
    "jobs.retry_job": "generate",
    "quotes.quote_job": "read",  # it stores nothing
    "quotes.read_quotes": "admin",
    "images.browse_images": "read",
    "images.read_image": "read",
    "images.patch_image": "generate",
    "images.trash_image": "generate",
    "images.untrash_image": "generate",
    "images.fetch_file": "read",
    "images.fetch_thumbnail": "read",
    "inputs.upload_input": "generate",
    "inputs.fetch_input": "read",
    "checkpoints.*": "read",
    "checkpoints.scan_folder": "admin",
    "samplers.*": "read",
    "status.*": "read",
    "me.*": "read",
    "limits.*": "read",
    "mail.read_mail": "read",
    "mail.choose": "generate",
    "mail.ask": "nobody",  # the link itself is signed
    "mail.end": "nobody",
    "a1111.*": "read",
    **{
        f"a1111.{name}": "generate"
        for name in (
            "txt2img",
            "img2img",
            "extra_single_image",
            "extra_batch_images",
            "interrogate",
            "interrupt",
            "skip",
            "post_options",
            "refresh-checkpoints",
            "refresh-vae",
            "refresh-embeddings",
            "refresh-loras",
            "unload-checkpoint",
            "reload-checkpoint",
        )
    },
    "openai.*": "read",
    "openai.generations": "generate",
    "openai.edits": "generate",
    "openai.variations": "generate",
    "images.zip_images": "read",
    "images.address_zip": "read",
    "jobs.zip_job": "read",
    "links.*": "generate",
    "links.browse_links": "read",
    "shared.*": "nobody",  # the link itself is signed
    "shared-page.*": "nobody",
    "webhooks.*": "session",  # what a key sends elsewhere would go on after the key is revoked
    "webhooks.browse_webhooks": "read",
    "webhooks.read_webhook": "read",
    "webhooks.browse_dispatches": "read",
    "webhooks.read_dispatch": "read",
    "webhooks.redeliver_failed": "generate",
    "webhooks.redeliver_one": "generate",
    "keys.*": "session",
    "account.*": "session",
    "admin-accounts.*": "admin",
    "usage.*": "read",
    "admin-usage.*": "admin",
    "admin-agents.*": "admin",
    "dead-letters.*": "admin",
    "notices.*": "admin",
    "invitations.*": "admin",
}


class BadCsrf(Forbidden):
    """A write came with the session's cookie but without the proof that our own page sent it."""

    code = "bad_csrf"


def need_of(endpoint: str) -> Need | None:
    """What a route asks for; None when nobody has decided that, which closes it."""
    return NEEDS.get(endpoint) or NEEDS.get(endpoint.partition(".")[0] + ".*")


def install(app: Flask, door: Door) -> None:
    """Ask everybody who they are before any route is gone through."""

    @app.before_request
    def check_access() -> None:
        if request.endpoint is None or request.method == "OPTIONS":
            return
        need = need_of(request.endpoint)
        if need in ("nobody", "agent"):
            return
        caller = identify(door)
        if caller is None:
            raise not_signed_in()
        if door.throttle is not None:
            door.throttle.count_account(caller.account.id)
        if need is None:
            raise Forbidden("This route is closed.", hint="Nobody has decided who may use it.")
        if need == "session":
            if caller.session is None:
                raise Forbidden("An API key may not do this.", hint="Sign in on the page for it.")
        elif not caller.may(cast(Scope, need)):
            raise (
                Forbidden("Only an administrator may do this.", hint="Ask one of them.")
                if need == "admin" and not caller.account.is_admin
                else Forbidden(f"This key has not the scope `{need}`.", hint="Make one that has it.")
            )
        if caller.session is not None and request.method not in SAFE_METHODS:
            check_csrf()
        g.caller = caller


def check_csrf() -> None:
    """Raises BadCsrf unless the request carries what only a page of ours can read. No body is read for that."""
    try:
        validate_csrf(request.headers.get("X-XSRF-TOKEN"))
    except ValidationError as error:
        raise BadCsrf(
            "The request does not show that it comes from this server's own page.",
            hint="Send the cookie XSRF-TOKEN back in the header X-XSRF-TOKEN, or use an API key.",
        ) from error


def identify(door: Door) -> Caller | None:
    """Who asks: by a key if one was sent, else by the browser's session.

    Raises:
        Unauthorized: the key is void. AccountSuspended: it is good, but its account is not to be used.
    """
    secret = key_in(request.headers)
    if secret is not None:
        caller = caller_by_key(door.services, secret)
        if caller is None:
            count_bad_key(door)
            raise Unauthorized("This API key is not good (any more).", hint="Make a new one on the page Account.")
        if caller.account.suspended_at is not None:
            raise AccountSuspended(caller.account.suspended_reason)
        return caller
    found = signed_in()
    return None if found is None else Caller(account=found[0], session=found[1])


def still_good(door: Door, caller: Caller) -> bool:
    """Whether a session or key that was good is so still. Neither cookie nor request is needed for that."""
    if door.options.accounts is None:
        return True
    if caller.key is not None:
        return key_is_good(door.services, caller.key.id)
    return caller.session is not None and (
        account_in_session(door.services, caller.session, idle_days=door.options.accounts.session_days) is not None
    )


def key_in(headers: Headers) -> str | None:
    """An API key as clients send it: bearer token, password of HTTP Basic with any user name, or ``x-api-key``."""
    if "x-api-key" in headers:
        return headers["x-api-key"].strip()
    scheme, _, rest = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return None
