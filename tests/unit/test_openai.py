"""OpenAI's dialect without a server: bodies to orders, jobs to answers, and every refusal by its code."""

from dataclasses import replace
from typing import Any

import pytest

from stablehand.domain.checkpoints import Checkpoint
from stablehand.domain.openai.answers import is_partial_due
from stablehand.domain.openai.drafts import Draft, draft_of, with_pictures
from stablehand.domain.openai.errors import Refused
from stablehand.domain.openai.fields import Operation, read_body
from stablehand.domain.orders import problems

TINY = Checkpoint(
    id="01",
    name="tiny",
    path="tiny",
    family="sd1",
    native_size=512,
    size_bytes=1,
    sha256=None,
    builtin=False,
)
TURBO = replace(TINY, id="02", name="turbo", distillation="turbo")
HOUSE = {"prompt": "a red house"}


def draft(
    body: dict[str, Any], operation: Operation = "generations", *, as_text: bool = False, default: Checkpoint = TINY
) -> Draft:
    values = read_body(operation, body, as_text=as_text)
    return draft_of(operation, values, [TINY, TURBO], default=default, default_quality=90)


ORDERS: list[tuple[Operation, dict[str, Any], dict[str, Any]]] = [
    ("generations", HOUSE, {"kind": "text", "format": "png", "quality": None, "steps": None, "checkpoint": None}),
    ("generations", {**HOUSE, "model": "TINY", "size": "512x768"}, {"checkpoint": "01", "width": 512, "height": 768}),
    ("generations", {**HOUSE, "model": "gpt-image-2", "size": "auto"}, {"checkpoint": None, "width": None}),
    ("generations", {**HOUSE, "model": None, "n": None, "quality": None}, {"count": None, "steps": None}),
    ("generations", {**HOUSE, "n": 3, "quality": "hd"}, {"count": 3, "steps": 30}),
    ("generations", {**HOUSE, "quality": "low", "steps": 7}, {"steps": 7}),
    ("generations", {**HOUSE, "output_format": "webp"}, {"format": "webp", "quality": 90}),
    ("generations", {**HOUSE, "output_format": "jpeg", "output_compression": 0}, {"format": "jpeg", "quality": 1}),
    ("generations", {**HOUSE, "output_compression": 100}, {"format": "png", "quality": None}),
    (
        "generations",
        {**HOUSE, "background": "opaque", "style": "vivid", "moderation": "low"},
        {"prompt": "a red house"},
    ),
    (
        "generations",
        {**HOUSE, "negative_prompt": "rain", "seed": 7, "cfg_scale": 5, "sampler": "Euler", "tier": "normal"},
        {"negative_prompt": "rain", "seed": 7, "cfg_scale": 5, "sampler": "Euler", "tier": "normal"},
    ),
    ("edits", HOUSE, {"kind": "image", "denoising_strength": 0.75, "resize_mode": 1, "input": "picture"}),
    ("edits", {**HOUSE, "input_fidelity": "high"}, {"denoising_strength": 0.5}),
    ("edits", {**HOUSE, "denoising_strength": 0.2}, {"denoising_strength": 0.2}),
    ("variations", {"n": 2}, {"kind": "image", "prompt": "", "denoising_strength": 0.6, "count": 2}),
]


@pytest.mark.parametrize(("operation", "body", "wanted"), ORDERS)
def test_a_body_orders_what_it_says(operation: Operation, body: dict[str, Any], wanted: dict[str, Any]) -> None:
    made = draft(body, operation)
    order = made.order
    if operation != "generations":
        order = with_pictures(made, read_body(operation, body), "picture", None)
    assert {name: getattr(order, name) for name in wanted} == wanted
    assert problems(order) == {}


def test_a_distilled_checkpoint_keeps_to_its_own_steps_whatever_the_quality() -> None:
    high = {**HOUSE, "quality": "high"}
    assert draft(high, default=TURBO).order.steps is None
    assert draft({**high, "model": "turbo"}).order.steps is None
    assert draft({**high, "model": "tiny"}, default=TURBO).order.steps == 30
    assert draft({**high, "steps": 2}, default=TURBO).order.steps == 2


def test_what_a_mask_leaves_open_is_drawn_anew() -> None:
    for body, strength in ((HOUSE, 1.0), ({**HOUSE, "denoising_strength": 0.4}, 0.4)):
        values = read_body("edits", body)
        order = with_pictures(draft(body, "edits"), values, "picture", "mask")
        assert (order.kind, order.input, order.mask) == ("inpaint", "picture", "mask")
        assert order.denoising_strength == strength
        assert problems(order) == {}


def test_fields_of_a_form_are_read_from_text() -> None:
    body = {**HOUSE, "n": "2", "stream": "true", "cfg_scale": "4.5", "seed": "-1", "exact": "false"}
    made = draft(body, "edits", as_text=True)
    order = made.order
    assert (order.count, order.cfg_scale, order.seed, order.exact) == (2, 4.5, -1, False)
    assert made.streams


REFUSED: list[tuple[Operation, dict[str, Any], str, str]] = [
    ("generations", {}, "prompt", "missing_required_parameter"),
    ("generations", {"prompt": None}, "prompt", "missing_required_parameter"),
    ("generations", {"prompt": ["a"]}, "prompt", "invalid_type"),
    ("generations", {**HOUSE, "n": "2"}, "n", "invalid_type"),
    ("generations", {**HOUSE, "n": True}, "n", "invalid_type"),
    ("generations", {**HOUSE, "n": 1.0}, "n", "invalid_type"),
    ("generations", {**HOUSE, "n": 0}, "n", "integer_below_min_value"),
    ("generations", {**HOUSE, "n": 11}, "n", "integer_above_max_value"),
    ("generations", {**HOUSE, "stream": 1}, "stream", "invalid_type"),
    ("generations", {**HOUSE, "size": "large"}, "size", "invalid_value"),
    ("generations", {**HOUSE, "size": "512x"}, "size", "invalid_value"),
    ("generations", {**HOUSE, "quality": "superb"}, "quality", "invalid_value"),
    ("generations", {**HOUSE, "output_format": "gif"}, "output_format", "invalid_value"),
    ("generations", {**HOUSE, "output_compression": 50}, "output_compression", "invalid_parameter_combination"),
    ("generations", {**HOUSE, "background": "transparent"}, "background", "unsupported_value"),
    ("generations", {**HOUSE, "partial_images": 2}, "partial_images", "invalid_parameter_combination"),
    (
        "generations",
        {**HOUSE, "stream": True, "partial_images": 1, "n": 2},
        "partial_images",
        "invalid_parameter_combination",
    ),
    ("generations", {**HOUSE, "stream": True, "response_format": "url"}, "response_format", "unsupported_value"),
    ("generations", {**HOUSE, "frame_count": 4}, "frame_count", "unsupported_parameter"),
    ("generations", {**HOUSE, "colour": "red"}, "colour", "unknown_parameter"),
    ("generations", {**HOUSE, "denoising_strength": 0.5}, "denoising_strength", "unknown_parameter"),
    ("generations", {**HOUSE, "model": "nobody-has-this"}, "model", "model_not_found"),
    ("edits", {**HOUSE, "image": "data:"}, "image", "invalid_type"),
    ("edits", {**HOUSE, "svg[model]": "x"}, "svg[model]", "unsupported_parameter"),
    ("variations", {"quality": "high"}, "quality", "unknown_parameter"),
]


@pytest.mark.parametrize(("operation", "body", "param", "code"), REFUSED)
def test_what_cannot_be_done_is_refused_by_name(
    operation: Operation, body: dict[str, Any], param: str, code: str
) -> None:
    with pytest.raises(Refused) as caught:
        draft(body, operation)
    error = caught.value.body()["error"]
    assert (error["param"], error["code"], error["type"]) == (param, code, "invalid_request_error")
    assert caught.value.status == (404 if code == "model_not_found" else 400)
    assert error["message"].endswith(".")


@pytest.mark.parametrize(
    ("operation", "body", "links"),
    [
        ("generations", HOUSE, False),
        ("generations", {**HOUSE, "response_format": "url"}, True),
        ("generations", {**HOUSE, "model": "dall-e-3"}, True),
        ("generations", {**HOUSE, "model": "dall-e-3", "response_format": "b64_json"}, False),
        ("generations", {**HOUSE, "model": "dall-e-3", "stream": True}, False),
        ("variations", {}, True),
        ("edits", HOUSE, False),
    ],
)
def test_who_gets_links(operation: Operation, body: dict[str, Any], links: bool) -> None:
    assert draft(body, operation).as_links is links


def test_partial_pictures_are_spread_over_the_drawing() -> None:
    shown: list[float] = []
    for percent in range(0, 100, 5):
        if is_partial_due(percent / 100, shown=len(shown), wanted=3):
            shown.append(percent)
    assert shown == [25, 50, 75]
    assert not is_partial_due(0.9, shown=0, wanted=0)
