"""Upscalers in the catalogue, in recipes and in leases."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image as Pictures

from stablehand.domain.errors import InvalidFields
from stablehand.domain.orders import JobOrder
from stablehand.domain.recipes import Addon
from stablehand.domain.upscalers import LATENT_UPSCALERS, PIXEL_UPSCALERS
from stablehand.services import Services
from stablehand.services import addons as addon_verbs
from stablehand.services import catalogue as verbs
from stablehand.services.addons import list_addons
from stablehand.services.fetch import Order, fetch, survey
from stablehand.services.inputs import take_input
from stablehand.services.submit import submit
from stablehand.services.upscalers import list_upscalers
from stablehand.services.weights import find_weights
from tests.store.house import House
from tests.store.test_addons import hashed
from tests.store.test_catalogue import unet, write_weights


def esrgan(scale: int = 2) -> dict[str, list[int]]:
    """Names and shapes of RRDBNet with one block."""
    ups = [f"conv_up{number}" for number in range(1, scale.bit_length())]
    shapes = {"conv_first": [6, 3, 3, 3], "conv_last": [3, 6, 3, 3]}
    shapes |= {name: [6, 6, 3, 3] for name in ("conv_body", "conv_hr", *ups)}
    for dense in range(1, 4):
        for conv in range(1, 6):
            shapes[f"body.0.rdb{dense}.conv{conv}"] = [4 if conv < 5 else 6, 6 + 4 * (conv - 1), 3, 3]
    weights = {f"{name}.weight": shape for name, shape in shapes.items()}
    return weights | {f"{name}.bias": shape[:1] for name, shape in shapes.items()}


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder with a checkpoint, and one upscaler among what the package ships."""
    monkeypatch.setattr(verbs, "BUILTIN_FOLDER", tmp_path / "builtin" / "checkpoints")
    monkeypatch.setattr(addon_verbs, "_has_spandrel", lambda: False)
    write_weights(tmp_path / "builtin/upscalers/ours.safetensors", esrgan())
    write_weights(tmp_path / "models/checkpoints/one.safetensors", unet(768))
    return tmp_path / "models"


def names(services: Services) -> list[tuple[str, int | None]]:
    return [(one.name, one.scale) for one in list_upscalers(services) if one.network is not None]


def test_upscalers_are_known_by_their_headers(house: House, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_weights(models / "upscalers/sharp.safetensors", esrgan(4))
    write_weights(models / "upscalers/swin.safetensors", {"layers.0.weight": [3, 3]})
    (models / "upscalers/old.pth").write_bytes(b"\x80\x02")
    services = hashed(house.services, models)
    assert names(services) == [("ours", 2), ("sharp", 4)]
    listed = list_upscalers(services)
    assert [one.name for one in listed if one.network is None] == [*LATENT_UPSCALERS, *PIXEL_UPSCALERS]
    assert [one.name for one in listed if one.latent] == list(LATENT_UPSCALERS)
    problems = dict(verbs.scan(services, models).problems)
    assert set(problems) == {"upscalers/swin.safetensors", "upscalers/old.pth"}
    assert "stablehand[spandrel]" in problems["upscalers/swin.safetensors"]
    assert "Convert it to .safetensors" in problems["upscalers/old.pth"]
    for addon in list_addons(services, "upscaler"):
        assert addon.sha256 is not None
        assert find_weights(services, addon.sha256) == verbs.place_of_weights(addon, models)
    monkeypatch.setattr(addon_verbs, "_has_spandrel", lambda: True)
    verbs.scan(services, models)
    assert names(services) == [("ours", 2), ("sharp", 4), ("swin", None)]


def test_names_that_are_taken_become_paths(house: House, models: Path) -> None:
    write_weights(models / "upscalers/Ours.safetensors", esrgan(4))
    write_weights(models / "upscalers/lanczos.safetensors", esrgan(4))
    services = hashed(house.services, models)
    assert names(services) == [
        ("builtin:upscalers/ours.safetensors", 2),
        ("Ours", 4),
        ("upscalers/lanczos.safetensors", 4),
    ]


def test_an_order_names_a_network_and_its_lease_says_where_it_lies(house: House, models: Path) -> None:
    write_weights(models / "upscalers/sharp.safetensors", esrgan(4))
    services = hashed(house.services, models)
    ids = {addon.name: addon.id for addon in list_addons(services)}
    sharp = Addon(kind="upscaler", id=ids["sharp"], name="sharp")
    order = JobOrder(prompt="a house", enable_hr=True, hr_upscaler="SHARP.safetensors", width=64, height=64)
    job = submit(services, house.account, order)
    assert job.recipe.hires is not None
    assert (job.recipe.hires.upscaler, job.recipe.addons) == ("sharp", (sharp,))
    plain = submit(services, house.account, replace(order, hr_upscaler="lanczos"))
    assert plain.recipe.hires is not None
    assert (plain.recipe.hires.upscaler, plain.recipe.addons) == ("Lanczos", ())
    out = io.BytesIO()
    Pictures.new("RGB", (8, 8)).save(out, "PNG")
    given = take_input(services, house.account, out.getvalue())
    larger = JobOrder(prompt="", kind="upscale", input=given.id, scale=3.0, upscaler="Ours")
    recipe = submit(services, house.account, larger).recipe
    assert (recipe.upscaler, recipe.width, recipe.height) == ("ours", 24, 24)
    assert recipe.addons == (Addon(kind="upscaler", id=ids["ours"], name="ours"),)
    refused = {
        "upscaler": replace(larger, upscaler="Latent"),
        "hr_upscaler": replace(order, hr_upscaler="4x-UltraSharp"),
    }
    for field, wrong in refused.items():
        with pytest.raises(InvalidFields) as caught:
            submit(services, house.account, wrong)
        assert set(caught.value.fields) == {field}
        assert caught.value.fields[field].endswith("Lanczos, Nearest, ours, sharp")


def test_upscalers_are_brought_into_their_folder(tmp_path: Path, models: Path) -> None:
    write_weights(tmp_path / "4x.safetensors", esrgan(4))
    place = fetch(models, Order(source=str(tmp_path / "4x.safetensors")))
    assert place == models / "upscalers/4x.safetensors"
    [found] = [one for one in survey(models) if one.path == "upscalers/4x.safetensors"]
    assert found.what == "upscalers"
