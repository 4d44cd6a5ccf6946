"""What every route is given: the use cases, the options, the budgets, and who is asking."""

import threading
from dataclasses import dataclass, field
from typing import Any

from flask import Response, current_app, g
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel

from stablehand.api.budget import Budget
from stablehand.api.options import Options
from stablehand.api.schemas import Error
from stablehand.api.throttle import Throttle
from stablehand.domain.accounts import Account
from stablehand.domain.credentials import Caller
from stablehand.domain.errors import Forbidden, Unauthorized
from stablehand.domain.tiers import Tiers
from stablehand.services import Services
from stablehand.services.accounts import owner
from stablehand.services.glimpses import Glimpses

#: answers that any route of the native API can give
COMMON_ERRORS: dict[Any, Any] = {
    400: Error,
    401: Error,
    403: Error,
    404: Error,
    405: Error,
    413: Error,
    421: Error,
    422: Error,
    429: Error,
    500: Error,
}
#: what further answers a route with a JSON body can give
BODY_ERRORS: dict[Any, Any] = {415: Error}


@dataclass(slots=True)
class Door:
    services: Services
    options: Options
    claims: Budget = field(init=False)
    waits: Budget = field(init=False)
    zips: Budget = field(init=False)
    sockets: Budget = field(init=False)
    glimpses: Glimpses = field(init=False)
    throttle: Throttle | None = None  #: None: nothing is counted
    _owner: Account | None = None
    _tiers: Tiers | None = None  # with which the account was read
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.glimpses = Glimpses(self.services.feed)
        self.claims = Budget("claims", self.options.max_claims)
        self.waits = Budget("waiting requests", self.options.max_waits, self.options.max_waits_an_account)
        self.zips = Budget("downloads", self.options.max_zips, self.options.max_zips_an_account)
        self.sockets = Budget("sockets", self.options.max_sockets)

    @property
    def account(self) -> Account:
        """Whoever is asking. Without authentication that is the built-in owner."""
        if self.options.accounts is not None:
            return self.caller.account
        with self._lock:
            tiers = self.services.store.tiers
            if self._owner is None or self._tiers is not tiers:
                self._owner, self._tiers = owner(self.services), tiers
            return self._owner

    @property
    def caller(self) -> Caller:
        """Who is asking, and by what right; :mod:`stablehand.api.access` has found that out."""
        caller: Caller | None = g.get("caller")
        if caller is None:
            if self.options.accounts is not None:
                raise Unauthorized("Nobody is signed in.", hint="Sign in, or send an API key.")
            caller = Caller(self.account)
        return caller

    def check_admin(self) -> None:
        """Raises Forbidden unless whoever is asking may administer the service."""
        if not self.caller.may("admin"):
            raise Forbidden("Only an administrator may do this.", hint="Ask one of them.")


def blueprint(name: str, description: str) -> APIBlueprint:
    """A blueprint of the native API: same prefix, same documented errors."""
    return APIBlueprint(
        name,
        __name__,
        url_prefix="/api/v1",
        abp_tags=[Tag(name=name, description=description)],
        abp_responses=COMMON_ERRORS,
    )


def reply(model: BaseModel, status: int = 200) -> Response:
    """A pydantic model as a JSON answer."""
    return current_app.response_class(model.model_dump_json(), status=status, mimetype="application/json")


def request_id() -> str:
    return str(g.get("request_id", ""))
