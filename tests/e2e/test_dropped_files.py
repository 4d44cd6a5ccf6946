"""Single files dropped into the models folder of a running service appear on the open page, and draw, offline."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.browsing import OpenPage
from tests.engine.families import make_networks, write_file
from tests.engine.published import single_file, whole_pipeline
from tests.running import RunningService

FAMILIES = ("sd1", "sd2", "sdxl")
#: SD 2's files do not say what they predict; these do.
METADATA = {"modelspec.prediction_type": "epsilon"}
#: nobody listens there: whoever reaches for another host fails at once
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    """Cut off from every other host, and with nothing in the caches of the libraries."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            environment.setenv(name, NOWHERE)
            environment.setenv(name.upper(), NOWHERE)
        environment.setenv("no_proxy", "127.0.0.1,localhost")
        environment.setenv("NO_PROXY", "127.0.0.1,localhost")
        environment.setenv("HF_HOME", str(tmp_path / "empty"))
        service = RunningService(tmp_path / "data", COMPUTE__THREADS=2)
        service.start()
    yield service
    service.end()


def drop_all(tmp_path: Path, folder: Path) -> list[str]:
    """One tiny file of each family in either layout; their names, which say nothing of what they are."""
    names = []
    for number, family in enumerate(FAMILIES):
        networks = make_networks(family)
        for layout, state in (("o", single_file(networks, family)), ("d", whole_pipeline(networks))):
            name = f"file-{number}{layout}"
            # Whole from the first moment on, as a file is that was moved there.
            write_file(tmp_path / "made", state, METADATA).replace(folder / f"{name}.safetensors")
            names.append(name)
    return names


def test_single_files_of_every_family_appear_on_the_page_and_draw_offline(
    service: RunningService, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(service.url)
    expect(page.get_by_role("combobox", name="Checkpoint")).to_contain_text("postcard")
    names = drop_all(tmp_path, service.data_dir / "models" / "checkpoints")
    for name in names:
        page.get_by_role("combobox", name="Checkpoint").click()
        # Choosing needs no reload: the list is asked for again while the page is open.
        page.get_by_role("option", name=re.compile(rf"^{name}\b")).click()
        for label, value in (("Steps", 2), ("Width", 64), ("Height", 64)):
            page.get_by_role("spinbutton", name=label).fill(str(value))
        page.get_by_role("textbox", name="Prompt", exact=True).fill(f"drawn with {name}")
        page.get_by_role("button", name=re.compile("^Generate")).click()
        picture = page.get_by_role("button", name=f"Open picture 1: drawn with {name}").get_by_role("img")
        expect(picture).to_be_visible()
    drawn = {image["recipe"]["checkpoint"]: image["width"] for image in service.images()}
    assert drawn == dict.fromkeys(names, 64)
    known = {item["name"]: item["family"] for item in service.get("/api/v1/checkpoints")["items"]}
    assert [known[name] for name in names] == ["sd1", "sd1", "sd2", "sd2", "sdxl", "sdxl"]
