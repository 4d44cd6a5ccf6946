"""Lists of what strangers try: each is refused in our shape, and nothing of it is stored."""

import base64
import io
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms
from werkzeug.test import TestResponse

from stablehand.store.credential_rows import ApiKeyRow, CredentialRow, InvitationRow
from stablehand.store.input_row import InputRow
from stablehand.store.models import AccountRow, JobRow
from tests.api.people import PASSWORD, Browser, Town, build
from tests.api.site import TOKEN, Site, make_site
from tests.api.test_bad_input import error_of
from tests.api.test_inputs import animated, chunk, picture, promised
from tests.unit.test_outside import NAMES, PUBLIC
from tests.unit.test_outside import REFUSED as ADDRESSES

GOOD = {"prompt": "a red house", "checkpoint": "tiny", "width": 64, "height": 64}
TABLES = (AccountRow, CredentialRow, ApiKeyRow, InvitationRow, InputRow, JobRow)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Town]:
    sites: list[Site] = []

    def make(**changes: Any) -> Site:
        sites.append(make_site(tmp_path_factory.mktemp("hostile"), template=template, **changes))
        return sites[-1]

    yield build(make)
    for site in sites:
        site.services.store.close()


@pytest.fixture(scope="module")
def ada(town: Town) -> Browser:
    return town.member("ada@example.org")


@pytest.fixture(scope="module")
def key(ada: Browser) -> dict[str, str]:
    """What a program of Ada's sends along."""
    made = ada.send("POST", "/api/v1/keys", {"name": "a program"}).get_json()["key"]
    return {"Authorization": f"Bearer {made}"}


@pytest.fixture(scope="module")
def admin(town: Town) -> Browser:
    return town.owner()


def stored(town: Town) -> dict[str, int]:
    """How much there is of everything; and files."""
    with town.site.services.store.reading() as tx:
        rows = {table.__tablename__: tx.session.query(table).count() for table in TABLES}
    folder = town.site.services.objects.folder
    assert folder is not None
    return {**rows, "files": sum(path.is_file() for path in folder.rglob("*")), "letters": len(town.letters)}


@pytest.fixture
def untouched(town: Town, ada: Browser, admin: Browser, key: object) -> Iterator[None]:
    before = stored(town)
    yield
    assert stored(town) == before


def refused(answer: TestResponse) -> dict[str, Any]:
    assert 400 <= answer.status_code < 500, answer.get_data(as_text=True)
    return error_of(answer)


# -- addresses -------------------------------------------------------------------------------------------------------


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks a name up, nobody connects."""

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("something went out")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    monkeypatch.setattr(socket.socket, "connect", fail)


def looked_up(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
    """A resolver that knows every name of the list, and none of another network than the operator's."""
    found = NAMES.get(host, ["192.168.7.7"])
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found if address != PUBLIC]


@pytest.mark.usefixtures("untouched", "offline")
def test_no_address_that_leads_inside_is_fetched(
    town: Town, key: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A1111's dialect does fetch pictures by their address; nothing is connected to for any of these."""
    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    client = town.site.app.test_client()
    for address in ADDRESSES:
        for path, body in (
            ("img2img", {"prompt": "a", "init_images": [address]}),
            ("img2img", {"prompt": "a", "init_images": [address], "mask": address}),
            ("extra-single-image", {"image": address, "upscaling_resize": 2, "upscaler_1": "Nearest"}),
            ("png-info", {"image": address}),
        ):
            answer = client.post(f"/sdapi/v1/{path}", json=body, headers=key)
            assert 400 <= answer.status_code < 500, (address, answer.get_data(as_text=True))


@pytest.mark.usefixtures("untouched", "offline")
def test_no_address_is_taken_for_a_picture(ada: Browser) -> None:
    """The native API takes pictures by id or as bytes; an address in their place is never asked for."""
    token = {"X-XSRF-TOKEN": ada.client.get_cookie("XSRF-TOKEN").value}
    for address in ADDRESSES:
        names = ("input", "mask", "checkpoint", "vae", "refiner_checkpoint")
        body = {**GOOD, "kind": "inpaint", "notify": {"webhook_url": address}, **dict.fromkeys(names, address)}
        error = refused(ada.send("POST", "/api/v1/jobs", body))
        assert error["code"] == "invalid_fields"
        assert set(error["fields"]) >= {*names, "notify.webhook_url"}
        answer = ada.client.post("/api/v1/inputs", data=address.encode(), headers=token)
        assert refused(answer)["code"] == "bad_picture"


# -- pictures --------------------------------------------------------------------------------------------------------

IHDR = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)
ROWS = zlib.compress(b"\0" * (64 * 3 + 1) * 64)
BOMB = zlib.compress(b"\0" * 64 * 2**20, 9)


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in chunks)


def jpeg_of(width: int, height: int) -> bytes:
    """A JPEG that says it is as large as this."""
    data = bytearray(picture((16, 16), "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def webp_of(width: int, height: int) -> bytes:
    body = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + struct.pack("<I", width - 1)[:3]
    body += struct.pack("<I", height - 1)[:3]
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def tiff() -> bytes:
    return picture(kind="TIFF")


UPLOADS: dict[str, bytes] = {
    "empty": b"",
    "one byte": b"\x89",
    "a PNG's first bytes": b"\x89PNG\r\n\x1a\n",
    "a header and nothing else": png((b"IHDR", IHDR)),
    "no pixels": png((b"IHDR", IHDR), (b"IEND", b"")),
    "half its pixels": png((b"IHDR", IHDR), (b"IDAT", ROWS[: len(ROWS) // 2]), (b"IEND", b"")),
    "pixels that are noise": png((b"IHDR", IHDR), (b"IDAT", b"noise" * 50), (b"IEND", b"")),
    "a header half as long": png((b"IHDR", IHDR[:7]), (b"IDAT", ROWS), (b"IEND", b"")),
    "a width of 0": png((b"IHDR", struct.pack(">IIBBBBB", 0, 64, 8, 2, 0, 0, 0)), (b"IDAT", ROWS), (b"IEND", b"")),
    "a wrong sum": png((b"IHDR", IHDR), (b"IDAT", ROWS), (b"IEND", b"")).replace(IHDR, IHDR[:-1] + b"\x01"),
    "a bomb of pixels": png(
        (b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)), (b"IDAT", BOMB), (b"IEND", b"")
    ),
    "a bomb of text": png((b"IHDR", IHDR), (b"zTXt", b"parameters\0\0" + BOMB), (b"IDAT", ROWS), (b"IEND", b"")),
    "2 gigapixels promised": promised(2**16 - 1, 2**15),
    "4 billion wide": promised(2**31 - 1, 1),
    "a JPEG 65,500 pixels wide": jpeg_of(65_500, 65_500),
    "a WebP 16,384 pixels wide": webp_of(16_384, 16_384),
    "a cut JPEG": picture((512, 512), "JPEG")[:-2000],
    "a cut WebP": picture((512, 512), "WEBP")[:-100],
    "a moving PNG": animated("PNG"),
    "a moving WebP": animated("WEBP"),
    "a moving GIF": animated("GIF"),
    "a script that is a GIF as well": b"GIF89a/*" + b"\0" * 20 + b"*/=1;alert(1)//",
    "a page": b"<!doctype html><script>alert(1)</script>",
    "a page with a picture behind it": b"<script>alert(1)</script>" + picture(),
    "an SVG": b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "an archive": b"PK\x03\x04" + b"\0" * 60,
    "an archive with a picture inside": b"PK\x03\x04" + picture(),
    "a program": b"\x7fELF" + b"\0" * 60,
    "a TIFF": tiff(),
    "a BMP": picture(kind="BMP"),
    "an icon": picture((32, 32), "ICO"),
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
    "a PDF": b"%PDF-1.7\n",
    "a sound": b"RIFF\x24\0\0\0WAVEfmt " + b"\0" * 40,
    "a film": b"\0\0\0\x18ftypmp42" + b"\0" * 40,
}


@pytest.mark.parametrize("data", UPLOADS.values(), ids=UPLOADS)
def test_no_such_picture_is_taken(untouched: None, town: Town, ada: Browser, key: dict[str, str], data: bytes) -> None:
    token = {"X-XSRF-TOKEN": ada.client.get_cookie("XSRF-TOKEN").value}
    for sent in ({"data": data}, {"data": {"file": (io.BytesIO(data), "../../house.png", "image/png")}}):
        answer = ada.client.post("/api/v1/inputs", headers=token, **sent)
        assert refused(answer)["code"] in {"bad_picture", "picture_too_large", "too_large", "bad_request"}
    body = {"prompt": "a", "init_images": [base64.b64encode(data).decode()]}
    told = town.site.app.test_client().post("/sdapi/v1/img2img", json=body, headers=key)
    assert 400 <= told.status_code < 500, told.get_data(as_text=True)


def test_nothing_of_a_polyglot_is_kept(town: Town, ada: Browser) -> None:
    """A picture that is something else besides is taken for its pixels; the rest is gone."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010E] = "<script>canary"
    token = {"X-XSRF-TOKEN": ada.client.get_cookie("XSRF-TOKEN").value}
    for data in (
        picture(kind="JPEG", exif=exif, icc_profile=profile, comment=b"<?php canary ?>") + b"PK\x03\x04 canary",
        picture(kind="WEBP", exif=exif, icc_profile=profile, xmp=b"<x>canary</x>"),
        picture(kind="PNG", exif=exif, icc_profile=profile) + b"<script>canary</script>",
    ):
        sent = ada.client.post("/api/v1/inputs", data=data, headers=token)
        assert sent.status_code == 201
        kept = ada.client.get(f"/api/v1/inputs/{sent.get_json()['id']}/file")
        assert kept.data.startswith(b"\x89PNG")
        assert b"canary" not in kept.data
        assert Image.open(io.BytesIO(kept.data)).info == {}
        assert kept.headers["X-Content-Type-Options"] == "nosniff"


# -- fields that nobody may set --------------------------------------------------------------------------------------

Body = dict[str, Any]
ASSIGNMENTS: list[tuple[str, str, str, Body]] = [
    *(
        ("ada", "POST", "/api/v1/jobs", {**GOOD, name: value})
        for name, value in {
            "id": "x", "account_id": "x", "state": "succeeded", "pool": "gpu", "retry_of": "x", "charge": 0,
            "created_at": "2020-01-01T00:00:00Z", "rank": 0, "tag": -1, "__class__": "x", "constructor": {},
            "tier": "premium",
        }.items()
    ),
    *(
        ("nobody", "POST", "/api/v1/auth/register", {"email": "eve@example.org", name: value})
        for name, value in {
            "role": "admin", "roles": ["admin"], "tier": "premium", "active": True, "confirmed_at": "2020-01-01",
            "id": "x", "fs_uniquifier": "x", "password": "of my own choice", "tf_totp_secret": "x", "name": "owner",
        }.items()
    ),
    ("nobody", "POST", "/api/v1/auth/login", {"email": "ada@example.org", "password": PASSWORD, "remember": True}),
    ("nobody", "POST", "/api/v1/auth/claim", {"token": "x", "email": "a@b.example", "password": PASSWORD, "role": "x"}),
    ("ada", "POST", "/api/v1/keys", {"name": "mine", "scopes": ["admin"]}),
    ("ada", "POST", "/api/v1/keys", {"name": "mine", "scopes": ["owner"]}),
    ("ada", "POST", "/api/v1/keys", {"name": "mine", "account_id": "x"}),
    ("ada", "POST", "/api/v1/keys", {"name": "mine", "key": "sh_chosen", "key_hash": "x"}),
    ("ada", "POST", "/api/v1/keys", {"name": "mine", "days": -1}),
    ("ada", "POST", "/api/v1/auth/change-email", {"email": "eve@example.org", "account_id": "x"}),
    ("admin", "POST", "/api/v1/admin/invitations", {"role": "owner"}),
    ("admin", "POST", "/api/v1/admin/invitations", {"role": "root"}),
    ("admin", "POST", "/api/v1/admin/invitations", {"tier": "imaginary"}),
    ("admin", "POST", "/api/v1/admin/invitations", {"token_hash": "x"}),
]  # fmt: skip


@pytest.mark.parametrize("sent", ASSIGNMENTS)
def test_no_field_is_set_that_is_not_there(
    untouched: None, town: Town, ada: Browser, admin: Browser, sent: tuple[str, str, str, Body]
) -> None:
    who, method, path, body = sent
    browser = {"ada": ada, "admin": admin, "nobody": Browser(town.site)}[who]
    assert refused(browser.send(method, path, body))["code"] in {"invalid_fields", "forbidden"}


# -- paths -----------------------------------------------------------------------------------------------------------

UP = [
    "../" * 6,
    "..%2f" * 6,
    "%2e%2e%2f" * 6,
    "..%5c" * 6,
    "..%252f" * 6,
    "%c0%ae%c0%ae/" * 6,
    "/",
    "%2f",
    "....//" * 6,
]
DOORS: list[tuple[str, str]] = [
    ("", "/assets/{}etc/passwd"),
    ("", "/openapi/static/{}etc/passwd"),
    ("", "/openapi/swagger/{}etc/passwd"),
    ("ada", "/api/v1/images/{}etc/passwd/file"),
    ("ada", "/api/v1/inputs/{}etc/passwd/file"),
    ("ada", "/api/v1/jobs/{}etc/passwd"),
    ("agent", "/agent/v1/weights/" + "a" * 64 + "/{}etc/passwd"),
    ("agent", "/agent/v1/inputs/{}etc/passwd?shot_id=x&token=1"),
    ("agent", "/agent/v1/shots/{}etc/passwd/parked?token=1"),
]


@pytest.mark.parametrize("up", UP)
def test_no_path_leads_outside(untouched: None, town: Town, ada: Browser, up: str) -> None:
    for who, door in DOORS:
        client = ada.client if who == "ada" else town.site.app.test_client()
        headers = {"Authorization": f"Bearer {TOKEN}"} if who == "agent" else {}
        answer = client.get(door.format(up), headers=headers, follow_redirects=True)
        assert b"root:" not in answer.data
        assert answer.status_code in (400, 404, 405, 409, 422), door
    for field in ("checkpoint", "vae", "refiner_checkpoint", "input", "mask"):
        refused(ada.send("POST", "/api/v1/jobs", {**GOOD, field: f"{up}etc/passwd"}))


# -- line breaks -----------------------------------------------------------------------------------------------------

BREAKS = ["\r\n", "\n", "\r", "\r\n\r\n", "\u2028", "%0d%0a", "\\r\\n"]


@pytest.mark.parametrize("line", BREAKS[:5])
def test_no_line_is_smuggled_into_letters_and_names(
    untouched: None, town: Town, ada: Browser, admin: Browser, line: str
) -> None:
    address = f"eve@example.org{line}Bcc: all@example.org"
    for verb in ("register", "reset", "confirm", "login"):
        answer = Browser(town.site).auth(verb, email=address, **({"password": "x"} if verb == "login" else {}))
        assert answer.status_code in (401, 422) or (verb in ("reset", "confirm") and answer.status_code == 200)
    refused(ada.auth("change-email", email=address))
    refused(ada.send("POST", "/api/v1/keys", {"name": f"mine{line}Set-Cookie: a=b"}))
    refused(admin.send("POST", "/api/v1/admin/invitations", {"email": address}))


@pytest.mark.parametrize("line", BREAKS)
def test_no_header_is_smuggled_into_answers(untouched: None, ada: Browser, line: str) -> None:
    for path in (
        f"/api/v1/jobs/{line}Set-Cookie:%20evil=1",
        f"/api/v1/images?cursor={line}Set-Cookie:%20evil=1",
        f"/api/v1/auth/change-email/{line}Set-Cookie:%20evil=1",
        f"/api/v1/auth/reset/{line}Set-Cookie:%20evil=1",
        f"/api/v1/auth/confirm/{line}Location:%20evil",
    ):
        answer = ada.client.get(path.replace("\r", "%0d").replace("\n", "%0a"))
        assert answer.status_code in (302, 404, 422)
        assert "evil" not in str(answer.headers.getlist("Set-Cookie"))
        assert not answer.headers.get("Location", "").startswith(("http", "//"))


# -- what keeps a careless program busy ------------------------------------------------------------------------------

LONG: dict[str, Callable[[Browser], TestResponse]] = {
    "an address of one letter": lambda ada: ada.auth("register", email="a" * 60_000 + "@example.org"),
    "an address of dots": lambda ada: ada.auth("register", email="a." * 30_000 + "@example.org"),
    "an address of many domains": lambda ada: ada.auth("register", email="a@" + "a." * 30_000),
    "an address of quotes": lambda ada: ada.auth("register", email='"' + '\\"' * 30_000 + '"@example.org'),
    "an address of xn--": lambda ada: ada.auth("register", email="a@" + "xn--" * 15_000 + ".example"),
    "a password without end": lambda ada: ada.auth("login", email="ada@example.org", password="a" * 900_000),
    "a name without end": lambda ada: ada.send("POST", "/api/v1/keys", {"name": "a " * 100_000}),
    "a prompt without end": lambda ada: ada.send("POST", "/api/v1/jobs", {**GOOD, "prompt": "(" * 900_000}),
    "a checkpoint without end": lambda ada: ada.send("POST", "/api/v1/jobs", {**GOOD, "checkpoint": "a" * 900_000}),
    "a sampler of blanks": lambda ada: ada.send("POST", "/api/v1/jobs", {**GOOD, "sampler": " " * 900_000 + "x"}),
    "ten thousand fields": lambda ada: ada.send("POST", "/api/v1/jobs", {f"f{n}": n for n in range(10_000)}),
    "a cursor without end": lambda ada: ada.get("images?cursor=" + "a" * 60_000),
    "a search of stars": lambda ada: ada.get("images?limit=" + "9" * 5_000),
    "ten thousand parameters": lambda ada: ada.get("images?" + "&".join(f"p{n}=1" for n in range(10_000))),
    "an address with ten thousand folders": lambda ada: ada.get("images/" + "a/" * 10_000),
    "a key without end": lambda ada: ada.send("GET", "/api/v1/me", **{"X-Api-Key": "sh_" + "a" * 60_000}),
    "a key of Basic without end": lambda ada: ada.send("GET", "/api/v1/me", Authorization="Basic " + "QUFB" * 20_000),
    "a name of a job without end": lambda ada: ada.send(
        "POST", "/api/v1/jobs", GOOD, **{"Idempotency-Key": "a" * 60_000}
    ),
    "a host without end": lambda ada: ada.send("GET", "/api/v1/me", Host="a." * 20_000 + "example"),
    "an origin without end": lambda ada: ada.send("POST", "/api/v1/jobs", GOOD, Origin="http://" + "a" * 60_000),
    "a link without end": lambda ada: ada.auth("reset/" + "a." * 20_000, password=PASSWORD, password_confirm=PASSWORD),
    "a code without end": lambda ada: Browser(ada.site).auth("tf-validate", code="1" * 100_000),
}  # fmt: skip


@pytest.mark.parametrize("ask", LONG.values(), ids=LONG)
def test_what_is_endless_is_refused_at_once(
    untouched: None, ada: Browser, ask: Callable[[Browser], TestResponse]
) -> None:
    refused(ask(ada))


PROMPTS = [
    "(" * 10_000, ")" * 10_000, "[" * 10_000, "((a:1.1)" * 1_250, "[a:" * 3_333, "[a|" * 3_333, ":1." * 3_333,
    "(a:" + "9" * 9_990 + ")", "\\" * 10_000, "\\(" * 5_000, "a:b:" * 2_500, "<lora:" * 1_600, "AND " * 2_500,
    "BREAK " * 1_600, "{" * 10_000, "{a|b}" * 2_000, "__" * 5_000, "é" * 10_000, "\u0301" * 10_000, "👩‍👩‍👧‍👦" * 1_400,
]  # fmt: skip


@pytest.mark.parametrize("prompt", PROMPTS, ids=[prompt[:4] for prompt in PROMPTS])
def test_no_prompt_keeps_the_server_busy(town: Town, ada: Browser, prompt: str) -> None:
    """A prompt of fair length is nobody's fault, whatever it looks like: it is taken, and read in no time."""
    answer = ada.send("POST", "/api/v1/jobs", {**GOOD, "prompt": prompt})
    assert answer.status_code == 202
    assert ada.send("DELETE", f"/api/v1/jobs/{answer.get_json()['id']}").status_code == 200
