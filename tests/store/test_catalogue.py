"""The catalogue against real folders: headers only, nothing that lies there can stop it."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from stablehand.adapters import weights
from stablehand.domain.checkpoints import Checkpoint, find
from stablehand.domain.siblings import PARTS_FROM
from stablehand.services import Services
from stablehand.services import catalogue as verbs
from tests.store.house import House


def write_weights(path: Path, shapes: Mapping[str, Sequence[int]], metadata: Mapping[str, str] | None = None) -> None:
    """A safetensors file of half floats, all zero."""
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    offset = 0
    for name, shape in shapes.items():
        size = 2
        for side in shape:
            size *= side
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(offset))


def write_folder(folder: Path, *, context: int = 96, side: int = 32, pipeline: str = "StableDiffusionPipeline") -> None:
    index = {
        "_class_name": pipeline,
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_text(json.dumps(index))
    for part in ("unet", "vae"):
        write_weights(folder / part / "diffusion_pytorch_model.safetensors", {"x": [2, 2]})
    (folder / "unet/config.json").write_text(json.dumps({"cross_attention_dim": context, "sample_size": side}))
    (folder / "vae/config.json").write_text(json.dumps({"block_out_channels": [1, 2, 3, 4]}))


def unet(context: int, block: int = 1) -> dict[str, list[int]]:
    return {f"model.diffusion_model.input_blocks.{block}.1.transformer_blocks.0.attn2.to_k.weight": [4, context]}


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(verbs, "BUILTIN_FOLDER", tmp_path / "builtin")
    return tmp_path / "models"


def listed(services: Services) -> dict[str, Checkpoint]:
    return {entry.name: entry for entry in verbs.list_checkpoints(services)}


def test_folders_files_and_what_the_package_ships_are_found(house: House, models: Path, tmp_path: Path) -> None:
    write_folder(models / "checkpoints/mine")
    write_folder(models / "sd2-folder", context=1024, side=96)
    write_weights(models / "checkpoints/one.safetensors", unet(768))
    write_weights(models / "two.safetensors", unet(1024), {"modelspec.resolution": "768x768"})
    write_weights(models / "checkpoints/big.SafeTensors", unet(2048, block=4))
    write_folder(tmp_path / "builtin/postcard")
    result = verbs.scan(house.services, models)
    assert (result.found, result.problems) == (6, ())
    found = listed(house.services)
    assert {name: (entry.family, entry.native_size, entry.path) for name, entry in found.items()} == {
        "mine": ("sd1", 256, "checkpoints/mine"),
        "sd2-folder": ("sd2", 768, "sd2-folder"),
        "one": ("sd1", 512, "checkpoints/one.safetensors"),
        "two": ("sd2", 768, "two.safetensors"),
        "big": ("sdxl", 1024, "checkpoints/big.SafeTensors"),
        "postcard": ("sd1", 256, "builtin:postcard"),
    }
    assert [entry.name for entry in found.values() if entry.builtin] == ["postcard"]
    default = verbs.default_checkpoint(house.services)
    assert default is not None
    assert default.name == "postcard"


def test_a_folder_that_borrows_parts_is_measured_with_them(house: House, models: Path, tmp_path: Path) -> None:
    write_folder(tmp_path / "builtin/postcard")
    for name, lender in (("quick", "postcard"), ("stray", "nowhere"), ("sly", "../builtin/postcard")):
        write_folder(tmp_path / "builtin" / name, side=16)
        shutil.rmtree(tmp_path / "builtin" / name / "vae")
        index = tmp_path / "builtin" / name / "model_index.json"
        index.write_text(json.dumps(json.loads(index.read_text()) | {PARTS_FROM: lender}))
    result = verbs.scan(house.services, models)
    found = listed(house.services)
    assert {name: (entry.native_size, entry.path) for name, entry in found.items()} == {
        "postcard": (256, "builtin:postcard"),
        "quick": (128, "builtin:quick"),
    }
    assert len(result.problems) == 2


def test_nothing_that_lies_there_stops_the_scan(house: House, models: Path) -> None:
    folder = models / "checkpoints"
    write_weights(folder / "good.safetensors", unet(768))
    whole = (folder / "good.safetensors").read_bytes()
    entry = (
        '{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"F16","shape":[2],"data_offsets":[2,6]}}'
    )
    bad = {
        "overlapping": len(entry).to_bytes(8, "little") + entry.encode() + bytes(6),
        "gap": len(entry).to_bytes(8, "little") + entry.replace("2,6", "6,10").encode() + bytes(10),
        "empty": b"",
        "short": b"\x05",
        "text": b"this is no weight file at all",
        "cut": whole[:-1],
        "longer": whole + b"x",
        "header-cut": whole[:20],
        "huge-header": (2**62).to_bytes(8, "little") + b"{}",
        "not-json": (4).to_bytes(8, "little") + b"\xff\xfe\xfd\xfc",
        "a-list": (2).to_bytes(8, "little") + b"[]",
        "a-string-entry": (9).to_bytes(8, "little") + b'{"a":"b"}',
        "deep": (60_000).to_bytes(8, "little") + b"[" * 60_000,
        "no-network": (2).to_bytes(8, "little") + b"{}",
    }
    for name, data in bad.items():
        (folder / f"{name}.safetensors").write_bytes(data)
    (folder / "note.txt").write_text("hello")
    (folder / "pickle.ckpt").write_bytes(b"x")
    (folder / ".hidden.safetensors").write_bytes(b"")
    (folder / "dangling.safetensors").symlink_to(folder / "nowhere")
    write_folder(folder / "no-weights")
    (folder / "no-weights/unet/diffusion_pytorch_model.safetensors").unlink()
    write_folder(folder / "bad-config")
    (folder / "bad-config/unet/config.json").write_text("[" * 100_000)
    write_folder(folder / "no-config")
    (folder / "no-config/vae/config.json").unlink()
    write_folder(folder / "audio", pipeline="AudioPipeline")
    result = verbs.scan(house.services, models)
    assert result.found == 1
    assert {path.removeprefix("checkpoints/").removesuffix(".safetensors") for path, _ in result.problems} == {
        *bad, "no-weights", "bad-config", "no-config", "audio", "pickle.ckpt",
    }  # fmt: skip
    assert list(listed(house.services)) == ["good"]


def test_a_missing_file_is_marked_and_known_again_when_it_is_back(house: House, models: Path) -> None:
    path = models / "checkpoints/a.safetensors"
    write_weights(path, unet(768))
    verbs.scan(house.services, models)
    before = listed(house.services)["a"]
    hidden = path.rename(models / "elsewhere.bin")
    verbs.scan(house.services, models)
    assert "a" not in listed(house.services)
    hidden.rename(path)
    verbs.scan(house.services, models)
    assert listed(house.services)["a"] == before


def test_a_moved_file_keeps_its_id_and_its_hash(house: House, models: Path) -> None:
    path = models / "checkpoints/a.safetensors"
    write_weights(path, unet(768))
    write_folder(models / "checkpoints/folder")
    verbs.scan(house.services, models)
    while verbs.hash_next(house.services, models):
        pass
    before = listed(house.services)
    path.rename(models / "b.safetensors")
    (models / "checkpoints/folder").rename(models / "checkpoints/renamed")
    verbs.scan(house.services, models)
    after = listed(house.services)
    for old, new in (("a", "b"), ("folder", "renamed")):
        assert (after[new].id, after[new].sha256) == (before[old].id, before[old].sha256)
        assert after[new].sha256 is not None
    assert set(after) == {"b", "renamed"}


def test_a_copy_is_a_checkpoint_of_its_own(house: House, models: Path) -> None:
    write_weights(models / "checkpoints/a.safetensors", unet(768))
    verbs.scan(house.services, models)
    stat = (models / "checkpoints/a.safetensors").stat()
    write_weights(models / "checkpoints/b.safetensors", unet(768))
    os.utime(models / "checkpoints/b.safetensors", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    verbs.scan(house.services, models)
    found = listed(house.services)
    assert found["a"].id != found["b"].id


def test_hashes_are_of_the_content_and_follow_it(house: House, models: Path) -> None:
    path = models / "checkpoints/a.safetensors"
    write_weights(path, unet(768))
    write_folder(models / "checkpoints/folder")
    verbs.scan(house.services, models)
    while verbs.hash_next(house.services, models):
        pass
    found = listed(house.services)
    assert found["a"].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    folder = models / "checkpoints/folder"
    lines = sorted(
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(folder).as_posix()}\n"
        for file in folder.rglob("*")
        if file.is_file()
    )
    assert found["folder"].sha256 == hashlib.sha256("".join(lines).encode()).hexdigest()
    write_weights(path, {**unet(768), "more": [8]})
    verbs.scan(house.services, models)
    assert listed(house.services)["a"].sha256 is None
    assert verbs.hash_next(house.services, models)
    assert listed(house.services)["a"].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_that_changes_while_it_is_hashed_keeps_no_hash(
    house: House, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = models / "checkpoints/a.safetensors"
    write_weights(path, unet(768))
    verbs.scan(house.services, models)
    real = weights.sha256_of

    def changing(place: Path) -> str:
        digest = real(place)
        write_weights(place, {**unet(768), "more": [8]})
        return digest

    monkeypatch.setattr(weights, "sha256_of", changing)
    assert not verbs.hash_next(house.services, models)
    assert listed(house.services)["a"].sha256 is None


def test_a_file_that_is_gone_does_not_keep_others_from_their_hash(house: House, models: Path) -> None:
    write_weights(models / "checkpoints/small.safetensors", unet(768))
    write_weights(models / "checkpoints/large.safetensors", {**unet(768), "more": [8]})
    verbs.scan(house.services, models)
    (models / "checkpoints/small.safetensors").unlink()
    assert verbs.hash_next(house.services, models)
    assert listed(house.services)["large"].sha256 is not None
    assert not verbs.hash_next(house.services, models)


def test_the_default_is_the_configured_one_else_postcard(house: House, models: Path, tmp_path: Path) -> None:
    write_weights(models / "checkpoints/aaa.safetensors", unet(768))
    verbs.scan(house.services, models)

    def default(configured: str | None = None) -> str:
        chosen = verbs.default_checkpoint(replace(house.services, default_checkpoint=configured))
        assert chosen is not None
        return chosen.name

    assert default() == "aaa"
    write_folder(tmp_path / "builtin/postcard")
    verbs.scan(house.services, models)
    assert default() == "postcard"
    assert default("AAA") == "aaa"
    assert default("no longer there") == "postcard"


def test_names_are_unique_and_found_in_every_spelling(house: House, models: Path) -> None:
    write_folder(models / "checkpoints/Same")
    write_weights(models / "checkpoints/same.safetensors", unet(768))
    write_weights(models / "same.safetensors", unet(768))
    verbs.scan(house.services, models)
    known = verbs.list_checkpoints(house.services)
    names = [entry.name for entry in known]
    assert len({name.casefold() for name in names}) == 3
    for entry in known:
        assert find(known, entry.id) == find(known, entry.name.upper()) == find(known, entry.path) == entry
    assert find(known, "other") is None


def test_a_quiet_scan_writes_nothing(house: House, models: Path) -> None:
    write_weights(models / "checkpoints/a.safetensors", unet(768))
    verbs.scan(house.services, models)
    with house.services.store.writing():
        assert verbs.scan(house.services, models).found == 1, "it would wait for the writer otherwise"


def test_there_need_be_no_folder_at_all(house: House, models: Path) -> None:
    assert verbs.scan(house.services, models).found == 0
    assert verbs.default_checkpoint(house.services) is None
