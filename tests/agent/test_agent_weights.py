"""An agent without the weights gets them from its server, else from where they came, and keeps the cache small."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from stablehand.agent.weights import WeightsCache
from stablehand.api import create_app
from stablehand.domain.checkpoints import Checkpoint
from stablehand.domain.errors import WeightsUnavailable
from stablehand.protocol import CheckpointRef
from stablehand.services import Services
from stablehand.services.catalogue import hash_next, list_checkpoints, scan
from stablehand.services.weights import list_weights
from tests.api.site import TOKEN, Site, make_site
from tests.store.test_catalogue import unet, write_folder, write_weights


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = make_site(tmp_path / "site")
    yield site
    site.services.store.close()


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "server-models"
    write_weights(folder / "checkpoints/one.safetensors", unet(768))
    (folder / "checkpoints/one.yaml").write_text("prediction: v\n")
    write_weights(folder / "checkpoints/two.safetensors", {**unet(768), "more": [1000]})
    write_folder(folder / "checkpoints/folder")
    return folder


@pytest.fixture
def server(site: Site, models: Path) -> Iterator[tuple[str, Services]]:
    """The address of a real server, and its use cases."""
    services = replace(site.services, models_dir=models)
    scan(services, models)
    while hash_next(services, models):
        pass
    web = make_server("127.0.0.1", 0, create_app(services, site.options), threaded=True)
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{web.server_port}", services
    web.shutdown()
    thread.join()
    web.server_close()


def ref(services: Services, name: str) -> CheckpointRef:
    found: dict[str, Checkpoint] = {entry.name: entry for entry in list_checkpoints(services)}
    entry = found[name]
    return CheckpointRef(id=entry.id, name=name, path=entry.path, sha256=entry.sha256)


def test_a_file_comes_with_what_is_written_beside_it(
    server: tuple[str, Services], models: Path, tmp_path: Path
) -> None:
    url, services = server
    cache = WeightsCache(url, TOKEN, tmp_path / "cache", 10**9)
    place = cache.fetch(ref(services, "one"))
    assert place.name == "one.safetensors"
    assert place.read_bytes() == (models / "checkpoints/one.safetensors").read_bytes()
    assert place.with_suffix(".yaml").read_text() == "prediction: v\n"
    assert not cache.fetch(ref(services, "two")).with_suffix(".yaml").exists()


def test_a_folder_comes_file_by_file_each_vouched_for(server: tuple[str, Services], tmp_path: Path) -> None:
    url, services = server
    wanted = ref(services, "folder")
    place = WeightsCache(url, TOKEN, tmp_path / "cache", 10**9).fetch(wanted)
    assert hashlib.sha256(list_weights(place).encode()).hexdigest() == wanted.sha256


def test_a_broken_part_is_gone_on_with(server: tuple[str, Services], models: Path, tmp_path: Path) -> None:
    url, services = server
    wanted = ref(services, "one")
    assert wanted.sha256 is not None
    data = (models / "checkpoints/one.safetensors").read_bytes()
    folder = tmp_path / "cache" / wanted.sha256[:2] / wanted.sha256
    folder.mkdir(parents=True)
    (folder / "one.safetensors.part").write_bytes(data[:50])
    (folder / "one.safetensors.part.etag").write_text(f'"{wanted.sha256}"')
    assert WeightsCache(url, TOKEN, tmp_path / "cache", 10**9).fetch(wanted).read_bytes() == data


def test_the_one_not_used_for_the_longest_makes_room(
    server: tuple[str, Services], models: Path, tmp_path: Path
) -> None:
    url, services = server
    sizes = [sum(path.stat().st_size for path in models.rglob(pattern)) for pattern in ("one.*", "two.*")]
    cache = WeightsCache(url, TOKEN, tmp_path / "cache", sum(sizes) - 1)
    one = cache.fetch(ref(services, "one"))
    two = cache.fetch(ref(services, "two"))
    assert not one.exists()
    assert two.exists()


def test_what_nobody_has_is_said(server: tuple[str, Services], tmp_path: Path) -> None:
    url, services = server
    cache = WeightsCache(url, TOKEN, tmp_path / "cache", 10**9)
    known = ref(services, "one")
    with pytest.raises(WeightsUnavailable, match="404"):
        cache.fetch(known.model_copy(update={"sha256": "0" * 64}))
    with pytest.raises(WeightsUnavailable, match="hash"):
        cache.fetch(known.model_copy(update={"sha256": None}))
    with pytest.raises(WeightsUnavailable, match="401"):
        WeightsCache(url, "wrong", tmp_path / "other", 10**9).fetch(known)
