"""A1111's dialect without the network: bodies to orders, jobs to answers, by data."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stablehand.domain.a1111.answers import echo
from stablehand.domain.a1111.bodies import IMG2IMG, TXT2IMG
from stablehand.domain.a1111.client_options import Choices, all_options, changed_options
from stablehand.domain.a1111.drafts import draft_of
from stablehand.domain.a1111.errors import Invalid, Refused
from stablehand.domain.a1111.fields import read_body
from stablehand.domain.a1111.labels import list_samplers, list_schedulers, resolve_sampler
from stablehand.domain.a1111.titles import find_by_title, title_of
from stablehand.domain.orders import problems
from tests.unit.a1111 import HASH, KNOWN, PICTURE, PLAIN, checkpoint, draft, ordered

# -- bodies ----------------------------------------------------------------------------------------------------------


def test_an_empty_body_is_upstreams_defaults() -> None:
    assert ordered({}) == PLAIN


def test_every_field_may_be_null_and_means_its_default() -> None:
    takes_null = [field.name for field in TXT2IMG if field.takes_null]
    assert ordered({**dict.fromkeys(takes_null), "prompt": "a cat"}) == PLAIN
    for field in (*TXT2IMG, *IMG2IMG):
        if not field.takes_null:
            with pytest.raises(Invalid) as refused:
                read_body((field,), {field.name: None})
            assert refused.value.problems[0]["type"] == "type_error.none.not_allowed"


LENIENT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"steps": 10.5}, {"steps": 10}),
    ({"steps": "20"}, {"steps": 20}),
    ({"steps": True}, {"steps": 1}),
    ({"cfg_scale": "4.5"}, {"cfg_scale": 4.5}),
    ({"prompt": 3}, {"prompt": "3"}),
    ({"width": 517, "height": "640"}, {"width": 512, "height": 640}),
    ({"seed": "7"}, {"seed": 7}),
    ({"batch_size": 2, "n_iter": 3}, {"count": 6}),
    ({"batch_size": 0, "n_iter": None}, {"count": 1}),
    ({"sampler_name": None, "sampler_index": "Heun"}, {"sampler": "Heun"}),
    ({"styles": [""], "url": "x", "auth": "y", "clip_skip": 2, "vae": "z"}, {}),
    ({"denoising_strength": 0.3, "hr_scale": 3, "hr_upscaler": "nonsense"}, {}),
    ({"eta": 1.0, "s_churn": 0, "s_tmin": 0, "s_tmax": None, "s_noise": 1}, {"s_churn": 0.0, "s_tmin": 0.0,
      "s_noise": 1.0}),
    ({"sampler_name": "Euler a", "eta": 1.0, "s_churn": 5, "s_noise": 1.1}, {"sampler": "Euler a", "eta": 1.0,
      "s_noise": 1.1}),
    ({"sampler_name": "LMS", "eta": 1.0, "s_churn": 5, "s_noise": 1}, {"sampler": "LMS"}),
    ({"subseed": 5}, {}),
    ({"subseed": 5, "subseed_strength": 0.5}, {"subseed": 5, "subseed_strength": 0.5}),
    ({"seed_resize_from_w": 0, "seed_resize_from_h": 0}, {}),
    ({"seed_resize_from_w": 256, "seed_resize_from_h": 64}, {"seed_resize_from_w": 256, "seed_resize_from_h": 64}),
    ({"negative_prompt": "fog", "tiling": True, "restore_faces": "true"}, {"negative_prompt": "fog"}),
    ({"prompt": ""}, {"prompt": ""}),
    ({"prompt": None}, {"prompt": ""}),
    ({"prompt": "a cat # grey\n# not seen\nsleeps"}, {"prompt": "a cat \nsleeps"}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "changes"), LENIENT, ids=lambda value: json.dumps(value)[:40])
def test_bodies_are_read_leniently(body: dict[str, Any], changes: dict[str, Any]) -> None:
    assert ordered(body) == PLAIN | changes


OPTIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"CLIP_stop_at_last_layers": 2.0}, {"clip_skip": 2}),
    ({"CLIP_stop_at_last_layers": "many"}, {}),
    ({"samples_format": "jpg", "jpeg_quality": 55.0}, {"format": "jpeg", "quality": 55}),
    ({"samples_format": "WEBP"}, {"format": "webp"}),
    ({"sd_vae": "Automatic"}, {}),
    ({"sd_vae": "fine.safetensors"}, {"vae": "fine.safetensors"}),
    ({"eta_noise_seed_delta": 31337}, {"ensd": 31337}),
    ({"randn_source": "NV"}, {"noise_source": "NV"}),
    ({"emphasis": "No norm"}, {"emphasis": "No norm"}),
    ({"sd_model_checkpoint": "other"}, {"checkpoint": "id-other"}),
    ({"sd_model_checkpoint": ""}, {}),
    ({"sd_model_checkpoint": None, "sd_hypernetwork": "None", "ddim_discretize": "uniform", "nobody": [1]}, {}),
    ({"enable_prompt_comments": False}, {}),
]


@pytest.mark.parametrize(("options", "changes"), OPTIONS, ids=lambda value: json.dumps(value)[:40])
def test_options_hold_for_a_request_or_for_a_client(options: dict[str, Any], changes: dict[str, Any]) -> None:
    assert ordered({"override_settings": options}) == PLAIN | changes
    assert ordered({}, chosen=options) == PLAIN | changes


def test_a_request_overrides_what_its_client_has_chosen() -> None:
    chosen = {"samples_format": "jpeg", "CLIP_stop_at_last_layers": 2}
    found = ordered({"override_settings": {"samples_format": "webp"}}, chosen=chosen)
    assert (found["format"], found["clip_skip"]) == ("webp", 2)
    nothing = {"samples_format": "", "sd_model_checkpoint": "", "CLIP_stop_at_last_layers": None}
    found = ordered({"override_settings": nothing}, chosen={**chosen, "sd_model_checkpoint": "other"})
    assert (found["format"], found["clip_skip"], found["checkpoint"]) == ("jpeg", 2, "id-other")


def test_a_second_pass() -> None:
    body = {"enable_hr": True, "width": 256, "height": 256}
    plain = {"enable_hr": True, "hr_scale": 2.0, "hr_upscaler": "Latent", "denoising_strength": 0.7}
    small = PLAIN | {"width": 256, "height": 256}
    assert ordered(body) == small | plain
    full = {
        "hr_scale": "1.5", "hr_upscaler": "Latent (bicubic)", "hr_second_pass_steps": 12.7, "denoising_strength": 0.4,
        "hr_sampler_name": "Use same sampler", "hr_scheduler": "Use same scheduler", "hr_checkpoint_name": None,
        "hr_prompt": "a tiger", "hr_negative_prompt": "",
    }  # fmt: skip
    assert ordered(body | full) == small | plain | {
        "hr_scale": 1.5, "hr_upscaler": "Latent (bicubic)", "hr_second_pass_steps": 12, "denoising_strength": 0.4,
        "hr_prompt": "a tiger",
    }  # fmt: skip
    resized = {key: value for key, value in plain.items() if key != "hr_scale"}
    assert ordered(body | {"hr_resize_x": 384}) == small | resized | {"hr_resize_x": 384}
    old = ordered({"enable_hr": True, "firstphase_width": 256, "firstphase_height": 256})
    assert old == small | resized | {"hr_resize_x": 512, "hr_resize_y": 512}
    with pytest.raises(Invalid):
        draft(body | {"hr_checkpoint_name": "other"})
    same = body | {"hr_checkpoint_name": "v1-5.safetensors", "override_settings": {"sd_model_checkpoint": "v1-5"}}
    assert ordered(same)["checkpoint"] == "id-v1-5"
    assert ordered(body | {"hr_checkpoint_name": "postcard"}) == small | plain, "which is what is drawn with anyway"


def test_tags_of_networks_are_no_words() -> None:
    tagged = "<lora:add_detail:0.7> a cat, <LyCO:x>red <hypernet:y:1>"
    assert ordered({"prompt": tagged})["prompt"] == "a cat, red"
    assert ordered({"prompt": tagged, "disable_extra_networks": True})["prompt"] == tagged
    assert ordered({"prompt": "a <b> c"})["prompt"] == "a <b> c"
    assert ordered({"enable_hr": True, "hr_prompt": f"a dog {tagged}"})["hr_prompt"] == "a dog  a cat, red"
    assert "hr_prompt" not in ordered({"enable_hr": True, "hr_prompt": "<lora:x:1>"})


def test_a_refiner_by_field_and_by_script() -> None:
    by_field = ordered({"refiner_checkpoint": "other", "refiner_switch_at": 0.6})
    script = {"alwayson_scripts": {"Refiner": {"args": [True, "other", 0.6]}}}
    assert by_field == ordered(script) == PLAIN | {"refiner_checkpoint": "id-other", "refiner_switch_at": 0.6}
    for off in ({"refiner_checkpoint": "None", "refiner_switch_at": 0.5}, {"refiner_checkpoint": "other"}):
        assert ordered(off) == PLAIN


def test_from_a_picture_and_within_a_mask() -> None:
    image = PLAIN | {"kind": "image", "denoising_strength": 0.75, "resize_mode": 0}
    assert ordered(PICTURE, kind="img2img") == image
    masked = ordered({**PICTURE, "mask": "bWFzaw=="}, kind="img2img")
    inpaint = PLAIN | {"kind": "inpaint", "denoising_strength": 0.75, "mask_blur": 4, "inpainting_fill": 0}
    assert masked == inpaint | {"inpaint_full_res": True, "inpaint_full_res_padding": 0}
    whole = {**PICTURE, "mask": "bWFzaw==", "inpaint_full_res": 0, "mask_blur": 8, "mask_blur_x": 2, "resize_mode": 3,
             "inpainting_mask_invert": 1, "inpainting_fill": 1, "initial_noise_multiplier": 0.9}  # fmt: skip
    assert ordered(whole, kind="img2img") == inpaint | {
        "inpaint_full_res": False, "mask_blur": 8, "resize_mode": 0, "inpainting_mask_invert": 1, "inpainting_fill": 1,
        "initial_noise_multiplier": 0.9,
    }  # fmt: skip
    found = draft({**PICTURE, "mask": "bWFzaw=="}, kind="img2img")
    assert (found.picture, found.mask) == ("aGVsbG8=", "bWFzaw==")
    assert echo(found)["init_images"] is None
    assert echo(found)["mask"] is None
    assert echo(draft({**PICTURE, "include_init_images": True}, kind="img2img"))["init_images"] == ["aGVsbG8="]


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"script_name": "X/Y/Z plot"}, 422, "Script 'X/Y/Z plot' not found"),
    ({"alwayson_scripts": {"ADetailer": {"args": [True, False, {"ad_model": "x"}]}}}, 422, "Script 'ADetailer' not fo"),
    ({"alwayson_scripts": {"ControlNet": {"args": [{"enabled": True, "module": "canny"}]}}}, 422, "'ControlNet'"),
    ({"alwayson_scripts": {"ControlNet": {"args": [{"module": "canny"}]}}}, 422, "'ControlNet'"),
    ({"override_settings": {"sd_model_checkpoint": "nothing [12345678]"}}, 404, "nothing [12345678]"),
    ({"override_settings": {"samples_format": "gif"}}, 422, "Invalid image format"),
    ({"refiner_checkpoint": "nobody", "refiner_switch_at": 0.8}, 404, "nobody"),
]


@pytest.mark.parametrize(("body", "status", "words"), REFUSED)
def test_what_is_not_here_is_refused_by_name(body: dict[str, Any], status: int, words: str) -> None:
    with pytest.raises(Refused) as refused:
        draft(body)
    assert refused.value.status == status
    assert words in refused.value.detail
    assert list(refused.value.body()) == ["error", "detail", "body", "errors"]


def test_scripts_that_are_switched_off_do_nothing_anywhere() -> None:
    for args in ([], [False], [{"enabled": False}, {"enabled": False}], [None], [{"ad_model": "None"}]):
        assert ordered({"alwayson_scripts": {"controlnet": {"args": args}, "seed": {"args": [1]}}}) == PLAIN
    with pytest.raises(Refused, match="Init image not found"):
        draft({}, kind="img2img")
    with pytest.raises(Refused, match="bad number of images passed"):
        draft({"init_images": ["a", "b"]}, kind="img2img")


WRONG: list[tuple[dict[str, Any], list[Any], str]] = [
    ({"steps": "many"}, ["body", "steps"], "type_error.integer"),
    ({"steps": "10.5"}, ["body", "steps"], "type_error.integer"),
    ({"cfg_scale": {}}, ["body", "cfg_scale"], "type_error.float"),
    ({"prompt": ["a"]}, ["body", "prompt"], "type_error.str"),
    ({"styles": "one"}, ["body", "styles"], "type_error.list"),
    ({"styles": ["a", {}]}, ["body", "styles", 1], "type_error.str"),
    ({"override_settings": []}, ["body", "override_settings"], "type_error.dict"),
    ({"enable_hr": "perhaps"}, ["body", "enable_hr"], "type_error.bool"),
    ({"sampler_index": None}, ["body", "sampler_index"], "type_error.none.not_allowed"),
]


@pytest.mark.parametrize(("body", "loc", "kind"), WRONG)
def test_what_cannot_be_read_is_named_as_upstream_does(body: dict[str, Any], loc: list[Any], kind: str) -> None:
    with pytest.raises(Invalid) as refused:
        draft(body)
    assert [(problem["loc"], problem["type"]) for problem in refused.value.problems] == [(loc, kind)]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


FIELDS = sorted({field.name for field in IMG2IMG + TXT2IMG})


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])  # the first draw pays for all of text
@given(st.lists(st.tuples(st.sampled_from(FIELDS), json_values), max_size=6).map(dict))
def test_no_body_breaks_the_reader(body: dict[str, Any]) -> None:
    for kind in ("txt2img", "img2img"):
        try:
            found = draft_of(kind, body, {}, KNOWN)
        except (Invalid, Refused):
            continue
        problems(found.order)
        json.dumps(echo(found), allow_nan=False)


def test_the_echo_has_every_field_in_its_order() -> None:
    echoed = echo(draft({"sampler_name": "Euler a", "steps": 20.0}))
    assert list(echoed) == [field.name for field in TXT2IMG]
    assert len(echoed) == 55
    assert (echoed["seed"], echoed["steps"], echoed["do_not_save_grid"]) == (-1, 20, False)
    assert json.loads(json.dumps(echoed)) == echoed
    assert echo(draft({"do_not_save_grid": True, "save_images": True}))["do_not_save_grid"] is True, "as it was asked"


# -- labels ----------------------------------------------------------------------------------------------------------

SAMPLER_NAMES = [
    ("DPM++ 2M Karras", None, ("DPM++ 2M", "Automatic")),
    ("DPM++ 2M SDE Karras", None, ("DPM++ 2M SDE", "Karras")),
    ("DPM++ 2M SDE Exponential", None, ("DPM++ 2M SDE", "Automatic")),
    ("DPM++ 2M SDE Heun Karras", None, ("DPM++ 2M SDE Heun", "Karras")),
    ("DPM++ SDE Karras", None, ("DPM++ SDE", "Automatic")),
    ("DPM++ 3M SDE Exponential", None, ("DPM++ 3M SDE", "Automatic")),
    ("LMS Karras", None, ("LMS", "Karras")),
    ("DPM2 a Karras", None, ("DPM2 a", "Automatic")),
    ("Euler a Karras", None, ("Euler a", "Karras")),
    ("Euler a Karras", "Simple", ("Euler a", "Simple")),
    ("Euler a", "automatic", ("Euler a", "Automatic")),
    ("Euler a", "sgm_uniform", ("Euler a", "SGM Uniform")),
    ("Euler a SGM Uniform", None, ("Euler a", "SGM Uniform")),
    ("Euler a", "no such", ("Euler a", "Automatic")),
    ("k_euler_a", None, ("Euler a", "Automatic")),
    ("euler A", None, ("Euler a", "Automatic")),
    ("DDIM", None, ("DDIM", "Automatic")),
    ("DDIM CFG++", None, ("DDIM CFG++", "Automatic")),
    ("Heun 9000", None, ("DPM++ 2M", "Automatic")),
    ("Heun 9000", "Simple", ("DPM++ 2M", "Simple")),
    ("", None, ("DPM++ 2M", "Automatic")),
]


@pytest.mark.parametrize(("name", "scheduler", "expected"), SAMPLER_NAMES)
def test_sampler_names_of_all_ages(name: str, scheduler: str | None, expected: tuple[str, str]) -> None:
    assert resolve_sampler(name, scheduler) == expected


def test_the_lists_are_upstreams() -> None:
    samplers = {entry["name"]: entry for entry in list_samplers()}
    assert next(iter(samplers)) == "DPM++ 2M"
    assert len(samplers) == 20
    assert samplers["DPM2 a"]["options"] == {
        "scheduler": "karras", "discard_next_to_last_sigma": "True", "uses_ensd": "True", "second_order": "True",
    }  # fmt: skip
    assert samplers["DPM++ 2M SDE Heun"] == {
        "name": "DPM++ 2M SDE Heun",
        "aliases": ["k_dpmpp_2m_sde_heun"],
        "options": {"scheduler": "exponential", "brownian_noise": "True", "solver_type": "heun"},
    }
    assert samplers["Euler"]["options"] == {}
    schedulers = {entry["name"]: entry for entry in list_schedulers()}
    assert list(schedulers) == [
        "automatic", "uniform", "karras", "exponential", "polyexponential", "sgm_uniform", "kl_optimal",
        "align_your_steps", "simple", "normal", "ddim", "beta",
    ]  # fmt: skip
    assert schedulers["karras"]["default_rho"] == 7.0
    assert schedulers["sgm_uniform"]["aliases"] == ["SGMUniform"]


TITLES = ["v1-5.safetensors [6ce0161689]", "v1-5.safetensors", "v1-5", "V1-5", "6ce0161689", HASH, "x [6ce0161689]"]


@pytest.mark.parametrize("text", TITLES)
def test_a_checkpoint_by_any_of_its_names(text: str) -> None:
    assert find_by_title(KNOWN, text) == KNOWN[0]


def test_of_copies_it_is_the_one_that_is_named() -> None:
    copies = (checkpoint("copy", sha256=HASH), *KNOWN)
    assert find_by_title(copies, "v1-5.safetensors [6ce0161689]") == KNOWN[0]
    assert find_by_title(copies, "copy [6ce0161689]") == copies[0]
    assert find_by_title(copies, "gone [6ce0161689]") == copies[0]


def test_titles() -> None:
    assert [title_of(entry) for entry in KNOWN] == ["v1-5.safetensors [6ce0161689]", "other.safetensors", "postcard"]
    assert find_by_title(KNOWN, "other [0123456789]") == KNOWN[1], "a hash that nobody knows yet"
    assert find_by_title(KNOWN, "None") is None
    with pytest.raises(Refused, match="Checkpoint not found: gone"):
        find_by_title(KNOWN, "gone")


# -- options ---------------------------------------------------------------------------------------------------------


def test_what_get_gives_post_takes_and_nothing_has_changed() -> None:
    chosen = {"samples_format": "jpeg", "CLIP_stop_at_last_layers": 2}
    whole = all_options(chosen, "v1-5.safetensors [6ce0161689]", HASH)
    assert (whole["sd_model_checkpoint"], whole["sd_checkpoint_hash"]) == ("v1-5.safetensors [6ce0161689]", HASH)
    posted = json.loads(json.dumps(whole))
    del posted["sd_model_checkpoint"]  # the service looks it up
    assert changed_options(chosen, posted) == chosen
    assert changed_options({}, {"outdir_samples": "/etc", "nobody": 1, "jpeg_quality": "high"}) == {}
    assert changed_options(chosen, {"samples_format": "png", "jpeg_quality": 81}) == {
        "CLIP_stop_at_last_layers": 2,
        "jpeg_quality": 81,
    }
    for spoilt in ({"samples_format": "gif"}, {"sd_lora": "a\0b"}, {"sd_vae": "\ud800"}):
        assert changed_options(chosen, spoilt) == chosen, "nothing that every later request would break on"
    assert Choices({}, {"jpeg_quality": 1e400}).quality == 80
