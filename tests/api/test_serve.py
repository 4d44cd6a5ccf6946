"""``stablehand serve`` as people run it: start, draw, survive deaths, refuse company, end, start again."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import socketio

from stablehand.api import server
from tests.api.site import write_checkpoint
from tests.running import PATIENCE_SECONDS, RunningService, ServiceFactory, eventually

ORDER = {"prompt": "a red house", "checkpoint": "tiny", "width": 64, "height": 64}


@pytest.fixture
def service(make_service: ServiceFactory) -> RunningService:
    """One that may be ended."""
    made = make_service(COMPUTE__RUNTIME="null")
    write_checkpoint(made.data_dir / "models" / "checkpoints" / "tiny")
    made.start()
    return made


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STABLEHAND_")}
    return subprocess.run(
        [sys.executable, "-m", "stablehand", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def servers_of(service: RunningService) -> list[psutil.Process]:
    """The watching process and the one that serves, without agents."""
    service.agent_pid()  # has a look at them all
    alive = [psutil.Process(pid) for pid in service.seen if psutil.pid_exists(pid)]
    return sorted((process for process in alive if "agent" not in process.cmdline()), key=lambda process: process.pid)


def test_it_is_ready_and_draws(running: RunningService) -> None:
    ready = running.get("/readyz")
    assert ready["checks"].pop("courier") in ("leads", "stands by")
    assert ready["checks"] == {"store": "ok", "migrations": "ok", "agent": "ok"}
    assert "local" in ready["agents"]
    assert f"ready at {running.url}" in running.log
    done = running.finished(running.submit(**ORDER, count=3)["id"])
    assert done["state"] == "succeeded"
    assert len(done["images"]) == 3


def test_the_server_never_loads_torch(running: RunningService) -> None:
    running.finished(running.submit(**ORDER)["id"])
    for process in servers_of(running):
        assert not [entry.path for entry in process.memory_maps() if "torch" in entry.path]


HEAD = b"Host: 127.0.0.1\r\nContent-Type: application/json\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"GET /api/v1/jobs?cursor=" + b"A" * 9000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", 414, "address_too_long"),
        (b"GET / HTTP/1.1\r\n" + HEAD + b"X: " + b"a" * 20_000 + b"\r\n\r\n", 431, "headers_too_large"),
        (b"POST /api/v1/jobs HTTP/1.1\r\n" + HEAD + b"Content-Length: -5\r\n\r\n", 400, "bad_request"),
        (b"\x00\x01\r\n\r\n", 400, "bad_request"),
        (b"POST /api/v1/jobs HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n", 400, "bad_request"),
    ],
    ids=["a cursor without end", "headers without end", "less than no body", "no HTTP", "chunks without sense"],
)
def test_what_is_hardly_a_request_is_refused_like_any_other(
    running: RunningService, sent: bytes, status: int, code: str
) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as line:
        line.sendall(sent)
        answer = b"".join(iter(lambda: line.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status, answer
    error = json.loads(body)["error"]
    assert set(error) == {"code", "message", "hint", "fields"}
    assert error["code"] == code


def test_who_falls_silent_in_the_middle_is_given_up() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        server.give_up_on_silence(ours, 1)
        theirs.sendall(b"POST /api")
        assert ours.recv(100) == b"POST /api"
        ours.setblocking(True)  # as gunicorn does before it reads
        with pytest.raises(BlockingIOError):
            ours.recv(100)
        with pytest.raises(BlockingIOError):
            ours.sendall(bytes(10_000_000))  # nobody reads it


def test_a_dead_agent_is_replaced_and_its_work_done(running: RunningService) -> None:
    first = running.agent_pid()
    assert first is not None
    job = running.submit(**ORDER, steps=150, count=8)
    eventually(lambda: running.job(job["id"])["state"] == "running", "the job runs")
    os.kill(first, signal.SIGKILL)
    done = running.finished(job["id"])
    assert done["state"] == "succeeded"
    assert sorted(image["index"] for image in done["images"]) == list(range(8))
    assert running.agent_pid() not in (None, first)


def test_two_servers_on_one_directory_are_one_too_many(running: RunningService) -> None:
    second = run("serve", "--port", "0", "--data-dir", str(running.data_dir))
    assert second.returncode == 2
    assert f"process {servers_of(running)[0].pid}" in second.stderr
    assert "--data-dir" in second.stderr


def test_secrets_are_nobody_elses_to_read(running: RunningService) -> None:
    for name in ("secret_key", "agent.token"):
        assert stat.S_IMODE((running.data_dir / name).stat().st_mode) == 0o600
    token = (running.data_dir / "agent.token").read_text().strip()
    key = (running.data_dir / "secret_key").read_text().strip()
    database = b"".join(path.read_bytes() for path in running.data_dir.glob("stablehand.db*"))
    assert token.encode() not in database
    assert token not in running.log
    assert key not in running.log


def test_no_prompt_is_logged(running: RunningService) -> None:
    running.finished(running.submit(**{**ORDER, "prompt": "the unspeakable lighthouse"})["id"])
    running.get("/api/v1/images?search=unspeakable")
    eventually(lambda: "/api/v1/images" in running.log, "the request is logged")
    assert "unspeakable" not in running.log


def test_a_body_of_unstated_length_has_the_same_limit(running: RunningService) -> None:
    def pieces(count: int) -> Iterator[bytes]:
        yield b'{"prompt": "'
        for _ in range(count):
            yield b"x" * 1000
        yield b'"}'

    headers = {"Content-Type": "application/json"}
    assert running.http.post("/api/v1/jobs", content=pieces(1), headers=headers).status_code == 202
    too_long = running.http.post("/api/v1/jobs", content=pieces(11), headers=headers)
    assert (too_long.status_code, set(too_long.json()["error"]["fields"])) == (422, {"prompt"})
    too_large = running.http.post("/api/v1/jobs", content=pieces(1100), headers=headers)
    assert (too_large.status_code, too_large.json()["error"]["code"]) == (413, "too_large")


def test_a_crashed_worker_comes_back(service: RunningService) -> None:
    servers_of(service)[-1].kill()
    jobs = []

    def accepted() -> bool:
        try:
            jobs.append(service.submit(**ORDER))
        except Exception:
            return False
        return True

    eventually(accepted, "it takes orders again")
    assert service.finished(jobs[-1]["id"])["state"] == "succeeded"


def test_it_ends_in_good_order_whatever_goes_on(service: RunningService) -> None:
    """SIGTERM while pictures are drawn, somebody waits for them and a page listens: all end, nothing is lost."""
    key = (service.data_dir / "secret_key").read_text()
    token = (service.data_dir / "agent.token").read_text()
    first = service.finished(service.submit(**ORDER)["id"])["images"][0]
    address = f"/api/v1/images/{first['id']}/file"
    picture = service.http.get(address).content
    job = service.submit(**ORDER, steps=150, count=16)
    eventually(lambda: service.job(job["id"])["state"] == "running", "the job runs")
    page = socketio.Client(reconnection=False)
    page.connect(service.url, transports=["websocket"], wait_timeout=PATIENCE_SECONDS)
    with socket.create_connection(("127.0.0.1", service.port)) as waiting:
        waiting.sendall(f"GET /api/v1/jobs/{job['id']}?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        service.stop()
    page.disconnect()
    assert service.survivors() == []
    assert "Traceback" not in service.log

    service.start()
    assert service.finished(job["id"])["state"] == "succeeded"
    assert service.http.get(address).content == picture
    assert (service.data_dir / "secret_key").read_text() == key
    assert (service.data_dir / "agent.token").read_text() != token
    os.kill(servers_of(service)[0].pid, signal.SIGHUP)  # its terminal was closed
    eventually(lambda: not service.survivors(), "all have ended")
    assert "Traceback" not in service.log


def test_the_agent_ends_with_a_killed_server(service: RunningService) -> None:
    service.kill()
    eventually(lambda: not service.survivors(), "the agent has noticed")


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = run("serve", "--port", str(port), "--data-dir", str(tmp_path))
    assert refused.returncode == 2
    assert f"Port {port}" in refused.stderr
    assert "--port" in refused.stderr


def test_open_doors_without_locks_are_refused(tmp_path: Path) -> None:
    refused = run("serve", "--host", "0.0.0.0", "--port", "0", "--data-dir", str(tmp_path / "data"))
    assert refused.returncode == 2
    assert "without authentication" in refused.stderr
    assert not (tmp_path / "data").exists()
