"""What other servers of this dialect do and this one does not, refused in words."""

from typing import NoReturn

from flask import Blueprint

from stablehand.domain.a1111.errors import Refused

_NOBODY = "This server is shared: nobody ends or restarts it through this API."
_NO_TRAINING = "Nothing is trained on this server."

#: (method, path) -> (status, why)
REFUSED: dict[tuple[str, str], tuple[int, str]] = {
    ("POST", "/sdapi/v1/server-kill"): (403, _NOBODY),
    ("POST", "/sdapi/v1/server-restart"): (403, _NOBODY),
    ("POST", "/sdapi/v1/server-stop"): (403, _NOBODY),
    ("GET", "/sdapi/v1/extensions"): (404, "There are no extensions on this server."),
    ("POST", "/sdapi/v1/create/embedding"): (403, _NO_TRAINING),
    ("POST", "/sdapi/v1/create/hypernetwork"): (403, _NO_TRAINING),
    ("POST", "/sdapi/v1/train/embedding"): (403, _NO_TRAINING),
    ("POST", "/sdapi/v1/train/hypernetwork"): (403, _NO_TRAINING),
    ("POST", "/controlnet/detect"): (422, "Module not available"),
}


def add(api: Blueprint) -> None:
    for (method, path), (status, why) in REFUSED.items():
        _add(api, method, path, Refused(status, why))


def _add(api: Blueprint, method: str, path: str, refusal: Refused) -> None:
    def view() -> NoReturn:
        raise Refused(refusal.status, refusal.detail)

    api.add_url_rule(path, "refused_" + path.strip("/").replace("/", "_"), view, methods=[method])
