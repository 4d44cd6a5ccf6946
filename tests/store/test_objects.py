from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablehand.adapters.bucket import Address, Bucket
from stablehand.adapters.objects import Objects
from stablehand.domain.errors import BadSettings, NotFound, StorageAway
from stablehand.wiring.objects import try_out
from tests.buckets import BucketServer, quick


@pytest.fixture(params=["folder", "bucket", "whole bucket"])
def objects(request: pytest.FixtureRequest, tmp_path: Path, bucket_server: BucketServer) -> Objects:
    """Each law holds for every kind of store."""
    if request.param == "folder":
        return Objects(tmp_path / "new" / "folder")
    return bucket_server.open(prefix="" if request.param == "whole bucket" else "some/prefix")


def test_what_is_put_can_be_read_whole_and_in_parts(objects: Objects) -> None:
    objects.put("images/a-1.webp", b"0123456789")
    assert objects.get("images/a-1.webp") == b"0123456789"
    assert objects.size("images/a-1.webp") == 10
    assert objects.get_range("images/a-1.webp", 2, 5) == b"234"
    assert objects.get_range("images/a-1.webp", 8, 99) == b"89"
    assert objects.get_range("images/a-1.webp", 10, 12) == b""
    objects.put("images/a-1.webp", b"new")
    assert objects.get("images/a-1.webp") == b"new"
    objects.put("thumbnails/b", b"")
    assert set(objects.list()) == {"images/a-1.webp", "thumbnails/b"}
    assert list(objects.list("images")) == ["images/a-1.webp"]


def test_what_is_streamed_is_what_was_put(objects: Objects) -> None:
    data = bytes(range(256)) * 4096
    objects.put("images/large.png", data, content_type="image/png")
    whole = objects.open("images/large.png")
    assert whole.size_bytes == len(data)
    chunks = list(whole.chunks)
    assert len(chunks) > 1
    assert b"".join(chunks) == data
    part = objects.open("images/large.png", (1000, 300_000))
    assert part.size_bytes == len(data)
    assert b"".join(part.chunks) == data[1000:300_000]


def test_a_copy_is_an_object_of_its_own(objects: Objects) -> None:
    objects.put("uploads/a", b"first")
    objects.copy("uploads/a", "images/b/c")
    objects.put("uploads/a", b"second")
    assert objects.get("images/b/c") == b"first"
    with pytest.raises(NotFound):
        objects.copy("uploads/none", "images/d")


def test_a_survey_tells_size_and_age(objects: Objects) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    objects.put("parked/a", b"12345")
    (stored,) = objects.survey("parked")
    assert (stored.key, stored.size_bytes) == ("parked/a", 5)
    assert before < stored.written_at < datetime.now(UTC) + timedelta(seconds=2)


def test_what_is_gone_is_gone(objects: Objects) -> None:
    objects.put("a", b"x")
    objects.delete("a", "never/there")
    objects.delete("a")
    for read in (objects.get, objects.size, objects.open, lambda key: objects.get_range(key, 0, 1)):
        with pytest.raises(NotFound):
            read("a")


def test_trying_a_store_out_leaves_nothing(objects: Objects) -> None:
    assert try_out(objects) == objects.place
    assert list(objects.list()) == []


def test_only_a_bucket_gives_links(tmp_path: Path, bucket_server: BucketServer) -> None:
    assert Objects(tmp_path).link_to_put("a", 60) is None
    assert Objects(tmp_path).link_to_get("a", 60) is None
    bucket = bucket_server.open()
    link = bucket.link_to_put("uploads/a", 60)
    assert httpx.put(link, content=b"by link", trust_env=False).status_code == 200
    assert bucket.get("uploads/a") == b"by link"
    bucket.put("images/a", b"picture", content_type="image/png")
    fetched = httpx.get(bucket.link_to_get("images/a", 60), trust_env=False)
    assert (fetched.content, fetched.headers["Content-Type"]) == (b"picture", "image/png")
    assert "test-secret" not in link


def test_a_store_that_is_away_says_so(bucket_server: BucketServer) -> None:
    no_bucket = quick(replace(bucket_server.make(), url="s3://there-is-no-such-bucket/x"))
    nobody = quick(
        Address(url="s3://some-bucket", endpoint="http://127.0.0.1:9", access_key_id="a", secret_access_key="b")
    )
    for bucket in (no_bucket, nobody):
        for use in (
            lambda: bucket.put("a", b"x"),  # noqa: B023
            lambda: bucket.get("a"),  # noqa: B023
            lambda: bucket.open("a"),  # noqa: B023
            lambda: list(bucket.list()),  # noqa: B023
            lambda: try_out(bucket),  # noqa: B023
        ):
            with pytest.raises(StorageAway) as away:
                use()
            assert away.value.hint
            assert "127.0.0.1" not in away.value.message, "where it is, is nobody else's business"


@pytest.mark.parametrize("url", ["s3://", "s3://UPPER", "s3://x", "file:///tmp", "s3://bucket/a b"])
def test_what_is_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(BadSettings):
        Bucket(Address(url=url))


BAD_KEYS = [
    "",
    "/",
    "/etc/passwd",
    "../x",
    "a/../b",
    "a//b",
    "a/",
    "./a",
    ".a",
    "a/.b",
    "a\\b",
    "a b",
    "a\n",
    "ü",
    "a" * 513,
]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_bad_keys_reach_no_file(tmp_path: Path, key: str) -> None:
    objects = Objects(tmp_path / "objects")
    for use in (objects.get, objects.delete, lambda name: objects.put(name, b"x")):
        with pytest.raises(ValueError, match="not an object key"):
            use(key)
    assert list(tmp_path.rglob("*")) == [tmp_path / "objects"]


@given(st.text())
def test_no_text_leads_out_of_the_folder(tmp_path_factory: pytest.TempPathFactory, key: str) -> None:
    folder = tmp_path_factory.mktemp("objects")  # one key may be a folder of another
    try:
        Objects(folder).put(key, b"x")
    except ValueError:
        return
    assert (folder / key).resolve().is_relative_to(folder.resolve())
    assert (folder / key).read_bytes() == b"x"
