"""Prompts to conditioning, and conditioning to rows."""

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from stablehand.domain.recipes import TextOptions
from stablehand.engine.batch import Batch
from stablehand.engine.checkpoints import Resident
from stablehand.engine.conditioning import condition
from stablehand.engine.embeddings import Embedding
from stablehand.engine.pictures import Picture
from stablehand.engine.rows import predict
from stablehand.engine.seats import Finished, Seat
from stablehand.engine.text import CHUNK_POSITIONS, Prompt, Text
from tests.engine.drawing import make_recipe

FOLDER = Path()  # nothing is loaded here


@pytest.fixture
def text(resident: Resident) -> Text:
    return resident.text


def encode(text: Text, prompt: str, **options: Any) -> Tensor:
    [words] = text.encode([Prompt(prompt, TextOptions(**options))])
    return words.context


def layers(text: Text, prompt: str) -> tuple[Any, Any]:
    """What transformers says of a prompt of one chunk: (hidden states, the network)."""
    encoder = text.encoders[0]
    [chunk] = text.chunks(Prompt(prompt))
    ids = torch.tensor([encoder.ids(chunk.tokens)])
    return encoder.network(input_ids=ids, output_hidden_states=True), encoder.network


def test_long_prompts_become_chunks(text: Text) -> None:
    for letters, chunks in ((0, 1), (1, 1), (75, 1), (76, 2), (150, 2), (151, 3)):
        prompt = "x" * letters
        assert len(text.chunks(Prompt(prompt))) == chunks
        assert encode(text, prompt).shape == (chunks * CHUNK_POSITIONS, 16)


def test_a_chunk_begins_ends_and_is_filled_up(text: Text) -> None:
    encoder = text.encoders[0]
    ids = encoder.ids((5, 6))
    assert ids[:4] == [encoder.tokenizer.start, 5, 6, encoder.tokenizer.end]
    assert ids[4:] == [encoder.tokenizer.pad] * 73


def test_encoded_prompts_are_remembered_but_not_for_ever(text: Text) -> None:
    text._cache_chunks = 2
    calls: list[int] = []
    text.encoders[0].network.register_forward_pre_hook(
        lambda _module, _words, options: calls.append(len(options["input_ids"])), with_kwargs=True
    )
    text.encode([Prompt("a"), Prompt("b")])
    text.encode([Prompt("a")])
    text.encode([Prompt("(a:1.3)")])  # the same words
    assert calls == [2]
    text.encode([Prompt("c")])  # pushes "b" out
    text.encode([Prompt("a"), Prompt("b")])
    assert calls == [2, 1, 1]
    text.encode([Prompt("d"), Prompt("e")], exact=True)
    assert calls == [2, 1, 1, 1, 1]


def test_plain_words_are_the_last_layer(text: Text) -> None:
    output, _ = layers(text, "a house")
    assert torch.equal(encode(text, "a house"), output.last_hidden_state[0])


def test_clip_skip_reads_an_earlier_layer_and_norms_it(text: Text) -> None:
    output, network = layers(text, "a house")
    norm = getattr(network, "text_model", network).final_layer_norm
    assert torch.allclose(encode(text, "a house", clip_skip=2), norm(output.hidden_states[-2])[0])
    deepest = encode(text, "a house", clip_skip=12)  # deeper than it has layers
    assert torch.allclose(deepest, norm(output.hidden_states[1])[0])


def test_emphasis_makes_words_stronger_and_keeps_the_mean(text: Text) -> None:
    plain = encode(text, "a red house")
    weights = torch.ones(CHUNK_POSITIONS, 1)
    [chunk] = text.chunks(Prompt("a (red:1.5) house"))
    weights[1 : 1 + len(chunk.weights), 0] = torch.tensor(chunk.weights)
    assert weights.max() == 1.5
    strong = plain * weights
    assert torch.allclose(encode(text, "a (red:1.5) house", emphasis="No norm"), strong)
    normed = encode(text, "a (red:1.5) house")
    assert torch.allclose(normed, strong * (plain.mean() / strong.mean()))
    assert torch.allclose(normed.mean(), plain.mean(), atol=1e-6)
    assert torch.equal(encode(text, "a (red:1.5) house", emphasis="Ignore"), plain)


def test_without_emphasis_brackets_are_words(text: Text) -> None:
    [chunk] = text.chunks(Prompt("(red:1.5) BREAK", TextOptions(emphasis="None")))
    assert set(chunk.weights) == {1.0}
    assert len(chunk.tokens) > len(text.chunks(Prompt("red"))[0].tokens)


def test_break_begins_a_chunk(text: Text) -> None:
    found = encode(text, "a BREAK b")
    assert torch.allclose(found, torch.cat([encode(text, "a"), encode(text, "b")]), atol=1e-6)


def test_no_neighbour_leaks_into_a_prompt(text: Text, chance: random.Random) -> None:
    prompts = ["".join(chance.choice("ab (:)[]1.,") for _ in range(chance.randrange(200))) for _ in range(12)]
    together = text.encode([Prompt(prompt) for prompt in prompts])
    text.forget()
    for prompt, words in zip(prompts, together, strict=True):
        assert torch.allclose(words.context, encode(text, prompt), atol=1e-5), prompt


def test_an_embedding_stands_where_its_word_does(text: Text) -> None:
    encoder = text.encoders[0]
    vectors = torch.randn(2, 16)
    known = {"zz": Embedding({encoder.name: vectors})}
    [chunk] = text.chunks(Prompt("a zz b", embeddings=known))
    [words] = text.encode([Prompt("a zz b", embeddings=known)])
    text.forget()
    [again] = text.encode([Prompt("a zz b", embeddings=known)])
    assert torch.equal(words.context, again.context)
    before = 1 + chunk.embedded[0].offset
    plain = encode(text, "a zz b")
    assert torch.allclose(words.context[:before], plain[:before], atol=1e-6)  # the encoder only looks back
    assert not torch.allclose(words.context[before:], plain[before:])
    other = {"zz": Embedding({encoder.name: torch.randn(2, 16)})}
    [moved] = text.encode([Prompt("a zz b", embeddings=other)])
    assert not torch.allclose(moved.context[before:], words.context[before:])


def test_an_embedding_for_another_encoder_is_a_word_like_any_other(text: Text) -> None:
    wrong = {"zz": Embedding({text.encoders[0].name: torch.randn(2, 99)})}
    [words] = text.encode([Prompt("a zz b", embeddings=wrong)])
    assert torch.equal(words.context, encode(text, "a zz b"))


def picture(resident: Resident, **changes: Any) -> Picture:
    recipe = make_recipe(**changes)
    seat = Seat(picture_id="x", recipe=recipe, slot="tiny", path=FOLDER)
    return Picture(seat, resident, condition([seat.this_pass], resident)[0])


@torch.inference_mode()
def test_and_adds_up_what_its_parts_pull_toward(resident: Resident) -> None:
    asked = picture(resident, prompt="a house :1.5 AND a tree :-0.5 AND sky", cfg_scale=4.0)
    assert asked.rows == 4
    [answer], [finite] = predict(resident, [asked])
    assert finite
    sigma = asked.ask.sigma
    scaled = asked.ask.latent / (sigma**2 + 1) ** 0.5
    time = torch.tensor([resident.levels.timestep(sigma)])

    def noise(prompt: str) -> Tensor:
        context = encode(resident.text, prompt)[None]
        predicted: Tensor = resident.unet(scaled[None], time, encoder_hidden_states=context, return_dict=False)[0]
        return predicted[0]

    uncond = noise("")
    parts = [(1.5, "a house"), (-0.5, " a tree"), (1.0, " sky")]
    guided = uncond + 4.0 * sum((weight * (noise(text) - uncond) for weight, text in parts), torch.zeros(()))
    assert torch.allclose(answer.denoised, asked.ask.latent - sigma * guided, rtol=1e-4, atol=1e-4 * sigma)


@torch.inference_mode()
def test_words_change_in_the_course_of_the_steps(resident: Resident) -> None:
    batch_picture = picture(resident, prompt="[cat:dog:2] here", steps=4, cfg_scale=1.0)
    said = []
    while not batch_picture.is_finished:
        said.append(batch_picture.parts[0][1].context)
        batch_picture.answer(predict(resident, [batch_picture])[0][0])
    cat, dog = encode(resident.text, "cat here"), encode(resident.text, "dog here")
    assert [torch.equal(words, cat) for words in said] == [True, True, False, False]
    assert [torch.equal(words, dog) for words in said] == [False, False, True, True]


@pytest.mark.parametrize(
    "prompt", ["a AND b :0.5", "[a:b:0.5] (c:1.3)", "[a|b] BREAK c", "(a:0)", "(a:-2) AND (b:3)", "x" * 200]
)
def test_every_kind_of_prompt_is_drawn_the_same_alone_and_in_company(
    batch: Batch, prompt: str, chance: random.Random
) -> None:
    def draw(*pictures: tuple[str, dict[str, Any]]) -> dict[str, Any]:
        for name, changes in pictures:
            batch.add(name, make_recipe(**changes), "tiny", FOLDER)
        done: dict[str, Any] = {}
        while batch.ids():
            done |= {ended.picture_id: ended for ended in batch.tick()}
        return done

    wanted = ("wanted", {"prompt": prompt, "negative_prompt": "[x|y]", "seed": chance.randrange(2**32), "steps": 5})
    alone = draw(wanted)["wanted"]
    others = [
        ("guided", {"prompt": "y AND z", "steps": 3, "cfg_scale": 9.0}),
        ("free", {"prompt": "q" * 90, "cfg_scale": 1.0, "steps": 7}),
    ]
    company = draw(others[0], wanted, others[1])["wanted"]
    assert isinstance(alone, Finished)
    assert isinstance(company, Finished)
    assert abs(alone.pixels.astype(int) - company.pixels.astype(int)).max() <= 1
