"""What tests of A1111's dialect say at the door, and how its pictures come to be drawn."""

import base64
import io
from typing import Any

from PIL import Image
from werkzeug.test import TestResponse

from tests.api.site import Site

SMALL = {"prompt": "a red house", "width": 64, "height": 64, "steps": 5, "override_settings": {}}


def post(site: Site, path: str, body: Any = None, **headers: str) -> TestResponse:
    return site.client.post(f"/sdapi/v1/{path}", json={} if body is None else body, headers=headers)


def drawn(site: Site, path: str, body: dict[str, Any]) -> Any:
    """The answer to a body whose pictures are drawn between two sendings."""
    late = post(site, path, body)
    assert late.status_code == 504, late.get_data(as_text=True)
    site.draw()
    answer = post(site, path, body)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def text_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def opened(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def site_owner(site: Site) -> Any:
    from stablehand.services.accounts import owner

    return owner(site.services)
