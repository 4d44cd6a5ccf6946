from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.infotext import format_infotext, parse_infotext, write_infotext
from stablehand.domain.recipes import Addon, Recipe, Source

RECIPE = Recipe(
    prompt="a photo of an (astronaut:1.2) riding a horse, masterpiece",
    negative_prompt="lowres, bad anatomy",
    checkpoint_id="c",
    checkpoint="v1-5-pruned-emaonly",
    width=512,
    height=512,
    steps=20,
    sampler="DPM++ 2M",
    schedule="Automatic",
    cfg_scale=7,
    seed=1234567890,
)

TXT2IMG = """a photo of an (astronaut:1.2) riding a horse, masterpiece
Negative prompt: lowres, bad anatomy
Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.0, Seed: 1234567890, Size: 512x512, \
Model hash: 6ce0161689, Model: v1-5-pruned-emaonly, Version: v1.10.1"""

HIRES = """1girl, solo, <lora:add_detail:0.7> <lora:style-x:0.8>
second line
Negative prompt: easynegative, (worst quality:1.4)
Steps: 28, Sampler: DPM++ 2M SDE, Schedule type: Exponential, CFG scale: 6.5, Seed: 42, Size: 640x832, \
Model hash: 6ce0161689, Model: v1-5-pruned-emaonly, VAE hash: 735e4c3a44, \
VAE: vae-ft-mse-840000-ema-pruned.safetensors, Variation seed: 987654321, Variation seed strength: 0.15, \
Denoising strength: 0.45, Clip skip: 2, Hires upscale: 1.5, Hires steps: 12, Hires upscaler: R-ESRGAN 4x+, \
Lora hashes: "add_detail: 7c6bad76eb54, style-x: 0123456789ab", TI hashes: "easynegative: c74b4e810b03", \
Version: v1.10.1"""

INPAINT = """portrait: a "quoted", prompt
Steps: 30, Sampler: Euler a, Schedule type: Automatic, CFG scale: 7.0, Seed: 1234567890, Size: 768x512, \
Model hash: 31e35c80fc, Model: sd_xl_base_1.0, Denoising strength: 0.75, \
ControlNet 0: "Module: canny, Model: control_v11p_sd15_canny [d14c016b], Weight: 1.0, Pixel Perfect: False", \
ADetailer model: face_yolov8n.pt, ADetailer prompt: "a face, smiling", ADetailer inpaint only masked: True, \
Mask blur: 4, Inpaint area: Only masked, Masked area padding: 32, Version: v1.10.1"""


def parameters_of(text: str) -> dict[str, object]:
    """What was written: everything that the parser did not add, sizes put together again."""
    found = parse_infotext(text)
    line = text.rpartition("\n")[2]
    merged: dict[str, object] = {}
    for key, value in found.items():
        if key.endswith("-1") and f"{key[:-2]}-2" in found:
            key, value = key[:-2], f"{value}x{found[f'{key[:-2]}-2']}"  # noqa: PLW2901
        if f"{key}: " in line:
            merged[key] = value
    return merged


@pytest.mark.parametrize("text", [TXT2IMG, HIRES, INPAINT])
def test_what_the_web_ui_wrote_is_read_and_written_again_to_the_byte(text: str) -> None:
    found = parse_infotext(text)
    assert format_infotext(str(found["Prompt"]), str(found["Negative prompt"]), parameters_of(text)) == text


def test_our_own_text_has_the_web_uis_keys_in_its_order() -> None:
    assert write_infotext(RECIPE, "6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa", "0.1.0") == (
        TXT2IMG.replace("Version: v1.10.1", "RNG: CPU, Version: Stablehand 0.1.0")
    )


def test_what_is_unknown_or_empty_is_left_out() -> None:
    text = write_infotext(Recipe(**{**RECIPE.as_dict(), "negative_prompt": "", "sampler": "Euler a"}), None, "0.1.0")
    assert "Negative prompt" not in text
    assert "Model hash" not in text
    assert "Schedule type: Automatic" in text


def test_an_upscale_says_what_was_done_and_nothing_of_steps_or_samplers() -> None:
    larger = replace(
        RECIPE, kind="upscale", prompt="a house", negative_prompt="", width=1536, height=768, upscaler="R-ESRGAN 4x+",
        source=Source(input="a" * 64, width=1024, height=512), addons=(Addon(kind="upscaler", id="u", name="x"),),
    )  # fmt: skip
    text = write_infotext(larger, "6ce0161689", "0.1.0", {"u": "1" * 64})
    done = "Postprocess upscale by: 1.5, Postprocess upscaler: R-ESRGAN 4x+, Version: Stablehand 0.1.0"
    assert text == f"a house\nSize: 1536x768, {done}"
    found = parse_infotext(text)
    assert (found["Prompt"], found["Postprocess upscaler"]) == ("a house", "R-ESRGAN 4x+")
    old = replace(larger, prompt="", upscaler="Lanczos", source=Source(input="a" * 64))
    text = write_infotext(old, None, "0.1.0")
    assert text == "Size: 1536x768, Postprocess upscaler: Lanczos, Version: Stablehand 0.1.0"
    assert parse_infotext(text)["Prompt"] == ""


def test_the_parsed_example() -> None:
    found = parse_infotext(TXT2IMG)
    expected = {
        "Steps": "20", "Sampler": "DPM++ 2M", "Schedule type": "Karras", "CFG scale": "7.0", "Seed": "1234567890",
        "Size-1": "512", "Size-2": "512", "Model hash": "6ce0161689", "Model": "v1-5-pruned-emaonly",
        "Version": "v1.10.1", "Prompt": "a photo of an (astronaut:1.2) riding a horse, masterpiece",
        "Negative prompt": "lowres, bad anatomy", "Clip skip": "1", "Hires resize-1": 0, "Hires resize-2": 0,
        "Emphasis": "Original", "RNG": "GPU",
    }  # fmt: skip
    assert expected.items() <= found.items()


def test_a_prompt_alone_is_a_prompt() -> None:
    found = parse_infotext("a house, red: very\nNegative prompt: fog\nmore fog")
    assert found["Prompt"] == "a house, red: very"
    assert found["Negative prompt"] == "fog\nmore fog"
    assert "Steps" not in found


def test_old_names_are_understood() -> None:
    found = parse_infotext(
        "x\nSteps: 1, Size: 1024x768, First pass size: 512x384, Hypernet: net, Hypernet strength: 0.5"
    )
    assert (found["Size-1"], found["Size-2"]) == ("512", "384")
    assert (found["Hires resize-1"], found["Hires resize-2"]) == ("1024", "768")
    assert found["Prompt"] == "x<hypernet:net:0.5>"


words = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=40)


@given(words, words, st.integers(0, 2**63 - 1), st.integers(8, 256), st.floats(0, 30))
def test_every_recipe_can_be_read_back(prompt: str, negative: str, seed: int, units: int, cfg_scale: float) -> None:
    recipe = Recipe(
        **{
            **RECIPE.as_dict(),
            "prompt": f"p {prompt}".strip(),
            "negative_prompt": negative.strip(),
            "checkpoint": f"m {prompt}".strip(),
            "seed": seed,
            "width": units * 8,
            "cfg_scale": cfg_scale,
        }
    )
    found = parse_infotext(write_infotext(recipe, None, "0.1.0"))
    assert found["Prompt"] == recipe.prompt
    if not recipe.negative_prompt.startswith("Negative prompt:"):
        assert found["Negative prompt"] == recipe.negative_prompt
    assert found["Seed"] == str(seed)
    assert (found["Size-1"], found["Size-2"]) == (str(units * 8), "512")
    assert float(str(found["CFG scale"])) == cfg_scale


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    assert {"Prompt", "Negative prompt", "Clip skip"} <= set(parse_infotext(text))


def test_weights_beside_the_checkpoint_are_named_with_their_hashes() -> None:
    addons = (
        Addon(kind="vae", id="v", name="mse"),
        Addon(kind="embedding", id="e", name="easynegative"),
        Addon(kind="embedding", id="n", name="not hashed yet"),
    )
    text = write_infotext(
        replace(RECIPE, addons=addons), None, "0.1.0", {"v": "735e4c3a44" * 6, "e": "c74b4e810b03" * 5}
    )
    assert "VAE hash: 735e4c3a44, VAE: mse, " in text
    assert ', TI hashes: "easynegative: c74b4e810b03", Version: ' in text
    found = parse_infotext(text)
    assert (found["VAE hash"], found["TI hashes"]) == ("735e4c3a44", "easynegative: c74b4e810b03")
