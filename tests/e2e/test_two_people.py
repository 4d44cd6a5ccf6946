"""Two browsers as two accounts on one server: neither is told, shown or given anything of the other's."""

import json
import re
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from playwright.sync_api import Page, expect

from tests.api.site import write_checkpoint
from tests.e2e.browsing import OpenPage
from tests.running import PATIENCE_SECONDS, RunningService, eventually

PASSWORD = "correct horse battery"
ORDER = {"checkpoint": "tiny", "width": 64, "height": 64, "format": "png"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("two")
    write_checkpoint(folder / "data" / "models" / "checkpoints" / "tiny")
    service = RunningService(
        folder / "data",
        COMPUTE__RUNTIME="null",
        COMPUTE__NULL_SECONDS_PER_STEP=0.1,
        API__AUTHENTICATION="true",
        AUTH__SIGN_UP="open",
        AUTH__ARGON2_MEMORY_KIB=8,
        AUTH__ARGON2_ROUNDS=1,
    )
    service.start()
    yield service
    service.end()


class Person:
    """Somebody before the studio: what the page's own line brought in is kept."""

    def __init__(self, service: RunningService, open_page: OpenPage, name: str) -> None:
        self.service, self.name, self.email = service, name, f"{name}@example.org"
        self.frames: list[str] = []  #: all that came by the websocket
        self.page: Page = open_page(service.url, path="/sign-in")
        self.page.on("websocket", lambda line: line.on("framereceived", lambda frame: self.frames.append(str(frame))))

    def sign_up(self) -> None:
        assert self.fetch("POST", "auth/register", {"email": self.email})[0] == 200
        letters = self.service.data_dir / "mail"
        eventually(lambda: any(self.email in file.read_text() for file in letters.glob("*.eml")), "the letter is there")
        [text] = [file.read_text() for file in letters.glob("*.eml") if f"To: {self.email}" in file.read_text()]
        [token] = re.findall(r"/reset\?new=1&token=(\S+)", text.replace("=\n", "").replace("=3D", "="))
        chosen = {"password": PASSWORD, "password_confirm": PASSWORD}
        assert self.fetch("POST", f"auth/reset/{token}", chosen)[0] == 200
        self.page.get_by_label("E-mail address").fill(self.email)
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("textbox", name="Prompt", exact=True)).to_be_visible()

    def fetch(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        """With the page's cookies, but past its console. Returns status and text."""
        context = self.page.context
        tokens = {cookie["name"]: cookie["value"] for cookie in context.cookies()}
        answer = context.request.fetch(
            f"{self.service.url}/api/v1/{path}",
            method=method,
            headers={"X-XSRF-TOKEN": tokens["XSRF-TOKEN"]} if "XSRF-TOKEN" in tokens else {},
            data=body,
        )
        return answer.status, answer.body().decode(errors="replace")

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait while the browser goes on telling what happens."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < end, f"never came to be: {what}"
            self.page.wait_for_timeout(50)

    def has_heard(self, *words: str) -> bool:
        """Whether one frame holds all of these."""
        return any(all(word in frame for word in words) for frame in self.frames)

    def order(self, **fields: object) -> str:
        status, text = self.fetch("POST", "jobs", {**ORDER, "prompt": f"a secret of {self.name}'s", **fields})
        assert status == 202, text
        return str(json.loads(text)["id"])

    def finished(self, job_id: str) -> str:
        """Id of the only picture."""
        status, text = self.fetch("GET", f"jobs/{job_id}?wait=60")
        assert status == 200
        assert json.loads(text)["state"] == "succeeded"
        return str(json.loads(text)["images"][0]["id"])


def test_neither_sees_anything_of_the_other(service: RunningService, open_page: OpenPage) -> None:
    people = [Person(service, open_page, name) for name in ("ada", "bob")]
    for person in people:
        person.sign_up()
        person.page.goto("/queue")
    # Each orders, and watches the own picture form while the other does the same.
    jobs = [person.order(steps=60) for person in people]
    for person, job_id in zip(people, jobs, strict=True):
        person.until(partial(person.has_heard, '"preview"', job_id), "a preview is shown")
    # Quick ones that end while the slow ones are still drawn.
    quick = [person.order(steps=1) for person in people]
    images = [person.finished(job_id) for person, job_id in zip(people, quick, strict=True)]
    for person, image in zip(people, images, strict=True):
        person.until(partial(person.has_heard, image), "the own picture is told of")

    for me, other, theirs in ((0, 1, people[1].name), (1, 0, people[0].name)):
        person = people[me]
        hidden = [jobs[other], quick[other], images[other], f"a secret of {theirs}'s", f"{theirs}@example.org"]
        for path in (f"jobs/{jobs[other]}", f"jobs/{quick[other]}", f"images/{images[other]}"):
            assert person.fetch("GET", path)[0] == 404
        for path in (f"images/{images[other]}/file", f"images/{images[other]}/thumbnail"):
            assert person.fetch("GET", path)[0] == 404
            assert person.fetch("GET", path.replace(images[other], images[me]))[0] == 200
        assert person.fetch("DELETE", f"images/{images[other]}")[0] == 404
        assert person.fetch("DELETE", f"jobs/{jobs[other]}")[0] == 404
        for path in ("jobs?include=shots,images", "images", "keys", "account/sessions", "me", "status"):
            status, text = person.fetch("GET", path)
            assert status == 200, path
            assert not [thing for thing in hidden if thing in text], path
        heard = "\n".join(person.frames)
        assert jobs[me] in heard
        assert not [thing for thing in hidden if thing in heard]
        for screen in ("/queue", "/gallery", "/"):
            person.page.goto(screen)
            expect(person.page.get_by_role("main")).to_be_visible()
            content = person.page.content()
            assert not [thing for thing in hidden if thing in content], screen
    for person, job_id in zip(people, jobs, strict=True):
        assert person.fetch("DELETE", f"jobs/{job_id}")[0] == 200
