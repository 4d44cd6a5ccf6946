"""The Flask application: every door, its guards and its documentation, put together."""

import inspect
import re
from typing import NoReturn

from flask import Flask, request
from flask_openapi.openapi import OpenAPI
from pydantic import ValidationError
from werkzeug.middleware.proxy_fix import ProxyFix

from stablehand import __version__
from stablehand.api import (
    access,
    account,
    admin_accounts,
    admin_agents,
    agents,
    checkpoints,
    dead_letters,
    doorway,
    errors,
    etags,
    guards,
    health,
    idempotency,
    images,
    inputs,
    invitations,
    jobs,
    keys,
    limits,
    links,
    mail,
    me,
    metrics,
    notices,
    page,
    quotes,
    reading,
    samplers,
    shared,
    status,
    usage,
    webhooks,
)
from stablehand.api.auth import attempts, oidc
from stablehand.api.auth import install as auth
from stablehand.api.dialects import a1111, openai
from stablehand.api.door import Door
from stablehand.api.job_in import JobIn
from stablehand.api.live import Live
from stablehand.api.options import Options
from stablehand.api.schemas import Error
from stablehand.api.throttle import Throttle
from stablehand.domain.errors import InvalidFields
from stablehand.services import Services

DESCRIPTION = (
    "Pictures from words, for many people at once. Order with `POST /api/v1/jobs`, wait with "
    "`GET /api/v1/jobs/{id}?wait=60`, fetch each picture from `/api/v1/images/{id}/file`. Errors have one shape: a "
    "stable `code`, what happened, what to do, and every wrong field at once."
)


#: beginning of an address -> how what is refused there looks
SHAPERS: dict[str, errors.Shaper] = {
    **dict.fromkeys(a1111.PREFIXES, a1111.shape),
    **dict.fromkeys(openai.PREFIXES, openai.shape),
    **dict.fromkeys((f"{shared.PAGES}/", f"{shared.FILES}/"), shared.as_page),
}


class Doors(OpenAPI):
    """Flask with its document."""

    def generate_spec_json(self) -> None:
        super().generate_spec_json()  # type: ignore[no-untyped-call]
        # It documents a 422 for every route, also for those that take nothing that could be wrong.
        for path in ("/healthz", "/readyz"):
            for operation in self.spec_json["paths"][path].values():
                del operation["responses"][self.validation_error_status]
        upload = self.spec_json["paths"].get("/api/v1/inputs")
        if upload is not None:
            upload["post"]["requestBody"] = inputs.REQUEST_BODY
        idempotency.document(self.spec_json, _endpoints(self))
        etags.document(self.spec_json)


def create_app(services: Services, options: Options) -> Flask:
    """All doors in front of ``services``. Starts no thread; ``app.extensions["live"]`` does when told to."""
    door = Door(services, options)

    def refuse(error: ValidationError) -> NoReturn:
        wrong = errors.fields_of(error)
        if error.title == JobIn.__name__:
            wrong = jobs.all_problems(door, request.get_json(), wrong)
        raise InvalidFields(wrong) from error

    app = Doors(
        "stablehand",
        info={"title": "Stablehand", "version": __version__, "description": DESCRIPTION},
        validation_error_model=Error,
        validation_error_callback=refuse,
        static_folder=None,
    )
    app.openapi_version = "3.1.0"
    app.config.update(
        SECRET_KEY=options.secret_key,
        MAX_CONTENT_LENGTH=options.max_body_bytes,
        MAX_FORM_MEMORY_SIZE=options.max_body_bytes,
        # The bundle would otherwise send the document to a validator on another host.
        SWAGGER_CONFIG={"validatorUrl": None, "supportedSubmitMethods": ["get", "post", "patch", "delete"]},
        PROPAGATE_EXCEPTIONS=False,
    )
    app.url_map.strict_slashes = False

    reading.install(app)
    guards.name_requests(app)
    gate = guards.Gate(options)
    measured = metrics.install(app, door)
    app.register_api(health.routes(door))
    if options.serves_api:
        for blueprint in (
            jobs.routes(door),
            quotes.routes(door),
            images.routes(door),
            links.routes(door),
            shared.routes(door),
            inputs.routes(door),
            checkpoints.routes(door),
            samplers.routes(door),
            status.routes(door),
            me.routes(door),
            limits.routes(door),
            mail.routes(door),
            admin_agents.routes(door),
            dead_letters.routes(door),
            notices.routes(door),
            webhooks.routes(door),
            usage.routes(door),
            usage.admin_routes(door),
            doorway.routes(door),
        ):
            app.register_api(blueprint)
        if options.accounts is not None:
            app.register_api(account.routes(door, options.accounts))
            app.register_api(keys.routes(door))
            app.register_api(invitations.routes(door, options.accounts))
            app.register_api(admin_accounts.routes(door))
            app.register_blueprint(oidc.routes(app, door, options.accounts))
        app.register_blueprint(a1111.routes(door))
        app.register_blueprint(openai.routes(door))
        app.register_blueprint(agents.routes(door, measured))
        app.register_blueprint(shared.pages(door))
        app.register_blueprint(page.routes(options.static_dir))
    app.view_functions["openapi.openapi"] = app.view_functions["swagger.swagger"]

    if options.accounts is not None:
        auth.install(app, door, options.accounts)
    names = {**_query_names(app), **agents.QUERY_NAMES, **oidc.QUERY_NAMES}
    guards.install(app, gate, names, options.pictures_origin)
    if options.accounts is not None:
        door.throttle = Throttle(app, options)
        attempts.install(app, door, door.throttle)
        access.install(app, door)
    idempotency.install(app, door)
    _read_bodies_first(app)
    errors.install(app, SHAPERS)

    app.extensions["door"] = door
    app.extensions["live"] = Live(app, door, gate)
    if options.trusted_proxies:
        count = options.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    return app


def _endpoints(app: Flask) -> dict[tuple[str, str], str]:
    """(path as the document writes it, method) -> endpoint."""
    return {
        (re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule.rule), method): rule.endpoint
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }


def _query_names(app: Flask) -> dict[str, frozenset[str]]:
    """endpoint -> the query parameters its view declares."""
    names = {}
    for endpoint, view in app.view_functions.items():
        model = inspect.get_annotations(inspect.unwrap(view)).get("query")
        names[endpoint] = frozenset(model.model_fields) if model else frozenset()
    return names


def _read_bodies_first(app: Flask) -> None:
    """Answer for an unreadable body in its own words, before its fields are looked at."""
    endpoints = {
        endpoint
        for endpoint, view in app.view_functions.items()
        if "body" in inspect.get_annotations(inspect.unwrap(view))
    }

    @app.before_request
    def read_body() -> None:
        if request.endpoint in endpoints and request.method != "OPTIONS":
            reading.read_object(request)
