"""Every family in every layout: the same values in memory and the same picture, without a word to the network."""

import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from stablehand.engine.batch import Batch
from stablehand.engine.checkpoints import Resident, load_checkpoint
from stablehand.engine.seats import Finished
from tests.engine.drawing import PLACEMENT, holding, make_recipe
from tests.engine.families import FAMILIES, make_networks, write_file, write_folder
from tests.engine.published import single_file, whole_pipeline

Networks = Mapping[str, Any]
#: SD 2's files do not say what they predict; these do.
EPSILON = {"modelspec.prediction_type": "epsilon"}


def original(folder: Path, networks: Networks, family: str) -> Path:
    return write_file(folder / "original.safetensors", single_file(networks, family), EPSILON)


def one_file(folder: Path, networks: Networks, family: str) -> Path:
    del family
    return write_file(folder / "pipeline.safetensors", whole_pipeline(networks), EPSILON)


def whole_folder(folder: Path, networks: Networks, family: str) -> Path:
    return write_folder(folder / "folder", networks, family)


def sharded_folder(folder: Path, networks: Networks, family: str) -> Path:
    return write_folder(folder / "sharded", networks, family, shards=3)


LAYOUTS: tuple[Callable[[Path, Networks, str], Path], ...] = (original, one_file, whole_folder, sharded_folder)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reaches for the network fails the test."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the loader reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize("channels", [4, 9])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_layout_gives_the_same_values_and_the_same_picture(family: str, channels: int, tmp_path: Path) -> None:
    networks = make_networks(family, channels=channels)
    pictures = []
    for write in LAYOUTS if channels == 4 else LAYOUTS[:1]:
        resident = load_checkpoint("slot", write(tmp_path, networks, family), PLACEMENT)
        assert resident.network.family == family
        assert resident.network.input_channels == channels
        assert_equal_values(resident, networks)
        if channels == 4:
            pictures.append(draw(resident))
    for picture in pictures[1:]:
        assert np.array_equal(picture, pictures[0])
    if pictures:
        assert pictures[0].std() > 5, "a picture without contrast proves nothing"


def assert_equal_values(resident: Resident, networks: Networks) -> None:
    loaded = resident.modules()
    texts = [networks[name] for name in ("text_encoder", "text_encoder_2") if name in networks]
    pairs = [(loaded["unet"], networks["unet"]), (loaded["vae"], networks["vae"])]
    pairs += [(loaded[f"text_encoder_{index}"], network) for index, network in enumerate(texts)]
    for ours, theirs in pairs:
        state = ours.state_dict()
        assert set(state) == set(theirs.state_dict())
        for name, tensor in theirs.state_dict().items():
            assert torch.equal(state[name], tensor), name
        assert not any(tensor.is_meta for tensor in (*ours.parameters(), *ours.buffers()))


def draw(resident: Resident) -> NDArray[np.uint8]:
    batch = Batch(PLACEMENT, holding(resident))
    batch.add("a", make_recipe(prompt="a red house (on a hill)"), "slot", Path())
    while True:
        for ended in batch.tick():
            assert isinstance(ended, Finished), ended
            return ended.pixels
