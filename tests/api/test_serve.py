"""``stablehand serve`` as people run it: start, draw, survive deaths, refuse company, end, start again."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.api.site import write_checkpoint
from tests.running import RunningService, ServiceFactory, eventually

ORDER = {"prompt": "a red house", "checkpoint": "tiny", "width": 64, "height": 64}


@pytest.fixture
def service(make_service: ServiceFactory) -> RunningService:
    made = make_service(COMPUTE__RUNTIME="null")
    write_checkpoint(made.data_dir / "models" / "checkpoints" / "tiny")
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
    """The watching process and the one that serves, without the agent."""
    agent = service.agent_pid()
    return [psutil.Process(pid) for pid in service.seen if pid != agent and psutil.pid_exists(pid)]


def test_serve_draw_stop_and_serve_again(service: RunningService) -> None:
    service.start()
    ready = service.get("/readyz")
    assert ready["checks"] == {"store": "ok", "migrations": "ok", "agent": "ok"}
    assert list(ready["agents"]) == ["local"]
    assert f"ready at {service.url}" in service.log
    done = service.finished(service.submit(**ORDER, count=3)["id"])
    assert done["state"] == "succeeded"
    address = f"/api/v1/images/{done['images'][0]['id']}/file"
    picture = service.http.get(address).content
    service.stop()
    assert service.survivors() == []

    service.start()
    assert service.http.get(address).content == picture
    assert service.finished(service.submit(**ORDER)["id"])["state"] == "succeeded"


def test_the_server_never_loads_torch(service: RunningService) -> None:
    service.start()
    service.finished(service.submit(**ORDER)["id"])
    for process in servers_of(service):
        assert not [entry.path for entry in process.memory_maps() if "torch" in entry.path]


def test_a_dead_agent_is_replaced_and_its_work_done(service: RunningService) -> None:
    service.start()
    first = service.agent_pid()
    assert first is not None
    job = service.submit(**ORDER, steps=150, count=8)
    eventually(lambda: service.job(job["id"])["state"] == "running", "the job runs")
    os.kill(first, signal.SIGKILL)
    done = service.finished(job["id"])
    assert done["state"] == "succeeded"
    assert sorted(image["index"] for image in done["images"]) == list(range(8))
    assert service.agent_pid() not in (None, first)


def test_the_agent_ends_with_a_killed_server(service: RunningService) -> None:
    service.start()
    service.kill()
    eventually(lambda: not service.survivors(), "the agent has noticed")


def test_a_crashed_worker_comes_back(service: RunningService) -> None:
    service.start()
    servers_of(service)[-1].kill()
    job = None

    def accepted() -> bool:
        nonlocal job
        try:
            job = service.submit(**ORDER)
        except Exception:
            return False
        return True

    eventually(accepted, "it takes orders again")
    assert job is not None
    assert service.finished(job["id"])["state"] == "succeeded"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_good_order_in_the_middle_of_work(service: RunningService, number: signal.Signals) -> None:
    service.start()
    job = service.submit(**ORDER, steps=150, count=16)
    eventually(lambda: service.job(job["id"])["state"] == "running", "the job runs")
    os.kill(servers_of(service)[0].pid, number)
    eventually(lambda: not service.survivors(), "all have ended")
    assert "Traceback" not in service.log
    service.start()
    assert service.finished(job["id"])["state"] == "succeeded"


def test_two_servers_on_one_directory_are_one_too_many(service: RunningService) -> None:
    service.start()
    second = run("serve", "--port", "0", "--data-dir", str(service.data_dir))
    assert second.returncode == 2
    assert f"process {servers_of(service)[0].pid}" in second.stderr
    assert "--data-dir" in second.stderr


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = run("serve", "--port", str(port), "--data-dir", str(tmp_path))
    assert refused.returncode == 2
    assert f"Port {port}" in refused.stderr
    assert "--port" in refused.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_open_doors_without_locks_are_refused(tmp_path: Path, host: str) -> None:
    refused = run("serve", "--host", host, "--port", "0", "--data-dir", str(tmp_path / "data"))
    assert refused.returncode == 2
    assert "without authentication" in refused.stderr
    assert not (tmp_path / "data").exists()


def test_authentication_is_refused_rather_than_swallowed(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("api: {authentication: true}\n")
    refused = run("serve", "--config", str(tmp_path / "settings.yaml"), "--data-dir", str(tmp_path / "data"))
    assert refused.returncode == 2
    assert "api.authentication" in refused.stderr


def test_secrets_are_nobody_elses_to_read(service: RunningService) -> None:
    service.start()
    for name in ("secret_key", "agent.token"):
        assert stat.S_IMODE((service.data_dir / name).stat().st_mode) == 0o600
    token = (service.data_dir / "agent.token").read_text().strip()
    key = (service.data_dir / "secret_key").read_text().strip()
    database = b"".join(path.read_bytes() for path in service.data_dir.glob("stablehand.db*"))
    assert token.encode() not in database
    service.stop()
    assert token not in service.log
    assert key not in service.log
    service.start()
    assert (service.data_dir / "secret_key").read_text().strip() == key
    assert (service.data_dir / "agent.token").read_text().strip() != token


def test_no_prompt_is_logged(make_service: ServiceFactory) -> None:
    service = make_service(COMPUTE__RUNTIME="null", OBSERVABILITY__LOG_REQUESTS="true")
    write_checkpoint(service.data_dir / "models" / "checkpoints" / "tiny")
    service.start()
    service.finished(service.submit(**{**ORDER, "prompt": "the unspeakable lighthouse"})["id"])
    service.get("/api/v1/images?search=unspeakable")
    service.stop()
    assert "/api/v1/images" in service.log
    assert "unspeakable" not in service.log


def test_waiting_requests_do_not_keep_it_alive(service: RunningService) -> None:
    service.start(COMPUTE__SEATS=1)
    job = service.submit(**ORDER, steps=150, count=500)
    with socket.create_connection(("127.0.0.1", service.port)) as waiting:
        waiting.sendall(f"GET /api/v1/jobs/{job['id']}?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        time.sleep(0.2)
        service.stop()
    assert service.survivors() == []
