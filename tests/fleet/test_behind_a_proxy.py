"""Two web processes behind one address, with no stickiness: pages need none, because they use websockets only."""

import contextlib
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from stablehand.domain.jobs import State
from tests.fleet.fleet import ORDER, Browser, Fleet, is_ready_agent
from tests.fleet.redis_server import RedisServer
from tests.proxy import Proxy
from tests.running import eventually, free_port

HOWTO = Path(__file__).parents[2] / "docs" / "howto" / "several-processes.md"


class Front:
    """What stands before two servers: Nginx with the guide's configuration, or, where there is none, a plain proxy
    that deals connections out in turn, which knows just as little of who came before.
    """

    def __init__(self, folder: Path, ends: contextlib.ExitStack) -> None:
        self._folder = folder
        self._ends = ends

    def open(self, port: int, first: int, second: int) -> None:
        program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        if program is None:
            proxy = Proxy(("127.0.0.1", first), ("127.0.0.1", second), port=port)
            self._ends.callback(proxy.close)
            return
        [blocks] = re.findall(r"```nginx\n(.*?)```", HOWTO.read_text(), re.DOTALL)
        changes = (("7868", str(first)), ("7869", str(second)), ("listen 80", f"listen 127.0.0.1:{port}"))
        for told, real in changes:
            assert told in blocks
            blocks = blocks.replace(told, real)
        folder = self._folder
        places = "".join(
            f"{kind}_temp_path {folder}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n"
            f"events {{}}\nhttp {{ access_log off; {places}\n{blocks}\n}}\n"
        )
        nginx = subprocess.Popen([program, "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")])
        self._ends.callback(nginx.wait)
        self._ends.callback(nginx.kill)


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    with contextlib.ExitStack() as ends:
        yield Front(tmp_path, ends)


def test_two_processes_behind_one_address_need_no_stickiness(
    front: Front, make_fleet: Callable[..., Fleet], redis_server: RedisServer
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    fleet = make_fleet(redis_server.url, API__PUBLIC_URL=url, API__TRUSTED_PROXIES=1)
    first, second = fleet.start_all("web", "web")
    front.open(port, first.port, second.port)
    eventually(lambda: _answers(url), "it answers")
    fleet.start_agent(url)
    is_ready_agent(first)
    pages = [Browser(url) for _ in range(4)]
    with httpx.Client(base_url=url) as client:
        job_id = client.post("/api/v1/jobs", json=ORDER, headers={"Origin": url}).json()["id"]
        for page in pages:
            page.until("job", lambda body: body["id"] == job_id and body["state"] == State.SUCCEEDED)
    held = [_sockets(process.http) for process in (first, second)]
    assert sum(held) == 4
    for page in pages:
        page.close()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _sockets(client: httpx.Client) -> int:
    found = re.search(r'stablehand_held_threads\{kind="sockets"\} (\d+)', client.get("/metrics").text)
    assert found is not None
    return int(found[1])
