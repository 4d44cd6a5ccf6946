"""Pictures through the door: the bytes with the right headers, the gallery, the trash."""

import io

import pytest
from PIL import Image

from tests.api.site import Site

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
