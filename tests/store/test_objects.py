from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablehand.adapters.objects import Objects
from stablehand.domain.errors import NotFound


def test_what_is_put_can_be_read_whole_and_in_parts(tmp_path: Path) -> None:
    objects = Objects(tmp_path / "new" / "folder")
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


def test_what_is_gone_is_gone(tmp_path: Path) -> None:
    objects = Objects(tmp_path)
    objects.put("a", b"x")
    objects.delete("a")
    objects.delete("a")
    for read in (objects.get, objects.size, lambda key: objects.get_range(key, 0, 1)):
        with pytest.raises(NotFound):
            read("a")


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
    folder = tmp_path_factory.getbasetemp() / "objects"
    try:
        Objects(folder).put(key, b"x")
    except ValueError:
        return
    assert (folder / key).resolve().is_relative_to(folder.resolve())
    assert (folder / key).read_bytes() == b"x"
