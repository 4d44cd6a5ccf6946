"""Autoencoders and embeddings in the catalogue, in recipes and in leases; weights by their hash."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from stablehand.domain.errors import NotFound
from stablehand.domain.families import V_MARKER, ZERO_SNR_MARKER
from stablehand.domain.orders import JobOrder
from stablehand.domain.recipes import Addon
from stablehand.services import Services
from stablehand.services import catalogue as verbs
from stablehand.services.addons import list_addons
from stablehand.services.submit import submit
from stablehand.services.weights import find_part, find_weights, list_weights
from tests.store.house import House
from tests.store.test_catalogue import listed, unet, write_folder, write_weights

VAE = {"encoder.conv_in.weight": [2, 3], "decoder.conv_in.weight": [2, 3]}


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(verbs, "BUILTIN_FOLDER", tmp_path / "builtin")
    return tmp_path / "models"


def hashed(services: Services, models: Path) -> Services:
    """The services after a scan and all hashes."""
    verbs.scan(services, models)
    while verbs.hash_next(services, models):
        pass
    return replace(services, models_dir=models)


def test_addons_are_recognised_and_hashed_and_others_are_named(house: House, models: Path) -> None:
    write_weights(models / "vae/clear.safetensors", {f"first_stage_model.{key}": shape for key, shape in VAE.items()})
    write_weights(models / "embeddings/easy.safetensors", {"emb_params": [2, 768]})
    write_weights(models / "embeddings/two.safetensors", {"emb_params": [1, 1024]})
    write_weights(models / "embeddings/xl.safetensors", {"clip_l": [1, 768], "clip_g": [1, 1280]})
    write_weights(models / "embeddings/own-word.safetensors", {"a word of its own": [768]})
    write_weights(models / "embeddings/none.safetensors", {"a": [1, 768], "b": [1, 768]})
    write_weights(models / "vae/none.safetensors", {"decoder.conv_in.weight": [2, 3]})
    (models / "embeddings/old.pt").write_bytes(b"\x80\x02")
    for name, shapes in (("folder", VAE), ("no-folder", {"conv_in.weight": [2, 3]}), ("bare", None)):
        (models / "vae" / name).mkdir()
        (models / "vae" / name / "config.json").write_text("{}")
        if shapes:
            write_weights(models / "vae" / name / "diffusion_pytorch_model.safetensors", shapes)
    services = hashed(house.services, models)
    found = list_addons(services)
    assert [(addon.kind, addon.name, addon.family) for addon in found] == [
        ("embedding", "easy", "sd1"),
        ("embedding", "own-word", "sd1"),
        ("embedding", "two", "sd2"),
        ("embedding", "xl", "sdxl"),
        ("vae", "clear", None),
        ("vae", "folder", None),
    ]
    assert find_weights(services, found[-1].sha256 or "") == models / "vae/folder"
    for addon in found[:-1]:
        digest = hashlib.sha256((models / addon.path).read_bytes()).hexdigest()
        assert (addon.sha256, addon.short_hash) == (digest, digest[:10])
    problems = dict(verbs.scan(services, models).problems)
    assert set(problems) == {
        "embeddings/none.safetensors", "embeddings/old.pt", "vae/none.safetensors", "vae/no-folder", "vae/bare",
    }  # fmt: skip
    assert "Convert it to .safetensors" in problems["embeddings/old.pt"]


def test_a_moved_addon_keeps_its_id_and_a_changed_one_loses_its_hash(house: House, models: Path) -> None:
    path = models / "embeddings/a.safetensors"
    write_weights(path, {"emb_params": [2, 768]})
    services = hashed(house.services, models)
    [before] = list_addons(services)
    path.rename(models / "embeddings/b.safetensors")
    verbs.scan(services, models)
    [moved] = list_addons(services)
    assert (moved.id, moved.name, moved.sha256) == (before.id, "b", before.sha256)
    write_weights(models / "embeddings/b.safetensors", {"emb_params": [3, 768]})
    verbs.scan(services, models)
    [changed] = list_addons(services)
    assert (changed.id, changed.sha256) == (before.id, None)
    (models / "embeddings/b.safetensors").unlink()
    verbs.scan(services, models)
    assert list_addons(services) == ()


def test_an_order_takes_the_settings_autoencoder_and_the_words_that_it_calls(house: House, models: Path) -> None:
    write_weights(models / "vae/clear.safetensors", VAE)
    write_weights(models / "embeddings/easy.safetensors", {"emb_params": [2, 768]})
    write_weights(models / "embeddings/unused.safetensors", {"emb_params": [2, 768]})
    write_weights(models / "embeddings/house.safetensors", {"emb_params": [2, 1024]})  # SD 2's
    write_weights(models / "checkpoints/one.safetensors", unet(768))
    services = replace(hashed(house.services, models), default_vae="Clear")
    order = JobOrder(prompt="a house", negative_prompt="(Easy:1.2), fog", checkpoint="one")
    job = submit(services, house.account, order)
    ids = {addon.name: addon.id for addon in list_addons(services)}
    assert job.recipe.addons == (
        Addon(kind="vae", id=ids["clear"], name="clear"),
        Addon(kind="embedding", id=ids["easy"], name="easy"),
    )


def test_what_a_header_and_a_file_beside_it_say_of_sampling_is_known(house: House, models: Path) -> None:
    folder = models / "checkpoints"
    inpaint = {"model.diffusion_model.input_blocks.0.0.weight": [4, 9, 3, 3]}
    write_weights(folder / "inpaint.safetensors", {**unet(768), **inpaint})
    write_weights(folder / "v.safetensors", {**unet(2048, block=4), V_MARKER: [0], ZERO_SNR_MARKER: [0]})
    write_weights(
        folder / "lcm.safetensors", {**unet(768), "model.diffusion_model.time_embed.cond_proj.weight": [4, 4]}
    )
    write_weights(folder / "told.safetensors", unet(2048, block=4), {"modelspec.title": "Sketch (Lightning)"})
    write_weights(folder / "turbo-by-name-only.safetensors", unet(2048, block=4))
    write_weights(folder / "stated.safetensors", unet(1024), {"modelspec.architecture": "stable-diffusion-v2-768-v"})
    write_weights(folder / "beside.safetensors", unet(1024))
    (folder / "beside.yaml").write_text("model:\n  params:\n    parameterization: v\n")
    write_weights(folder / "edit.safetensors", {**unet(768), next(iter(inpaint)): [4, 8, 3, 3]})
    write_weights(folder / "edm.safetensors", {**unet(2048, block=4), "edm_mean": [4]})
    problems = dict(verbs.scan(house.services, models).problems)
    found = listed(house.services)
    facts = {
        name: (entry.inpainting, entry.prediction, entry.zero_terminal_snr, entry.distillation)
        for name, entry in found.items()
    }
    assert facts == {
        "inpaint": (True, None, False, None),
        "v": (False, "v_prediction", True, None),
        "lcm": (False, None, False, "lcm"),
        "told": (False, None, False, "lightning"),
        "turbo-by-name-only": (False, None, False, None),
        "stated": (False, "v_prediction", False, None),
        "beside": (False, "v_prediction", False, None),
    }
    assert "instruction" in problems["checkpoints/edit.safetensors"]
    assert "EDM" in problems["checkpoints/edm.safetensors"]
    (folder / "beside.yaml").write_text("prediction: epsilon\nzero_terminal_snr: true\n")
    verbs.scan(house.services, models)
    beside = listed(house.services)["beside"]
    assert (beside.prediction, beside.zero_terminal_snr) == ("epsilon", True)


def test_weights_are_found_by_hash_and_nothing_else_is(house: House, models: Path) -> None:
    write_weights(models / "checkpoints/one.safetensors", unet(768))
    (models / "checkpoints/one.yaml").write_text("prediction: v\n")
    write_folder(models / "checkpoints/folder")
    write_weights(models / "vae/clear.safetensors", VAE)
    services = hashed(house.services, models)
    checkpoints = listed(services)
    [vae] = list_addons(services)
    one, folder = checkpoints["one"].sha256, checkpoints["folder"].sha256
    assert one is not None
    assert folder is not None
    assert vae.sha256 is not None
    assert find_weights(services, one) == models / "checkpoints/one.safetensors"
    assert find_part(services, one, "side") == models / "checkpoints/one.yaml"
    assert find_weights(services, vae.sha256) == models / "vae/clear.safetensors"
    place = find_weights(services, folder)
    lines = list_weights(place)
    assert hashlib.sha256(lines.encode()).hexdigest() == folder
    for line in lines.splitlines():
        digest, _, path = line.partition("  ")
        assert hashlib.sha256(find_part(services, folder, path).read_bytes()).hexdigest() == digest
    for part in ("../one.safetensors", "unet/../../one.safetensors", "/etc/passwd", "unet", "side", ""):
        with pytest.raises(NotFound):
            find_part(services, folder, part)
    with pytest.raises(NotFound):
        find_part(services, vae.sha256, "side")
    for wrong in ("0" * 64, "", "%"):
        with pytest.raises(NotFound):
            find_weights(services, wrong)
