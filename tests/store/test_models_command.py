"""``stablehand models`` as people type it, and a default checkpoint that is fetched on the first start."""

import hashlib
import json
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stablehand.cli import main
from stablehand.downloads import TRIES
from tests.running import ServiceFactory, eventually
from tests.store.test_catalogue import unet, write_folder, write_weights
from tests.store.web import Web, serving

#: exit code, what it printed, what it complained of
Said = tuple[int, str, str]
Command = Callable[..., Said]


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as web:
        yield web


@pytest.fixture
def weights(tmp_path: Path) -> bytes:
    """A checkpoint of some megabytes, by its header."""
    write_weights(tmp_path / "made.safetensors", unet(768) | {"ballast": [1_000_000]})
    return (tmp_path / "made.safetensors").read_bytes()


@pytest.fixture
def models(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run ``stablehand models …`` on a data directory of its own, with ``web`` for the hub; waits for nothing."""
    monkeypatch.setenv("STABLEHAND_MODELS__HUB", web.url)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("stablehand.downloads.time.sleep", lambda _seconds: None)

    def run(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["stablehand", "models", *words, "--data-dir", str(tmp_path / "data")])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def kept(tmp_path: Path) -> set[str]:
    folder = tmp_path / "data" / "models"
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_file_is_added_listed_and_removed(models: Command, tmp_path: Path, weights: bytes) -> None:
    source = str(tmp_path / "made.safetensors")
    code, out, _ = models("add", source, "--name", "mine", "--sha256", hashlib.sha256(weights).hexdigest())
    assert (code, out.strip()) == (0, str(tmp_path / "data/models/checkpoints/mine.safetensors"))
    assert (tmp_path / "data/models/checkpoints/mine.safetensors").read_bytes() == weights
    (tmp_path / "data/models/checkpoints/old.ckpt").write_bytes(b"\x80\x02")
    (tmp_path / "data/models/checkpoints/cut.safetensors").write_bytes(weights[:-1])
    code, out, _ = models("list")
    lines = dict(line.split("\t", 1) for line in out.splitlines())
    assert (code, lines["checkpoints/mine.safetensors"]) == (0, "checkpoint, sd1\t0.00 GB")
    assert lines["checkpoints/old.ckpt"] == "cannot be used: a pickle file"
    assert "cannot be used" in lines["checkpoints/cut.safetensors"]
    code, _, said = models("add", source, "--name", "mine")
    assert (code, "is there already" in said, "--name" in said) == (2, True, True)
    assert models("remove", "checkpoints/mine.safetensors", "--yes")[0] == 0
    assert "checkpoints/mine.safetensors" not in kept(tmp_path)
    code, _, said = models("remove", "checkpoints/mine.safetensors", "--yes")
    assert (code, "stablehand models list" in said) == (2, True)


def test_an_address_that_breaks_off_is_gone_on_with_by_the_next_command(
    models: Command, web: Web, tmp_path: Path, weights: bytes
) -> None:
    web.files["/w.safetensors"] = weights
    web.break_after = [500_000, *[0] * TRIES]
    code, _, said = models("add", f"{web.url}/w.safetensors")
    assert (code, "broke off" in said, "what came so far is kept" in said) == (2, True, True)
    assert "cli/__init__.py" not in said, "words, no traceback"
    assert models("list")[1] == "", "what is not whole is not shown"
    web.break_after = []
    web.asked.clear()
    assert models("add", f"{web.url}/w.safetensors", "--sha256", hashlib.sha256(weights).hexdigest())[0] == 0
    assert [wanted for _, wanted, _ in web.asked] == ["bytes=500000-"]
    assert (tmp_path / "data/models/checkpoints/w.safetensors").read_bytes() == weights


def test_what_must_not_come_does_not_stay(models: Command, web: Web, tmp_path: Path, weights: bytes) -> None:
    web.files |= {"/w.safetensors": weights, "/notes.safetensors": b"no weights at all"}
    source = f"{web.url}/w.safetensors"
    for words, expected in (
        ((source, "--sha256", "0" * 64), "has the SHA-256"),
        ((source, "--max-gigabytes", "0.001"), "--max-gigabytes"),
        ((f"{web.url}/none.safetensors",), "404"),
        ((f"{web.url}/w.ckpt",), "pickle"),
        ((f"{web.url}/notes.safetensors",), "notes.safetensors"),
        (("http://weights.example.org/w.safetensors",), "https"),
        ((str(tmp_path / "nowhere.safetensors"),), "neither a file nor an address"),
        (("hf:nobody/nothing",), "does not say what it holds"),
    ):
        code, out, said = models("add", *words)
        assert (code, out.strip()) == (2, ""), words
        assert expected in said, words
        assert "cli/__init__.py" not in said, "words, no traceback"
    assert {path for path in kept(tmp_path) if not path.startswith(".incoming/")} == set()


def test_without_a_network_it_says_so(models: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and not listened at
        nowhere = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        monkeypatch.setenv("STABLEHAND_MODELS__HUB", nowhere)
        for source in (f"{nowhere}/w.safetensors", "hf:owner/name", "hf:owner/name/w.safetensors"):
            code, _, said = models("add", source)
            assert code == 2, source
            assert "cli/__init__.py" not in said, "words, no traceback"
            assert nowhere in said


def test_the_hub_gives_files_and_whole_pipelines(models: Command, web: Web, tmp_path: Path, weights: bytes) -> None:
    web.files["/owner/one/resolve/main/sub/w.safetensors"] = weights
    assert models("add", "hf:owner/one/sub/w.safetensors")[0] == 0
    write_folder(tmp_path / "folder")
    files = [path for path in (tmp_path / "folder").rglob("*") if path.is_file()]
    names = [path.relative_to(tmp_path / "folder").as_posix() for path in files]
    for path, name in zip(files, names, strict=True):
        web.files[f"/owner/pipe/resolve/main/{name}"] = path.read_bytes()
    web.files["/api/models/owner/pipe"] = json.dumps({"siblings": [{"rfilename": name} for name in names]}).encode()
    code, out, _ = models("add", "hf:owner/pipe", "--name", "pipeline")
    assert (code, out.strip()) == (0, str(tmp_path / "data/models/checkpoints/pipeline"))
    listed = models("list")[1]
    assert "checkpoints/w.safetensors\tcheckpoint, sd1" in listed
    assert "checkpoints/pipeline\tcheckpoint" in listed


def test_a_default_checkpoint_named_by_its_source_is_there_after_the_first_start(
    make_service: ServiceFactory, web: Web, weights: bytes
) -> None:
    listing = {"siblings": [{"rfilename": "README.md"}, {"rfilename": "first.safetensors"}]}
    web.files["/api/models/owner/one"] = json.dumps(listing).encode()
    web.files["/owner/one/resolve/main/first.safetensors"] = weights
    web.break_after = [10**9, 500_000]  # the list comes whole, the file at the second try
    service = make_service(COMPUTE__RUNTIME="null", MODELS__DEFAULT_MODEL="hf:owner/one", MODELS__HUB=web.url)
    service.start()
    eventually(lambda: service.get("/readyz")["checks"]["default_model"] == "ok", "it is fetched")
    eventually(lambda: "first" in {item["name"] for item in service.get("/api/v1/checkpoints")["items"]}, "it is known")
    job = service.finished(service.submit(prompt="a house", steps=2)["id"])
    assert (job["state"], job["recipe"]["checkpoint"]) == ("succeeded", "first")
    service.stop()
    asked = len(web.asked)
    service.start()
    assert service.get("/readyz")["checks"]["default_model"] == "ok"
    assert len(web.asked) == asked, "the next start asks nobody"
