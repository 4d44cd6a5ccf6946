"""OpenAI's own library against a real server: its whole images surface, and two accounts at once."""

import asyncio
import base64
import io
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from PIL import Image

from tests.api.dialect_house import DialectHouse, open_house

SMALL: dict[str, Any] = {"model": "tiny", "size": "64x64"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DialectHouse]:
    limits = {"TIERS__NORMAL__COUNT": 5, "TIERS__NORMAL__QUEUED": 4}
    with open_house(tmp_path_factory.mktemp("openai"), "ada", "bob", "carl", **limits) as house:
        yield house


@pytest.fixture
def client(house: DialectHouse) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{house.service.url}/v1",
        api_key=house.keys["ada"],
        http_client=openai.DefaultHttpxClient(trust_env=False),
    ) as client:
        yield client


def opened(text: str | None) -> Image.Image:
    assert text is not None
    return Image.open(io.BytesIO(base64.b64decode(text)))


def png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


RED = png(Image.new("RGB", (64, 64), "red"))


def mask() -> bytes:
    halved = Image.new("RGBA", (64, 64), (0, 0, 0, 255))
    halved.paste((0, 0, 0, 0), (0, 0, 64, 32))
    return png(halved)


def test_models(client: openai.OpenAI) -> None:
    assert {model.id for model in client.models.list()} == {"postcard", "postcard-quick", "tiny"}
    assert client.models.retrieve("tiny").owned_by == "stablehand"
    with pytest.raises(openai.NotFoundError) as missing:
        client.models.retrieve("gpt-4o")
    assert missing.value.code == "model_not_found"


def test_generate(client: openai.OpenAI, house: DialectHouse) -> None:
    answer = client.images.generate(
        prompt="a red house", n=2, quality="low", output_format="jpeg", output_compression=70, user="u", **SMALL
    )
    assert (answer.size, answer.quality, answer.output_format) == ("64x64", "low", "jpeg")
    assert answer.data is not None
    assert [opened(image.b64_json).format for image in answer.data] == ["JPEG", "JPEG"]

    extra = {"seed": 5, "steps": 2, "negative_prompt": "rain"}
    again = client.images.generate(prompt="a red house", extra_body=extra, **SMALL)
    assert again.data is not None
    words = opened(again.data[0].b64_json).info["parameters"]
    assert "Negative prompt: rain" in words
    assert "Seed: 5" in words

    linked = client.images.generate(prompt="a red house", response_format="url", **SMALL)
    assert linked.data is not None
    address = linked.data[0].url
    assert address is not None
    assert address.startswith(house.service.url)
    fetched = httpx.get(address, trust_env=False)  # with neither key nor cookie
    assert Image.open(io.BytesIO(fetched.content)).size == (64, 64)


def test_edit_and_vary(client: openai.OpenAI) -> None:
    edited = client.images.edit(image=RED, prompt="a barn", input_fidelity="high", **SMALL)
    masked = client.images.edit(image=[("red.png", RED)], mask=mask(), prompt="a barn", **SMALL)
    for answer in (edited, masked):
        assert answer.data is not None
        assert opened(answer.data[0].b64_json).size == (64, 64)
    assert "Mask blur" in opened((masked.data or [])[0].b64_json).info["parameters"]
    with pytest.warns(DeprecationWarning):  # upstream has retired it
        varied = client.images.create_variation(image=RED, n=2, size="256x256", response_format="b64_json")
    assert [opened(image.b64_json).size for image in varied.data or []] == [(256, 256)] * 2


def test_streams(client: openai.OpenAI) -> None:
    with client.images.generate(
        prompt="a red house", stream=True, partial_images=2, extra_body={"steps": 50}, **SMALL
    ) as told:
        events = list(told)
    *partial, last = events
    assert last.type == "image_generation.completed"
    assert opened(last.b64_json).size == (64, 64)
    # How many there are is a matter of how quick the agent was; the rest is not.
    shown = [event.partial_image_index for event in partial if event.type == "image_generation.partial_image"]
    assert shown == list(range(len(partial)))
    assert len(partial) <= 2
    edits = list(client.images.edit(image=RED, prompt="a barn", stream=True, **SMALL))
    assert [event.type for event in edits] == ["image_edit.completed"]


def test_refusals_become_the_errors_of_the_library(client: openai.OpenAI) -> None:
    def refused(**asked: Any) -> openai.APIStatusError:
        with pytest.raises(openai.APIStatusError) as caught:
            client.images.generate(**{"prompt": "a red house", **SMALL, **asked})
        return caught.value

    for asked, kind, param, code in (
        ({"model": "gone"}, openai.NotFoundError, "model", "model_not_found"),
        ({"size": "9000x64"}, openai.BadRequestError, "size", "invalid_value"),
        ({"prompt": "x" * 10_001}, openai.BadRequestError, "prompt", "invalid_value"),
        ({"n": 6}, openai.BadRequestError, "n", "over_limit"),
        ({"n": 5}, openai.RateLimitError, None, "rate_limit_exceeded"),
        ({"output_format": "svg"}, openai.BadRequestError, "output_format", "invalid_value"),
        ({"extra_body": {"colour": "red"}}, openai.BadRequestError, "colour", "unknown_parameter"),
    ):
        error = refused(**asked)
        assert (type(error), error.param, error.code) == (kind, param, code), error.message
        assert error.request_id
    with pytest.raises(openai.AuthenticationError) as stranger:
        client.with_options(api_key="sh_nobody").images.generate(prompt="a red house")
    assert stranger.value.code == "invalid_api_key"
    with pytest.raises(openai.BadRequestError) as two:
        client.images.edit(image=[RED, RED], prompt="a barn")
    assert two.value.param == "image"


def test_two_accounts_at_once_get_what_is_theirs(house: DialectHouse) -> None:
    async def draw(name: str) -> None:
        async with openai.AsyncOpenAI(
            base_url=f"{house.service.url}/v1",
            api_key=house.keys[name],
            http_client=openai.DefaultAsyncHttpxClient(trust_env=False),
        ) as client:
            for turn in range(3):
                prompt = f"{name} and a house {turn}"
                answer = await client.images.generate(prompt=prompt, **SMALL)
                stream = await client.images.generate(prompt=f"{prompt} streamed", stream=True, **SMALL)
                edited = await client.images.edit(image=RED, prompt=f"{prompt} edited", **SMALL)
                texts = [event.b64_json async for event in stream]
                for text, wanted in (
                    ((answer.data or [])[0].b64_json, prompt),
                    (texts[-1], f"{prompt} streamed"),
                    ((edited.data or [])[0].b64_json, f"{prompt} edited"),
                ):
                    assert opened(text).info["parameters"].partition("\n")[0] == wanted

    async def both() -> None:
        await asyncio.gather(draw("bob"), draw("carl"))

    asyncio.run(both())
    for name in ("bob", "carl"):
        jobs = house.jobs(name)
        assert len(jobs) == 9
        assert {job["state"] for job in jobs} == {"succeeded"}
        assert all(job["recipe"]["prompt"].startswith(f"{name} and") for job in jobs)
