"""Pictures through the door: the bytes with the right headers, the gallery, the trash."""

import io
from collections.abc import Callable

import httpx
import pytest
from PIL import Image

from tests.api.site import Site
from tests.buckets import BucketServer

IMAGE = {
    "id",
    "job_id",
    "index",
    "width",
    "height",
    "format",
    "seed",
    "created_at",
    "starred",
    "deleted_at",
    "recipe",
    "infotext",
    "size_bytes",
    "notes",
}


@pytest.mark.parametrize(("name", "mime"), [("png", "image/png"), ("webp", "image/webp"), ("jpeg", "image/jpeg")])
def test_the_file(site: Site, name: str, mime: str) -> None:
    job = site.order(format=name, width=128, height=64, seed=9)
    site.draw()
    image = site.client.get(f"/api/v1/jobs/{job['id']}").get_json()["images"][0]
    assert set(image) == IMAGE
    answer = site.client.get(f"/api/v1/images/{image['id']}/file")
    assert answer.status_code == 200
    assert answer.mimetype == mime
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"].startswith("inline")
    assert len(answer.data) == image["size_bytes"]
    assert Image.open(io.BytesIO(answer.data)).size == (128, 64)
    again = site.client.get(f"/api/v1/images/{image['id']}/file", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert again.data == b""
    saved = site.client.get(f"/api/v1/images/{image['id']}/file?download=1")
    suffix = "jpg" if name == "jpeg" else name
    assert saved.headers["Content-Disposition"].startswith("attachment; filename=")
    assert saved.headers["Content-Disposition"].endswith(f'-9.{suffix}"')


def test_the_thumbnail(site: Site) -> None:
    job = site.order(width=640, height=320)
    site.draw()
    image_id = site.client.get(f"/api/v1/jobs/{job['id']}").get_json()["images"][0]["id"]
    answer = site.client.get(f"/api/v1/images/{image_id}/thumbnail")
    assert answer.mimetype == "image/webp"
    assert Image.open(io.BytesIO(answer.data)).size == (320, 160)
    assert "immutable" in answer.headers["Cache-Control"]
    assert "private" in answer.headers["Cache-Control"]
    again = site.client.get(f"/api/v1/images/{image_id}/thumbnail", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_how_a_picture_was_made(site: Site) -> None:
    site.order()
    site.draw(
        manifest={
            "runtime": "native",
            "weights": [{"role": "checkpoint", "name": "tiny", "sha256": "ab" * 32}],
            "dtypes": {"unet": "float16"},
            "noise": "CPU",
            "of_a_newer_agent": 1,
        },
        notes=["tiled_decode", "of_a_newer_agent"],
    )
    [image] = site.client.get("/api/v1/images").get_json()["items"]
    assert [note["code"] for note in image["notes"]] == ["tiled_decode"]
    assert image["notes"][0]["message"].startswith("Memory ran short: ")
    detail = site.client.get(f"/api/v1/images/{image['id']}").get_json()
    manifest = detail.pop("manifest")
    assert detail == image
    assert manifest == {
        "version": 1,
        "runtime": "native",
        "software": {},
        "weights": [{"role": "checkpoint", "name": "tiny", "sha256": "ab" * 32, "short_hash": "ab" * 5}],
        "device": "none",
        "device_name": "",
        "compute": "",
        "dtypes": {"unet": "float16", "text": None, "vae": None, "upscaler": None},
        "attention": [],
        "noise": "CPU",
        "exact": False,
        "bucket": None,
        "resumed": False,
    }
    [job] = site.client.get("/api/v1/jobs").get_json()["items"]
    assert job["notes"] == [{**image["notes"][0], "pictures": 1}]


def test_a_picture_of_an_older_agent_has_no_manifest(site: Site) -> None:
    site.order()
    site.draw()
    [image] = site.client.get("/api/v1/images").get_json()["items"]
    assert image["notes"] == []
    assert site.client.get(f"/api/v1/images/{image['id']}").get_json()["manifest"] is None


def test_gallery_trash_and_stars(site: Site) -> None:
    for prompt in ("a red house", "a blue boat"):
        site.order(prompt=prompt)
    site.draw()
    images = site.client.get("/api/v1/images").get_json()["items"]
    assert [image["recipe"]["prompt"] for image in images] == ["a blue boat", "a red house"]
    found = site.client.get("/api/v1/images?search=red").get_json()["items"]
    assert [image["recipe"]["prompt"] for image in found] == ["a red house"]

    house = found[0]["id"]
    assert site.client.patch(f"/api/v1/images/{house}", json={"starred": True}).get_json()["starred"] is True
    assert site.client.patch(f"/api/v1/images/{house}", json={"starred": "yes"}).status_code == 422
    assert site.client.patch(f"/api/v1/images/{house}", json={"seed": 1}).status_code == 422

    assert site.client.delete(f"/api/v1/images/{house}").status_code == 204
    assert len(site.client.get("/api/v1/images").get_json()["items"]) == 1
    trashed = site.client.get("/api/v1/images?trashed=true").get_json()["items"]
    assert [image["id"] for image in trashed] == [house]
    assert trashed[0]["deleted_at"].endswith("Z")
    restored = site.client.post(f"/api/v1/images/{house}/restore")
    assert restored.status_code == 200
    assert restored.get_json()["deleted_at"] is None
    assert len(site.client.get("/api/v1/images").get_json()["items"]) == 2


def test_pages_of_pictures(site: Site) -> None:
    site.order(count=5)
    site.draw()
    first = site.client.get("/api/v1/images?limit=3").get_json()
    rest = site.client.get(f"/api/v1/images?limit=3&cursor={first['next_cursor']}").get_json()
    ids = [image["id"] for image in first["items"] + rest["items"]]
    assert len(set(ids)) == 5
    assert rest["next_cursor"] is None


def _drawn(site: Site, **fields: object) -> tuple[str, bytes, str]:
    """(address of a picture's file, its bytes, its entity tag)."""
    job = site.order(**fields)
    site.draw()
    image_id = site.client.get(f"/api/v1/jobs/{job['id']}").get_json()["images"][0]["id"]
    url = f"/api/v1/images/{image_id}/file"
    whole = site.client.get(url)
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert int(whole.headers["Content-Length"]) == len(whole.data)
    return url, whole.data, whole.headers["ETag"]


@pytest.mark.parametrize(
    ("asked", "part", "content_range"),
    [
        ("bytes=0-3", slice(0, 4), "bytes 0-3/{}"),
        ("bytes=10-", slice(10, None), "bytes 10-{last}/{}"),
        ("bytes=-5", slice(-5, None), "bytes {five}-{last}/{}"),
        ("bytes=4-9999999", slice(4, None), "bytes 4-{last}/{}"),
    ],
)
def test_a_part_of_the_file(site: Site, asked: str, part: slice, content_range: str) -> None:
    url, data, _ = _drawn(site)
    answer = site.client.get(url, headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.data == data[part]
    size = len(data)
    assert answer.headers["Content-Range"] == content_range.format(size, last=size - 1, five=size - 5)
    assert int(answer.headers["Content-Length"]) == len(answer.data)


def test_ranges_that_are_not_to_be_had(site: Site) -> None:
    url, data, etag = _drawn(site)
    beyond = site.client.get(url, headers={"Range": f"bytes={len(data)}-"})
    assert beyond.status_code == 416
    assert beyond.headers["Content-Range"] == f"bytes */{len(data)}"
    assert beyond.get_json()["error"]["code"] == "bad_range"
    for wild in ("bytes=0-1,4-5", "lines=0-1", "nonsense"):
        assert site.client.get(url, headers={"Range": wild}).data == data
    assert site.client.get(url, headers={"Range": "bytes=0-3", "If-Range": etag}).status_code == 206
    assert site.client.get(url, headers={"Range": "bytes=0-3", "If-Range": '"other"'}).data == data
    assert site.client.get(url, headers={"Range": "bytes=0-3", "If-None-Match": etag}).status_code == 304


def test_heads_without_bodies(site: Site) -> None:
    url, data, etag = _drawn(site)
    head = site.client.head(url)
    assert (head.status_code, head.data, head.headers["ETag"]) == (200, b"", etag)
    assert int(head.headers["Content-Length"]) == len(data)
    small = site.client.head(url.replace("/file", "/thumbnail"))
    assert int(small.headers["Content-Length"]) == len(site.client.get(url.replace("/file", "/thumbnail")).data)


def test_a_bucket_serves_the_same_and_may_be_asked_itself(
    make: Callable[..., Site], bucket_server: BucketServer
) -> None:
    address = bucket_server.make()
    bucket = (
        f"storage:\n  url: {address.url}\n  endpoint: {address.endpoint}\n  region: us-east-1\n"
        f"  access_key_id: {address.access_key_id}\n  secret_access_key: {address.secret_access_key}\n"
    )
    ours = make(yaml=bucket)
    url, data, _ = _drawn(ours, format="png")
    assert ours.client.get(url, headers={"Range": "bytes=1-8"}).data == data[1:9]
    assert str(address.endpoint) not in ours.client.get(url).headers["Content-Security-Policy"]

    links = make(yaml=bucket + "  public_url: presigned\n")
    job = links.order(format="png")
    links.draw()
    image_id = links.client.get(f"/api/v1/jobs/{job['id']}").get_json()["images"][0]["id"]
    for name, mime in (("file", "image/png"), ("thumbnail", "image/webp")):
        away = links.client.get(f"/api/v1/images/{image_id}/{name}")
        assert away.status_code == 302
        assert "private" in away.headers["Cache-Control"]
        fetched = httpx.get(away.headers["Location"], trust_env=False)
        assert (fetched.status_code, fetched.headers["Content-Type"]) == (200, mime)
        assert f"img-src 'self' {address.endpoint}" in away.headers["Content-Security-Policy"]
    saved = links.client.get(f"/api/v1/images/{image_id}/file?download=1")
    assert saved.status_code == 200, "a download has our name for it, so it comes from us"

    public = make(yaml=bucket + "  public_url: https://pictures.example.org/all/\n")
    job = public.order()
    public.draw()
    image_id = public.client.get(f"/api/v1/jobs/{job['id']}").get_json()["images"][0]["id"]
    location = public.client.get(f"/api/v1/images/{image_id}/file").headers["Location"]
    assert location.startswith("https://pictures.example.org/all/images/")
