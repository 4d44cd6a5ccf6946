"""Pictures to start from: taken within limits, cleaned, kept once, handed to who draws from them and nobody else."""

import io
import struct
import zlib
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from stablehand.domain.recipes import Recipe
from stablehand.services.accounts import owner
from stablehand.services.purge import purge
from stablehand.store.input_row import InputRow
from stablehand.store.models import AccountRow
from tests.api.site import DEVICE, TOKEN, Site
from tests.api.test_bad_input import error_of

GOOD = {"prompt": "a red house", "checkpoint": "tiny"}


def picture(size: tuple[int, int] = (64, 48), kind: str = "PNG", mode: str = "RGB", **more: Any) -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(out, kind, **more)
    return out.getvalue()


def upload(site: Site, data: bytes, **more: Any) -> Any:
    return site.client.post("/api/v1/inputs", data=data, **more)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def promised(width: int, height: int) -> bytes:
    """A tiny PNG that says it is as large as this."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * 10_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def animated(kind: str) -> bytes:
    out = io.BytesIO()
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    frames[0].save(out, kind, save_all=True, append_images=frames[1:])
    return out.getvalue()


def hello(site: Site, *kinds: str) -> None:
    answer = site.tell("hello", runtime="null", device=DEVICE, ready=True, seats=8, kinds=kinds)
    assert answer.status_code == 200


def agent_gets(site: Site, address: str) -> Any:
    return site.client.get(address, headers={"Authorization": f"Bearer {TOKEN}"})


def gif() -> bytes:
    return picture(kind="GIF")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_taken_raw_and_as_a_form_and_kept_once(site: Site, kind: str) -> None:
    data = picture(kind=kind)
    raw = upload(site, data, content_type="text/plain")  # whatever its sender calls it
    assert raw.status_code == 201
    assert (raw.get_json()["width"], raw.get_json()["height"]) == (64, 48)
    form = site.client.post("/api/v1/inputs", data={"file": (io.BytesIO(data), "house.exe")})
    assert form.get_json() == raw.get_json()
    with site.services.store.reading() as tx:
        assert tx.session.query(InputRow).count() == 1


def test_turned_pictures_are_put_upright_and_what_else_they_carried_is_gone(site: Site) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    exif[0x010E] = "secret place"
    answer = upload(site, picture((64, 48), "JPEG", exif=exif)).get_json()
    assert (answer["width"], answer["height"]) == (48, 64)
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", "secret words")
    polyglot = picture(pnginfo=text) + b"PK\x03\x04 and <script>alert(1)</script>"
    second = upload(site, polyglot).get_json()
    account = owner(site.services)
    for input_id in (answer["id"], second["id"]):
        kept = site.services.store.input(account.id, input_id)
        assert kept is not None
        stored = site.services.objects.get(kept.object_key)
        assert b"secret" not in stored
        assert b"script" not in stored
        assert Image.open(io.BytesIO(stored)).info == {}


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 422, "bad_picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 422, "bad_picture"),
        (gif(), 422, "bad_picture"),
        (animated("WEBP"), 422, "bad_picture"),
        (animated("PNG"), 422, "bad_picture"),
        (b"RIFF" + b"\x24\0\0\0WAVEfmt " + b"\0" * 40, 422, "bad_picture"),
        (picture((256, 256))[:-300], 422, "bad_picture"),
        (picture((256, 256), "JPEG")[:-300], 422, "bad_picture"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, 422, "bad_picture"),
        (promised(8193, 8), 413, "picture_too_large"),
        (promised(5000, 5000), 413, "picture_too_large"),
        (promised(60_000, 60_000), 413, "picture_too_large"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * (33 * 2**20), 413, "too_large"),
    ],
    ids=[
        "empty",
        "svg",
        "gif",
        "animated webp",
        "animated png",
        "wav",
        "cut png",
        "cut jpeg",
        "no png",
        "long",
        "16 MP",
        "bomb",
        "bytes",
    ],
)
def test_what_is_no_picture_of_ours_is_refused_and_not_kept(site: Site, data: bytes, status: int, code: str) -> None:
    answer = upload(site, data)
    assert answer.status_code == status
    assert error_of(answer)["code"] == code
    with site.services.store.reading() as tx:
        assert tx.session.query(InputRow).count() == 0


def test_a_form_without_exactly_one_file_is_refused(site: Site) -> None:
    for form in ({"a": "text"}, {"a": (io.BytesIO(picture()), "a"), "b": (io.BytesIO(picture()), "b")}):
        answer = site.client.post("/api/v1/inputs", data=form, content_type="multipart/form-data")
        assert error_of(answer)["code"] == "bad_picture"


REFUSED: list[tuple[dict[str, Any], set[str]]] = [
    ({"kind": "image"}, {"input"}),
    ({"kind": "inpaint"}, {"input", "mask"}),
    ({"kind": "image", "input": "of somebody else"}, {"input"}),
    ({"input": "x", "mask": "y", "upscaler": "Lanczos"}, {"input", "mask", "upscaler"}),
    ({"denoising_strength": 0.5}, {"denoising_strength"}),
    ({"hr_scale": 2.0, "hr_prompt": "x"}, {"hr_scale", "hr_prompt"}),
    ({"enable_hr": True, "hr_scale": 2.0, "hr_resize_x": 512}, {"hr_scale"}),
    ({"enable_hr": True, "hr_upscaler": "ESRGAN", "hr_sampler_name": "?"}, {"hr_upscaler", "hr_sampler_name"}),
    ({"enable_hr": True, "width": 2048, "hr_scale": 4.0}, {"hr_scale"}),
    ({"subseed": 3}, {"subseed"}),
    ({"subseed_strength": 1.5}, {"subseed_strength"}),
    ({"seed_resize_from_w": 512}, {"seed_resize_from_w", "seed_resize_from_h"}),
    ({"eta": 0.5}, {"eta"}),
    ({"sampler": "Euler a", "s_churn": 3.0}, {"s_churn"}),
    ({"refiner_checkpoint": "nobody-has-this"}, {"refiner_checkpoint"}),
    ({"refiner_switch_at": 0.5}, {"refiner_switch_at"}),
    ({"vae": "nobody-has-this"}, {"vae"}),
    ({"clip_skip": 0, "emphasis": "?", "noise_source": "?"}, {"clip_skip", "emphasis", "noise_source"}),
]


@pytest.mark.parametrize(("fields", "wrong"), REFUSED)
def test_fields_that_do_nothing_or_do_not_fit_are_named(site: Site, fields: dict[str, Any], wrong: set[str]) -> None:
    answer = site.client.post("/api/v1/jobs", json={**GOOD, **fields})
    assert answer.status_code == 422
    assert set(error_of(answer)["fields"]) == wrong


def ordered(site: Site, **fields: Any) -> dict[str, Any]:
    answer = site.client.post("/api/v1/jobs", json={**GOOD, **fields})
    assert answer.status_code == 202, answer.get_json()
    body: dict[str, Any] = answer.get_json()
    return body


def test_orders_come_back_with_the_fields_they_were_made_of(site: Site) -> None:
    house = upload(site, picture((640, 320))).get_json()["id"]
    mask = upload(site, picture(mode="L")).get_json()["id"]
    given = {
        "input": house,
        "mask": mask,
        "denoising_strength": 0.5,
        "mask_blur": 7,
        "inpainting_fill": 2,
        "inpaint_full_res": True,
        "inpaint_full_res_padding": 16,
        "inpainting_mask_invert": 1,
        "initial_noise_multiplier": 1.1,
    }
    options = ordered(site, kind="inpaint", **given)["recipe"]["options"]
    assert options == given
    second = {"enable_hr": True, "hr_resize_x": 1024, "hr_resize_y": 768, "hr_upscaler": "Lanczos", "hr_prompt": "b"}
    job = ordered(site, width=512, height=384, denoising_strength=0.4, hr_second_pass_steps=5, **second)
    assert second.items() <= job["recipe"]["options"].items()
    image = ordered(site, kind="image", input=house)["recipe"]
    assert image["width"] / image["height"] == pytest.approx(2, rel=0.03), "the proportions of the input"
    enlarge = {"prompt": "", "kind": "upscale", "input": house}
    answer = site.client.post("/api/v1/jobs", json={**enlarge, "scale": 3, "upscaler": "nearest"})
    assert answer.status_code == 202, answer.get_json()
    large = answer.get_json()["recipe"]
    assert (large["width"], large["height"], large["options"]["upscaler"]) == (1920, 960, "Nearest")
    answer = site.client.post("/api/v1/jobs", json={**enlarge, "scale": 8})
    assert set(error_of(answer)["fields"]) == {"scale"}


def test_greys_of_two_bytes_keep_their_shades(site: Site) -> None:
    ramp = np.linspace(0, 65535, 256 * 2).astype(np.uint16).reshape(2, 256)
    out = io.BytesIO()
    Image.fromarray(ramp).save(out, "PNG")
    assert Image.open(io.BytesIO(out.getvalue())).mode.startswith("I")
    given = upload(site, out.getvalue()).get_json()
    kept = site.services.store.input(owner(site.services).id, given["id"])
    assert kept is not None
    shades = np.asarray(Image.open(io.BytesIO(site.services.objects.get(kept.object_key))).convert("L"))
    assert np.abs(shades.astype(int) - ramp / 257).max() <= 1


def test_a_picture_that_is_lost_or_damaged_in_the_store_is_not_handed_out(site: Site) -> None:
    data = picture()
    house = upload(site, data).get_json()["id"]
    ordered(site, kind="image", input=house)
    hello(site, "image")
    (lease,) = site.claim()
    kept = site.services.store.input(owner(site.services).id, house)
    assert kept is not None
    whole = site.services.objects.get(kept.object_key)
    for damaged in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), b""):
        site.services.objects.put(kept.object_key, damaged)
        refused = agent_gets(site, lease["inputs"][house])
        assert (refused.status_code, error_of(refused)["code"]) == (404, "not_found")
    site.services.objects.delete(kept.object_key)
    assert agent_gets(site, lease["inputs"][house]).status_code == 404
    assert upload(site, data).get_json()["id"] == house
    assert agent_gets(site, lease["inputs"][house]).data == whole, "brought again, it is whole again"


def test_a_retry_draws_the_same_variations(site: Site) -> None:
    job = ordered(site, seed=5, subseed=100, subseed_strength=0.3, count=3)
    site.client.delete(f"/api/v1/jobs/{job['id']}")
    again = site.client.post(f"/api/v1/jobs/{job['id']}/retry").get_json()
    site.hello()
    leases = site.claim()
    recipes = [Recipe.from_dict(lease["recipe"]) for lease in leases if lease["job_id"] == again["id"]]
    assert sorted((recipe.seed, recipe.noise.subseed) for recipe in recipes) == [(5, 100), (5, 101), (5, 102)]


def test_inputs_go_to_the_holder_of_the_lease_and_are_swept_when_nobody_needs_them(site: Site) -> None:
    house = upload(site, picture()).get_json()["id"]
    other = upload(site, picture((32, 32))).get_json()["id"]
    job = ordered(site, kind="image", input=house)
    hello(site, "text")
    assert site.claim() == [], "an agent that does not know the kind"
    hello(site, "text", "image")
    (lease,) = site.claim()
    address = lease["inputs"][house]
    fetched = agent_gets(site, address)
    assert fetched.status_code == 200
    assert Image.open(io.BytesIO(fetched.data)).size == (64, 48)
    assert agent_gets(site, address.replace(house, other)).status_code == 404
    assert agent_gets(site, address.replace("token=", "token=9")).status_code == 409
    assert site.client.get(address).status_code == 401

    store = site.services.store
    account = owner(site.services)
    with store.writing() as tx:
        for row in tx.session.query(InputRow):
            row.last_used_at = tx.now - timedelta(hours=25)
    purge(site.services)
    assert store.input(account.id, house) is not None, "an unfinished job needs it"
    assert store.input(account.id, other) is None
    site.client.delete(f"/api/v1/jobs/{job['id']}")


def test_an_input_is_shown_to_its_owner_alone(site: Site) -> None:
    house = upload(site, picture()).get_json()["id"]
    shown = site.client.get(f"/api/v1/inputs/{house}/file")
    assert (shown.status_code, shown.mimetype) == (200, "image/png")
    assert Image.open(io.BytesIO(shown.data)).size == (64, 48)
    again = site.client.get(f"/api/v1/inputs/{house}/file", headers={"If-None-Match": shown.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    with site.services.store.writing() as tx:
        tx.session.add(AccountRow(id="stranger", name="stranger", role="user", created_at=tx.now))
        tx.session.flush()
        tx.session.query(InputRow).update({"account_id": "stranger"})
    assert error_of(site.client.get(f"/api/v1/inputs/{house}/file"))["code"] == "not_found"


def test_an_order_says_how_large_its_pictures_will_be(site: Site) -> None:
    def size_of(**fields: Any) -> tuple[int, int]:
        recipe = ordered(site, **fields)["recipe"]
        return recipe["output_width"], recipe["output_height"]

    house, mask = (upload(site, picture((640, 320), mode=mode)).get_json()["id"] for mode in ("RGB", "1"))
    assert size_of(width=512, height=384) == (512, 384)
    assert size_of(width=512, height=384, enable_hr=True, hr_scale=1.5) == (768, 576)
    inside = {"kind": "inpaint", "input": house, "mask": mask, "width": 512, "height": 512}
    assert size_of(**inside) == (512, 512)
    assert size_of(**inside, inpaint_full_res=True) == (640, 320)
