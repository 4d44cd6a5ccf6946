"""A1111's dialect without the network: infotext, extras, answers, progress."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.a1111.answers import has_sheet, info_of, sheet_shape
from stablehand.domain.a1111.bodies import EXTRA_SINGLE
from stablehand.domain.a1111.drafts import draft_of, without_comments
from stablehand.domain.a1111.errors import Invalid, Refused
from stablehand.domain.a1111.extras import enlargement_of
from stablehand.domain.a1111.fields import read_body
from stablehand.domain.a1111.novelai import novelai_infotext
from stablehand.domain.a1111.pasted import pasted_fields
from stablehand.domain.a1111.pictures import Address, decode
from stablehand.domain.a1111.progress import progress_answer, state_of
from stablehand.domain.calls import Call, clean_task_id, new_task_id
from stablehand.domain.images import Image
from stablehand.domain.infotext import write_infotext
from stablehand.domain.jobs import Job, Shot, State
from stablehand.domain.orders import Given, make_recipe, problems
from stablehand.domain.recipes import Recipe
from tests.unit.a1111 import HASH, KNOWN, PICTURE, draft, ordered

NOW = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)
# -- infotext --------------------------------------------------------------------------------------------------------

RECIPE = Recipe(
    prompt="a cat", checkpoint_id="id-v1-5", checkpoint="v1-5", width=512, height=512, steps=20, sampler="DPM++ 2M SDE",
    schedule="Karras", cfg_scale=6.5, seed=42,
)  # fmt: skip

INFOTEXT_BODIES: list[dict[str, Any]] = [
    {"steps": 12, "sampler_name": "Euler a", "scheduler": "Simple", "seed": 5, "cfg_scale": 3, "width": 640},
    {"subseed": 4, "subseed_strength": 0.25, "seed_resize_from_w": 256, "seed_resize_from_h": 320, "seed": 1},
    {"enable_hr": True, "hr_scale": 1.5, "hr_second_pass_steps": 4, "denoising_strength": 0.55, "seed": 9,
     "hr_prompt": "a \"quoted\", word: with\nlines", "hr_sampler_name": "LMS"},
    {"override_settings": {"CLIP_stop_at_last_layers": 2, "randn_source": "NV", "emphasis": "No norm"}, "seed": 3},
    {"sampler_name": "Euler", "s_churn": 2.5, "s_noise": 1.05, "s_tmax": 9, "seed": 0, "negative_prompt": "fog\nrain"},
    {"sampler_name": "DDIM", "eta": 0.5, "seed": 8, "override_settings": {"eta_noise_seed_delta": 31337}},
    {"refiner_checkpoint": "other", "refiner_switch_at": 0.6, "seed": 2},
]  # fmt: skip


def recipe_of(body: dict[str, Any]) -> Recipe:
    order = draft(body).order
    assert problems(order) == {}
    refiner = next((entry for entry in KNOWN if entry.id == order.refiner_checkpoint), None)
    chosen = next((entry for entry in KNOWN if entry.id == order.checkpoint), KNOWN[0])
    return make_recipe(order, chosen, random_seed=77, refiner=refiner)


@pytest.mark.parametrize("body", INFOTEXT_BODIES, ids=lambda body: str(next(iter(body))))
def test_the_words_of_a_picture_order_the_same_picture(body: dict[str, Any]) -> None:
    recipe = recipe_of(body)
    assert recipe_of({"infotext": write_infotext(recipe, HASH, "1"), "prompt": recipe.prompt}) == recipe


words = st.text(
    alphabet=st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="#"), max_size=40
)


@given(words, words, st.integers(0, 2**63 - 1), st.floats(0, 30))
def test_any_words_of_a_picture_order_the_same_picture(prompt: str, negative: str, seed: int, cfg: float) -> None:
    body = {"prompt": f"p {prompt}".strip(), "negative_prompt": negative.strip(), "seed": seed, "cfg_scale": cfg}
    recipe = recipe_of(body)
    text = write_infotext(recipe, HASH, "1")
    again = draft_of("txt2img", {"infotext": text}, {}, KNOWN).order
    assert make_recipe(again, KNOWN[0], random_seed=1) == recipe


def test_what_a_request_says_itself_counts_for_more_than_its_infotext() -> None:
    text = write_infotext(RECIPE, HASH, "1")
    found = ordered({"infotext": text, "steps": 7, "override_settings": {"sd_model_checkpoint": "other"}})
    assert (found["steps"], found["seed"], found["sampler"], found["schedule"]) == (7, 42, "DPM++ 2M SDE", "Karras")
    assert found["checkpoint"] == "id-other"
    assert pasted_fields("just words")["prompt"] == "just words"


def test_pictures_of_novelai_are_read_as_infotext() -> None:
    said = {"steps": 28, "scale": 11.0, "seed": 7, "uc": "lowres, fog", "sampler": "k_dpmpp_2m"}
    items = {"Software": "NovelAI", "Description": "a fox, red", "Comment": json.dumps(said)}
    assert novelai_infotext(items, 64, 96) == (
        "a fox, red\nNegative prompt: lowres, fog\n"
        "Steps: 28, Sampler: DPM++ 2M, CFG scale: 11.0, Seed: 7, Size: 64x96, Clip skip: 2, ENSD: 31337"
    )
    assert novelai_infotext({**items, "Software": "other"}, 64, 96) is None
    for comment in ("", "[]", '{"steps": "x"}', "{broken"):
        assert novelai_infotext({**items, "Comment": comment}, 64, 96) is None


def test_comments_are_for_people() -> None:
    assert without_comments("#all of it") == ""
    assert without_comments("a\n# b\nc # d") == "a\nc"


# -- pictures and extras ---------------------------------------------------------------------------------------------


def test_pictures_come_in_three_ways() -> None:
    assert decode("aGVsbG8=") == decode("data:image/png;base64,aGVsbG8=") == decode(" aGVs\nbG8= ") == b"hello"
    assert decode("https://example.org/a.png") == Address("https://example.org/a.png")
    for text in ("", "data:image/png;base64", "a"):
        with pytest.raises(Refused, match="Invalid encoded image"):
            decode(text)


def enlarge(**body: Any) -> Any:
    return enlargement_of(read_body(EXTRA_SINGLE, body), 100, 50, format="png", quality=80)


def test_extras() -> None:
    assert enlarge().order is None
    done = enlarge(upscaler_1="Lanczos", upscaling_resize="3")
    assert (done.order.kind, done.order.upscaler, done.order.scale, done.crop) == ("upscale", "Lanczos", 3.0, None)
    assert done.words == "Postprocess upscale by: 3, Postprocess upscaler: Lanczos"
    cut = enlarge(upscaler_1="Lanczos", resize_mode=1, upscaling_resize_w=200, upscaling_resize_h=200)
    assert (cut.order.scale, cut.crop) == (4.0, (200, 200))
    fit = enlarge(upscaler_1="Nearest", resize_mode=1, upscaling_resize_w=200, upscaling_resize_h=200,
                  upscaling_crop=False)  # fmt: skip
    assert (fit.order.scale, fit.crop) == (2.0, None)
    for body in ({"resize_mode": 3}, {"upscaling_resize": 0}, {"gfpgan_visibility": 0.5}, {"codeformer_weight": 2}):
        with pytest.raises(Invalid):
            enlarge(upscaler_1="Lanczos", **body)
    with pytest.raises(Refused, match="upscaling_resize"):
        enlarge(upscaler_1="Lanczos", upscaling_resize=9)


# -- answers ---------------------------------------------------------------------------------------------------------

INFO_KEYS = [
    "prompt", "all_prompts", "negative_prompt", "all_negative_prompts", "seed", "all_seeds", "subseed", "all_subseeds",
    "subseed_strength", "width", "height", "sampler_name", "cfg_scale", "steps", "batch_size", "restore_faces",
    "face_restoration_model", "sd_model_name", "sd_model_hash", "sd_vae_name", "sd_vae_hash", "seed_resize_from_w",
    "seed_resize_from_h", "denoising_strength", "extra_generation_params", "index_of_first_image", "infotexts",
    "styles", "job_timestamp", "clip_skip", "is_using_inpainting_conditioning", "version",
]  # fmt: skip


def job(count: int = 2, *, state: State = State.SUCCEEDED, running: float = 0.0, recipe: Recipe = RECIPE) -> Job:
    shots = tuple(
        Shot(
            id=f"shot-{index}",
            index=index,
            seed=recipe.seed + index,
            state=State.RUNNING if index and running else state if not running else State.SUCCEEDED,
            progress=running,
        )
        for index in range(count)
    )
    return Job(
        id="job-1", account_id="a", state=State.RUNNING if running else state, tier="normal", recipe=recipe,
        count=count, created_at=NOW - timedelta(seconds=30), finished_at=None, cancel_requested=False, retry_of=None,
        counts={}, error=None, shots=shots, images=(), queue=None,
    )  # fmt: skip


def images(recipe: Recipe = RECIPE, count: int = 2) -> list[Image]:
    return [
        Image(
            id=f"image-{index}", account_id="a", job_id="job-1", index=index, width=512, height=512, format="png",
            seed=recipe.seed + index, created_at=NOW, starred=False, deleted_at=None, recipe=recipe.for_shot(index),
            checkpoint_sha256=HASH, infotext=write_infotext(recipe.for_shot(index), HASH, "1"), object_key="",
            thumbnail_key="", size_bytes=1, sha256="",
        )
        for index in range(count)
    ]  # fmt: skip


def test_info_is_a_text_with_every_key_in_its_order() -> None:
    info = json.loads(info_of(draft({"batch_size": 2}), job(), images(), "0.1"))
    assert list(info) == INFO_KEYS
    assert (info["seed"], info["all_seeds"], info["cfg_scale"]) == (42, [42, 43], 6.5)
    assert (info["sd_model_name"], info["sd_model_hash"], info["batch_size"]) == ("v1-5", HASH[:10], 2)
    assert info["infotexts"][1].startswith("a cat\nSteps: 20, Sampler: DPM++ 2M SDE, Schedule type: Karras, CFG")
    assert info["index_of_first_image"] == 0
    assert info["extra_generation_params"] == {"Schedule type": "Karras"}
    assert info["job_timestamp"] == "20260101120000"


def test_a_grid_stands_before_the_pictures() -> None:
    with_grid = draft({"batch_size": 2, "save_images": True})
    assert with_grid.with_grid
    info = json.loads(info_of(with_grid, job(), images(), "0.1"))
    assert (info["index_of_first_image"], len(info["infotexts"]), len(info["all_seeds"])) == (1, 3, 2)
    assert not draft({"save_images": True}).with_grid
    assert not draft({"n_iter": 2, "save_images": True}, chosen={"return_grid": False}).with_grid


def test_a_sheet_is_about_square_and_never_too_large() -> None:
    assert [sheet_shape(count) for count in (1, 2, 3, 4, 5, 6, 7)] == [
        (1, 1), (2, 1), (2, 2), (2, 2), (3, 2), (3, 2), (3, 3),
    ]  # fmt: skip
    wanted = draft({"n_iter": 900, "save_images": True})
    assert has_sheet(wanted, images(count=100))
    assert not has_sheet(wanted, images(count=150))
    info = json.loads(info_of(wanted, job(), images(count=150), "0.1"))
    assert (info["index_of_first_image"], len(info["infotexts"])) == (0, 150)


def test_an_interrupted_job_has_an_info_too() -> None:
    info = json.loads(info_of(draft({}), job(state=State.CANCELLED), [], "0.1"))
    assert list(info) == INFO_KEYS
    assert (info["all_seeds"], info["infotexts"]) == ([42], [])


def test_variation_seeds_count_and_the_seed_stays() -> None:
    varied = recipe_of({"seed": 1, "subseed": 5, "subseed_strength": 0.5})
    info = json.loads(info_of(draft({}), job(recipe=varied), images(varied), "0.1"))
    assert (info["all_seeds"], info["all_subseeds"], info["subseed_strength"]) == ([1, 1], [5, 6], 0.5)


CALL = Call(
    account_id="a", credential="key:1", kind="txt2img", task_id="task(x)", fingerprint="", job_id="job-1",
    created_at=NOW, batches=2,
)  # fmt: skip


def test_progress() -> None:
    idle = progress_answer(None, None, NOW, None)
    assert idle["state"]["job_timestamp"] == "0"
    assert (idle["progress"], idle["eta_relative"], idle["current_image"], idle["textinfo"]) == (0.0, 0.0, None, None)
    assert idle["state"]["job_count"] == 0
    ended = progress_answer(CALL, job(), NOW, "x")
    assert (ended["progress"], ended["state"]["job_count"], ended["current_image"]) == (0.0, 0, None)
    half = progress_answer(CALL, job(running=0.5), NOW, "cGlj")
    assert half["progress"] == pytest.approx(0.76)
    assert half["eta_relative"] == pytest.approx(10.0)
    assert half["current_image"] == "cGlj"
    state = state_of(CALL, job(running=0.5))
    assert (state["job"], state["job_count"], state["job_no"]) == ("Batch 2 out of 2", 2, 1)
    assert (state["sampling_step"], state["sampling_steps"]) == (10, 20)


def test_task_ids() -> None:
    assert new_task_id("txt2img").startswith("task(txt2img-")
    assert clean_task_id("task(abc)") == "task(abc)"
    for text in (None, "", " ", "a\nb", "ä", "x" * 129):
        assert clean_task_id(text) is None


def test_a_picture_is_given_by_its_size() -> None:
    order = draft(PICTURE, kind="img2img").order
    recipe = make_recipe(order, KNOWN[0], random_seed=1, source=Given(id="c" * 64, width=10, height=10))
    assert (recipe.kind, recipe.width, recipe.prompt) == ("image", 512, "a cat")
