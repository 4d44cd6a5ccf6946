"""What operators keep from being drawn: words in prompts, and pictures that a checker of theirs does not like."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from stablehand import settings
from stablehand.adapters.blocklist import Blocklist
from stablehand.domain.errors import BadSettings
from stablehand.wiring import safety
from tests.api.site import Make, Site
from tests.unit.test_outside import port  # noqa: F401  (a fixture)

LISTED = "safety: {blocked_words: [gore], blocklist_file: listed.txt}"
CHECKED = "safety: {checker: 'tests.api.checkers:Palette'}"


@pytest.fixture
def listed(make: Make, tmp_path: Path) -> Site:
    (tmp_path / "site-0").mkdir()
    (tmp_path / "site-0" / "listed.txt").write_text("# what we do not draw\n\nsevered head\n/blood(y|ied)? bath/\n")
    return make(yaml=LISTED)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"prompt": "much (gore:1.2)"}, {"prompt"}),
        ({"prompt": "a severed_head"}, {"prompt"}),
        ({"prompt": "A BLOODY BATH"}, {"prompt"}),
        ({"prompt": "a house", "enable_hr": True, "hr_scale": 2.0, "hr_prompt": "gore"}, {"hr_prompt"}),
    ],
)
def test_a_listed_word_is_refused_and_not_named(listed: Site, fields: dict[str, Any], named: set[str]) -> None:
    answer = listed.client.post("/api/v1/jobs", json={"checkpoint": "tiny", "width": 64, "height": 64, **fields})
    assert answer.status_code == 422
    error = answer.get_json()["error"]
    assert error["code"] == "prompt_blocked"
    assert set(error["fields"]) == named
    assert error["hint"]
    for word in ("gore", "severed", "blood"):
        assert word not in answer.get_data(as_text=True).lower()
    assert listed.stored() == {"jobs": 0, "images": 0, "queued": 0, "running": 0}


def test_what_is_not_to_be_drawn_may_be_named(listed: Site) -> None:
    assert listed.order(prompt="a house", negative_prompt="gore, blood bath")["state"] == "queued"


def test_what_was_ordered_before_is_not_ordered_again_once_it_is_listed(site: Site) -> None:
    job = site.order(prompt="much gore")
    assert site.client.delete(f"/api/v1/jobs/{job['id']}").status_code == 200
    object.__setattr__(site.services, "blocklist", Blocklist(["gore"]))
    again = site.client.post(f"/api/v1/jobs/{job['id']}/retry")
    assert again.status_code == 422
    assert again.get_json()["error"]["code"] == "prompt_blocked"


def picture(site: Site, prompt: str, colour: tuple[int, int, int], kind: str = "png") -> Any:
    """Order one, and play the agent as far as the upload."""
    site.order(prompt=prompt, format=kind)
    site.hello()
    [lease] = site.claim()
    out = io.BytesIO()
    drawn = Image.new("RGB", (64, 64), colour)
    drawn.paste((colour[0], 255, colour[2]), (8, 8, 24, 24))
    exif = Image.Exif()
    exif[0x010E] = "how it was drawn"
    texts = PngInfo()
    texts.add_text("parameters", "how it was drawn")
    drawn.save(out, kind.upper(), **({"pnginfo": texts} if kind == "png" else {"exif": exif}))
    return lease, out.getvalue(), site.upload(lease, out.getvalue())


@pytest.fixture
def checked(make: Make) -> Site:
    return make(yaml=CHECKED)


@pytest.mark.parametrize("kind", ["png", "webp", "jpeg"])
def test_a_checker_has_pictures_blurred(checked: Site, kind: str) -> None:
    lease, data, answer = picture(checked, "a red light", (250, 20, 20), kind)
    assert answer.status_code == 200
    said = answer.get_json()
    assert said["notes"] == ["blurred"]
    told = {"width": 64, "height": 64, "format": kind, "seed": 1, "infotext": "", "device_seconds": 0.1}
    own = {"shot_id": lease["shot_id"], "token": lease["token"], "upload": said["upload"], "notes": said["notes"]}
    assert checked.tell("deliver", pictures=[{**own, **told}]).get_json()["refused"] == []
    [image] = checked.client.get("/api/v1/images").get_json()["items"]
    assert [note["code"] for note in image["notes"]] == ["blurred"]
    stored = checked.client.get(f"/api/v1/images/{image['id']}/file").data
    blurred = Image.open(io.BytesIO(stored))
    assert (blurred.format, blurred.size) == (kind.upper(), (64, 64))
    assert len(blurred.convert("RGB").getcolors(4096) or ()) == 1, "nothing is left to recognise"
    assert b"how it was drawn" in stored
    assert data not in [path.read_bytes() for path in checked_files(checked)], "the original lies nowhere"


def checked_files(site: Site) -> list[Path]:
    assert site.services.objects.folder is not None
    return [path for path in site.services.objects.folder.rglob("*") if path.is_file()]


def test_a_checker_refuses_pictures(checked: Site) -> None:
    lease, _, answer = picture(checked, "a red flag", (250, 20, 20))
    assert answer.status_code == 422
    error = answer.get_json()["error"]
    assert error["code"] == "picture_refused"
    # What an agent does with a picture that is refused:
    own = {"shot_id": lease["shot_id"], "token": lease["token"]}
    failure = {**own, "error_class": "final", **{name: error[name] for name in ("code", "message", "hint")}}
    assert checked.tell("fail", failures=[failure]).get_json()["accepted"] == [lease["shot_id"]]
    [job] = checked.client.get("/api/v1/jobs?include=shots").get_json()["items"]
    assert job["state"] == "failed"
    assert job["shots"][0]["error"]["code"] == "picture_refused"
    assert checked_files(checked) == []


@pytest.mark.parametrize("prompt", ["a red herring", "a red book"])
def test_nothing_is_taken_while_a_checker_fails(checked: Site, prompt: str) -> None:
    _, _, answer = picture(checked, prompt, (250, 20, 20))
    assert answer.status_code == 503, "which agents take for: later"
    assert answer.get_json()["error"]["code"] == "checker_away"
    assert answer.headers["Retry-After"]
    assert "the model is gone" not in answer.get_data(as_text=True)
    assert checked_files(checked) == []


def test_other_pictures_are_kept_as_they_are(checked: Site) -> None:
    _, data, answer = picture(checked, "a red flag", (20, 20, 250))
    assert answer.status_code == 200
    assert answer.get_json()["notes"] == []
    assert data in [path.read_bytes() for path in checked_files(checked)]


def test_nobody_sees_what_the_checker_has_not_seen(checked: Site) -> None:
    job = checked.order()
    checked.hello()
    [lease] = checked.claim()
    checked.services.feed.watch(job["id"])
    fields = {"shot_id": lease["shot_id"], "token": lease["token"], "progress": 0.5}
    with checked.services.feed.subscribe() as heard:
        answer = checked.tell("preview", **fields, data_url="data:image/jpeg;base64,AA==")
        assert answer.get_json()["accepted"] == [lease["shot_id"]]
        assert heard.get(timeout_seconds=0.0) is None
    assert not checked.services.stages, "pictures do not go past it into a bucket"


@pytest.mark.parametrize(
    ("section", "word"),
    [
        ("{checker: 'tests.api.nowhere:Palette'}", "nowhere"),
        ("{checker: 'tests.api.checkers:Nobody'}", "Nobody"),
        ("{checker: 'tests.api.checkers:Silent'}", "no method"),
        ("{checker: 'tests.api.checkers:broken'}", "no weights"),
        ("{checker: nowhere}", "no installed package"),
        ("{blocklist_file: nowhere.txt}", "nowhere.txt"),
        ("{blocked_words: ['/(/']}", "not valid"),
    ],
)
def test_what_cannot_be_used_is_told_at_the_start(tmp_path: Path, section: str, word: str) -> None:
    (tmp_path / settings.FILE_NAME).write_text(f"safety: {section}")
    table = settings.load(data_dir=tmp_path)
    with pytest.raises(BadSettings, match=f"(?i){word}") as refused:
        assert safety.open_blocklist(table) is None
        safety.open_checker(table)
    assert refused.value.hint


def test_an_operator_may_allow_a_network_and_redirects_are_checked_all_the_same(make: Make, port: int) -> None:  # noqa: F811
    def ask(site: Site, address: str) -> str:
        answer = site.client.post("/sdapi/v1/png-info", json={"image": address})
        assert answer.status_code == 422
        return str(answer.get_json()["detail"])

    here = f"http://127.0.0.1:{port}"
    assert ask(make(), f"{here}/a").startswith("Invalid image url")
    allowing = make(yaml="safety: {fetch_networks: 127.0.0.1/32}")
    assert ask(allowing, f"{here}/a") == "Invalid encoded image", "it was fetched; what came is no picture"
    for onward in ("http://169.254.169.254/", "http://127.0.0.2/", "file:///etc/passwd"):
        assert ask(allowing, f"{here}/on?{onward}").startswith("Invalid image url")
