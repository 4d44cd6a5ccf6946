"""Real agents die in the middle of loading a checkpoint: its lane is closed for a while, all others go on."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select

from stablehand.domain.jobs import State
from stablehand.services.agents import list_agents
from stablehand.services.expire import expire_agent
from stablehand.store.models import AttemptRow, ShotRow
from tests.api.site import write_checkpoint
from tests.fleet.fleet import ORDER, Fleet
from tests.running import PATIENCE_SECONDS, eventually

FATAL = {**ORDER, "checkpoint": "fatal"}
DOOMED = str(Path(__file__).with_name("doomed_agent.py"))


def test_its_lane_waits_and_all_others_go_on(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(None)
    write_checkpoint(fleet.folder / "models" / "checkpoints" / "fatal")
    web = fleet.start("web")
    [fatal_id] = [item["id"] for item in web.get("/api/v1/checkpoints")["items"] if item["name"] == "fatal"]
    doomed = [DOOMED, str(fleet.folder), fatal_id]
    (fleet.folder / "fatal").touch()

    job_id = web.submit(**FATAL, count=2)["id"]
    first = fleet.start_agent(web.url, "first", program=doomed)
    _dies(fleet, first, "first")
    [lane] = web.get("/api/v1/status")["lanes"]
    assert (lane["state"], lane["error"]["code"], lane["barred"]) == ("open", "crashed_while_loading", ["first"])
    job = web.job(job_id)
    assert job["state"] == State.QUEUED
    assert "did not load and is tried again by itself" in job["queue"]["reason"]

    # The next one to try it has it on its hands for a long time.
    (fleet.folder / "slow").touch()
    second = fleet.start_agent(web.url, "second", program=doomed)
    eventually(lambda: web.get("/api/v1/status")["queue"]["running"] == 1, "one picture is tried")
    # Meanwhile the first one, started again, draws what everybody else orders.
    first = fleet.start_agent(web.url, "first", program=doomed)
    others = [web.submit(**ORDER, count=3)["id"] for _ in range(2)]
    assert [web.finished(other)["state"] for other in others] == [State.SUCCEEDED] * 2
    [lane] = web.get("/api/v1/status")["lanes"]
    assert (lane["state"], lane["failures"]) == ("open", 1)
    assert web.job(job_id)["counts"]["succeeded"] == 0
    (fleet.folder / "slow").unlink()
    _dies(fleet, second, "second")

    # Whatever it was has passed.
    (fleet.folder / "fatal").unlink()
    assert web.finished(job_id)["state"] == State.SUCCEEDED
    assert [lane["state"] for lane in web.get("/api/v1/status")["lanes"]] == ["closed"], "served again"
    assert first.poll() is None, "it did not die again"
    services = fleet.services()
    with services.store.reading() as tx:
        counted = tx.session.execute(select(ShotRow.errors, ShotRow.losses)).tuples().all()
        codes = set(tx.session.scalars(select(AttemptRow.code)))
    services.store.close()
    assert counted == [(0, 0)] * 8, "nothing is held against any picture"
    assert codes == {"crashed_while_loading"}
    assert "Traceback" not in web.log
    web.stop()


def _dies(fleet: Fleet, agent: subprocess.Popen[bytes], name: str) -> None:
    """Wait for its end; it is noticed at once, as `serve` does with its own child, not when its leases are over."""
    assert agent.wait(PATIENCE_SECONDS) == -signal.SIGKILL
    services = fleet.services()
    [agent_id] = [agent.id for agent in list_agents(services) if agent.name == name]
    expire_agent(services, agent_id)
    services.store.close()
