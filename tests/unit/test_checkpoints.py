from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.checkpoints import Found, match_files
from stablehand.domain.families import from_folder, from_single_file
from stablehand.domain.pools import Pool, route

paths = st.sampled_from("abcdef")


def found(path: str, stamp: str) -> Found:
    return Found(
        new_id=path, name=path, path=path, family="sd1", native_size=512, size_bytes=1, stamp=stamp, builtin=False
    )


@given(st.dictionaries(paths, st.sampled_from("xyz")), st.dictionaries(paths, st.sampled_from("xyz")))
def test_each_row_belongs_to_one_file_at_most_and_the_same_path_to_itself(
    known: dict[str, str], there: dict[str, str]
) -> None:
    matches = match_files(known, [found(path, stamp) for path, stamp in there.items()])
    assert len(set(matches.values())) == len(matches)
    assert set(matches) <= set(there)
    assert set(matches.values()) <= set(known)
    for path, old in matches.items():
        assert old == path if path in known else (known[old] == there[path] and old not in there)


def test_a_moved_file_is_known_and_an_ambiguous_one_is_new() -> None:
    assert match_files({"old": "s"}, [found("new", "s")]) == {"new": "old"}
    assert match_files({"old": "s", "older": "s"}, [found("new", "s")]) == {}
    assert match_files({"old": "s"}, [found("new", "other")]) == {}


def test_families_of_folders() -> None:
    vae = {"block_out_channels": [1, 2, 3, 4]}

    def network(pipeline: str, context: int, side: int, second: bool = False) -> tuple[str, int] | None:
        unet = {"cross_attention_dim": context, "sample_size": side}
        result = from_folder(pipeline, unet, vae, second_text_encoder=second)
        return None if result is None else (result.family, result.native_size)

    assert network("StableDiffusionPipeline", 768, 64) == ("sd1", 512)
    assert network("StableDiffusionPipeline", 128, 32) == ("sd1", 256)
    assert network("StableDiffusionPipeline", 1024, 96) == ("sd2", 768)
    assert network("StableDiffusionXLPipeline", 2048, 128, second=True) == ("sdxl", 1024)
    assert network("AudioLDMPipeline", 768, 64) is None
    assert from_folder("StableDiffusionPipeline", {}, {}, second_text_encoder=False).native_size == 512  # type: ignore[union-attr]


def test_a_file_of_another_kind_is_no_checkpoint() -> None:
    assert from_single_file({"lora_unet_down.weight": (4, 4)}, {}) is None
    odd = {"model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (4, 999)}
    assert from_single_file(odd, {}) is None


def test_sizes_that_a_header_implies() -> None:
    unet = {"model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (4, 1024)}
    for words, size in (
        ({}, 768),
        ({"modelspec.prediction_type": "epsilon"}, 512),
        ({"modelspec.prediction_type": "v"}, 768),
        ({"modelspec.prediction_type": "epsilon", "modelspec.resolution": "640x896"}, 640),
    ):
        network = from_single_file(unet, words)
        assert network is not None
        assert network.native_size == size


def test_what_a_file_says_it_was_distilled_to_is_known_and_its_name_says_nothing() -> None:
    unet = {"model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (4, 768)}
    for title, expected in (
        ("Meadows Turbo", "turbo"),
        ("lightning, four steps", "lightning"),
        ("Meadows Hyper-SD", "hyper"),
        ("LCM Meadows", "lcm"),
        ("Meadows", None),
        ("turbine, hyperbole", None),
    ):
        network = from_single_file(unet, {"modelspec.title": title})
        assert network is not None
        assert network.distillation == expected, title


def test_routing() -> None:
    dynamic, static = Pool("any"), Pool("one", frozenset({"Alpha"}))
    assert route([dynamic, static], "ALPHA") == static
    assert route([static, dynamic], "beta") == dynamic
    assert route([static], "beta") is None
    assert route([], "beta") is None
