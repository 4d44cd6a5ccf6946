"""Downloads over a connection that breaks, lies and changes its mind, and what comes of them in the models folder."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from stablehand.adapters import weights
from stablehand.domain.errors import BadSettings, CheckpointBroken, Conflict, NotFound
from stablehand.downloads import TRIES, DownloadFailed, Wish, download, open_client
from stablehand.services.default_model import DefaultModel
from stablehand.services.fetch import Order, fetch, remove, survey
from tests.store.test_catalogue import unet, write_folder, write_weights
from tests.store.web import Web, serving

DATA = bytes(range(256)) * 4000  # about 1 MB
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as web:
        web.files["/x"] = DATA
        yield web


def get(web: Web, target: Path, path: str = "/x", *, sha256: str | None = None, most_bytes: int | None = None) -> str:
    wish = Wish(url=web.url + path, sha256=sha256, most_bytes=most_bytes, patience_seconds=0.01)
    with open_client(trust_env=False) as client:
        return download(client, wish, target)


def left_over(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_whole_file_comes_and_nothing_else_stays(web: Web, tmp_path: Path) -> None:
    assert get(web, tmp_path / "file", sha256=SHA256.upper()) == SHA256
    assert (tmp_path / "file").read_bytes() == DATA
    assert left_over(tmp_path) == ["file"]


def test_what_breaks_off_is_gone_on_with(web: Web, tmp_path: Path) -> None:
    web.break_after = [300_000, 0, 400_000]
    assert get(web, tmp_path / "file") == SHA256
    assert [wanted for _, wanted, _ in web.asked] == [None, "bytes=300000-", "bytes=300000-", "bytes=700000-"]
    assert (tmp_path / "file").read_bytes() == DATA


def test_giving_up_keeps_what_came_for_the_next_time(web: Web, tmp_path: Path) -> None:
    web.break_after = [300_000, *[0] * TRIES]
    with pytest.raises(DownloadFailed, match="broke off"):
        get(web, tmp_path / "file")
    assert (tmp_path / "file.part").stat().st_size == 300_000
    web.break_after = []
    web.asked.clear()
    assert get(web, tmp_path / "file") == SHA256
    assert [wanted for _, wanted, _ in web.asked] == ["bytes=300000-"]


def test_a_file_that_changed_meanwhile_begins_anew(web: Web, tmp_path: Path) -> None:
    web.break_after = [300_000, *[0] * TRIES]
    with pytest.raises(DownloadFailed):
        get(web, tmp_path / "file")
    web.break_after = []
    web.files["/x"] = DATA[::-1]
    assert get(web, tmp_path / "file") == hashlib.sha256(DATA[::-1]).hexdigest()


def test_a_server_without_ranges_is_asked_for_everything_again(web: Web, tmp_path: Path) -> None:
    web.has_ranges = False
    web.break_after = [300_000]
    assert get(web, tmp_path / "file") == SHA256
    assert (tmp_path / "file").read_bytes() == DATA


def test_a_part_that_was_whole_already_counts(web: Web, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(DATA)
    assert get(web, tmp_path / "file", sha256=SHA256) == SHA256
    (tmp_path / "longer.part").write_bytes(DATA + b"more")
    assert get(web, tmp_path / "longer", sha256=SHA256) == SHA256


def test_a_wrong_hash_is_thrown_away(web: Web, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match=SHA256):
        get(web, tmp_path / "file", sha256="0" * 64)
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("tells_length", [True, False])
def test_a_file_that_is_too_large_is_refused(web: Web, tmp_path: Path, tells_length: bool) -> None:
    web.tells_length = tells_length
    with pytest.raises(DownloadFailed, match="larger"):
        get(web, tmp_path / "file", most_bytes=len(DATA) - 1)
    assert not (tmp_path / "file").exists()
    assert get(web, tmp_path / "other", most_bytes=len(DATA)) == SHA256


@pytest.mark.parametrize(("status", "word"), [(404, "address"), (401, "HF_TOKEN"), (403, "licence")])
def test_a_refusal_says_what_to_do(web: Web, tmp_path: Path, status: int, word: str) -> None:
    web.statuses["/no"] = status
    with pytest.raises(DownloadFailed, match=str(status)) as caught:
        get(web, tmp_path / "file", "/no")
    assert word in caught.value.hint
    assert len(web.asked) == 1


def test_a_busy_server_is_asked_again(web: Web, tmp_path: Path) -> None:
    web.statuses["/x"] = 503
    with pytest.raises(DownloadFailed, match="503"):
        get(web, tmp_path / "file")
    assert len(web.asked) == TRIES


def test_redirects_are_followed_but_not_off_the_safe_road(web: Web, tmp_path: Path) -> None:
    web.redirects = {"/there": "/x", "/plain": "http://weights.example.org/x"}
    assert get(web, tmp_path / "file", "/there") == SHA256
    with pytest.raises(DownloadFailed, match="https"):
        get(web, tmp_path / "other", "/plain")


# Into the models folder


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def checkpoint(tmp_path: Path) -> bytes:
    write_weights(tmp_path / "made.safetensors", unet(768))
    return (tmp_path / "made.safetensors").read_bytes()


def order(source: str, **changes: object) -> Order:
    return Order(**{"source": source, "patience_seconds": 0.01, **changes})  # type: ignore[arg-type]


def test_weights_come_to_where_their_header_says_they_belong(web: Web, models: Path, tmp_path: Path) -> None:
    web.files["/m/one.safetensors"] = checkpoint(tmp_path)
    write_weights(tmp_path / "vae.safetensors", {"encoder.conv_in.weight": [2], "decoder.conv_in.weight": [2]})
    write_weights(tmp_path / "word.safetensors", {"emb_params": [1, 768]})
    assert fetch(models, order(f"{web.url}/m/one.safetensors?x=1")) == models / "checkpoints/one.safetensors"
    assert fetch(models, order(str(tmp_path / "vae.safetensors"))) == models / "vae/vae.safetensors"
    assert fetch(models, order(str(tmp_path / "word.safetensors"), name="w")) == models / "embeddings/w.safetensors"
    assert weights.read_sources(models) == {"checkpoints/one.safetensors": f"{web.url}/m/one.safetensors?x=1"}
    assert {found.path: found.what for found in survey(models)} == {
        "checkpoints/one.safetensors": "checkpoint, sd1",
        "vae/vae.safetensors": "vae",
        "embeddings/w.safetensors": "embeddings",
    }
    with pytest.raises(Conflict):
        fetch(models, order(f"{web.url}/m/one.safetensors"))
    (tmp_path / "autoencoder").mkdir()
    (tmp_path / "autoencoder/config.json").write_text("{}")
    (tmp_path / "vae.safetensors").rename(tmp_path / "autoencoder/diffusion_pytorch_model.safetensors")
    assert fetch(models, order(str(tmp_path / "autoencoder"))) == models / "vae/autoencoder"
    assert {found.path: found.what for found in survey(models)}["vae/autoencoder"] == "vae"
    remove(models, "vae/vae.safetensors")
    for path in ("vae/vae.safetensors", "../made.safetensors", "checkpoints/../../made.safetensors", "sources.json"):
        with pytest.raises(NotFound):
            remove(models, path)


def test_what_cannot_be_used_does_not_stay(web: Web, models: Path, tmp_path: Path) -> None:
    web.files |= {"/lora.safetensors": b"", "/cut.safetensors": checkpoint(tmp_path)[:-1], "/odd.safetensors": DATA}
    write_weights(tmp_path / "lora.safetensors", {"lora_unet_down.weight": [4, 4]})
    web.files["/lora.safetensors"] = (tmp_path / "lora.safetensors").read_bytes()
    for name in ("lora", "cut", "odd"):
        with pytest.raises(CheckpointBroken, match=name):
            fetch(models, order(f"{web.url}/{name}.safetensors"))
    assert left_over(models / ".incoming") == []
    for source in (f"{web.url}/a.ckpt", f"{web.url}/a.pt?download=true", "hf:a/b/c.bin", str(tmp_path / "a.pth")):
        with pytest.raises(BadSettings, match="pickle"):
            fetch(models, order(source))
    for source in (str(tmp_path / "nowhere.safetensors"), "hf:only-one-part", "nonsense"):
        with pytest.raises(BadSettings):
            fetch(models, order(source))
    with pytest.raises(DownloadFailed, match="SHA-256"):
        fetch(models, order(str(tmp_path / "made.safetensors"), sha256="0" * 64))
    assert left_over(models / ".incoming") == []


def test_the_hub_is_asked_by_name_with_its_token(web: Web, models: Path, tmp_path: Path) -> None:
    web.files["/owner/one/resolve/main/sub/w.safetensors"] = checkpoint(tmp_path)
    web.files["/owner/one/resolve/main/w.safetensors"] = checkpoint(tmp_path)
    listing = {"siblings": [{"rfilename": "README.md"}, {"rfilename": "w.safetensors"}, {"rfilename": "w.ckpt"}]}
    web.files["/api/models/owner/one"] = json.dumps(listing).encode()
    named = order("hf:owner/one/sub/w.safetensors", name="named", endpoint=web.url, token="secret")
    assert fetch(models, named) == models / "checkpoints/named.safetensors"
    only = order("hf:owner/one", endpoint=web.url, token="secret")
    assert fetch(models, only) == models / "checkpoints/w.safetensors"
    write_weights(tmp_path / "vae.safetensors", {"encoder.conv_in.weight": [2], "decoder.conv_in.weight": [2]})
    web.files["/owner/clear/resolve/main/diffusion_pytorch_model.safetensors"] = (
        tmp_path / "vae.safetensors"
    ).read_bytes()
    nameless = order("hf:owner/clear/diffusion_pytorch_model.safetensors", endpoint=web.url, token="secret")
    assert fetch(models, nameless) == models / "vae/clear.safetensors"
    assert {token for _, _, token in web.asked} == {"Bearer secret"}
    assert weights.read_asked(models)["hf:owner/one"] == "checkpoints/w.safetensors"


def test_a_folder_of_the_hub_comes_with_its_lighter_half(web: Web, models: Path, tmp_path: Path) -> None:
    write_folder(tmp_path / "folder")
    base = "/owner/pipe/resolve/main"
    files = {path.relative_to(tmp_path / "folder").as_posix(): path for path in (tmp_path / "folder").rglob("*.*")}
    names = [name for name in files if "." in name]
    web.files |= {f"{base}/{name}": files[name].read_bytes() for name in names}
    half = "unet/diffusion_pytorch_model.fp16.safetensors"
    web.files[f"{base}/{half}"] = files["unet/diffusion_pytorch_model.safetensors"].read_bytes()
    siblings = [*names, half, "unet/diffusion_pytorch_model.bin", "safety_checker/model.safetensors", "big.ckpt"]
    web.files["/api/models/owner/pipe"] = json.dumps({"siblings": [{"rfilename": name} for name in siblings]}).encode()
    place = fetch(models, order("hf:owner/pipe", endpoint=web.url))
    assert place == models / "checkpoints/pipe"
    came = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    assert came == {*names, half} - {"unet/diffusion_pytorch_model.safetensors"}


def test_the_default_checkpoint_is_fetched_once_and_says_how_it_stands(web: Web, models: Path, tmp_path: Path) -> None:
    web.files["/m.safetensors"] = checkpoint(tmp_path)
    source = f"{web.url}/m.safetensors"
    default = DefaultModel(models, source, "https://hub.invalid")
    assert default.word == "to be fetched"
    default.start()
    default._thread.join(30)
    assert default.word == "ok"
    again = DefaultModel(models, source, "https://hub.invalid")
    again.start()
    again._thread.join(30)
    assert [path for path, _, _ in web.asked] == ["/m.safetensors"]
    missing = DefaultModel(models, f"{web.url}/none.safetensors", "https://hub.invalid")
    missing.start()
    while "404" not in missing.word:
        missing._thread.join(0.05)
    missing.stop()
    missing._thread.join(30)
    assert not missing._thread.is_alive()
