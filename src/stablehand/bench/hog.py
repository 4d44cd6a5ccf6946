"""One account with thousands of queued shots against many light ones, through a real server and real null agents.

Light accounts order single pictures at random, each of its own checkpoint, first alone and then beside the hog. Waits
are those of the database's clock, from an order until its picture is delivered.
"""

import os
import random
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from stablehand.bench.chaos.troupe import Player, Troupe
from stablehand.bench.own_postgres import start_postgres
from stablehand.domain.accounts import Account
from stablehand.domain.errors import BadSettings
from stablehand.domain.orders import JobOrder
from stablehand.services import Services
from stablehand.services.agents import hash_token, register_agent
from stablehand.services.submit import submit
from stablehand.settings import load
from stablehand.store.models import AccountRow, ImageRow, JobRow
from stablehand.wiring import folders, serving

POSTCARD = Path(__file__).parents[1] / "builtin" / "checkpoints" / "postcard"

#: A picture takes STEPS × SECONDS_PER_STEP in whatever company.
STEPS, SECONDS_PER_STEP = 20, 0.05
AGENTS, SEATS = 4, 4
#: pictures of one of the hog's jobs
HOG_COUNT = 1000
#: of what the agents can draw, ordered by the light accounts together
LIGHT_SHARE = 0.35
PREMIUM_EVERY_SECONDS = 2.0
#: how long the last pictures of a phase may take
PATIENCE_SECONDS = 120.0


def run(*, lights: int, hog_shots: int, seconds: float, seed: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Both phases, each of ``seconds``. Raises BadSettings when there is no PostgreSQL, or nobody draws."""
    with _theatre(lights) as (services, accounts):
        chance = random.Random(seed)
        say("light accounts alone")
        alone = _phase(services, accounts, chance, seconds)
        say(f"an order of {hog_shots} pictures, and the light accounts beside it")
        for _ in range(hog_shots // HOG_COUNT):
            submit(services, accounts["hog"], _order("hog", HOG_COUNT))
        beside = _phase(services, accounts, chance, seconds)
        queued, _ = services.store.queue_counts()
    light, premium = (_p95(beside, name) for name in ("light", "premium"))
    return {
        "light_accounts": lights,
        "hog_shots": hog_shots,
        "hog_queued_at_the_end": queued,
        "agents": AGENTS,
        "seats": SEATS,
        "picture_seconds": STEPS * SECONDS_PER_STEP,
        "light_pictures": len(beside["light"]),
        "light_alone_p50_s": _quantile(alone["light"], 0.5),
        "light_alone_p95_s": _p95(alone, "light"),
        "light_p50_s": _quantile(beside["light"], 0.5),
        "light_p95_s": light,
        "light_ratio": round(light / _p95(alone, "light"), 2),
        "premium_alone_p95_s": _p95(alone, "premium"),
        "premium_p95_s": premium,
        "load_average": os.getloadavg()[0],
        "seed": seed,
    }


@contextmanager
def _theatre(lights: int) -> Iterator[tuple[Services, dict[str, Account]]]:
    """A server and its agents, and services over the same database whose orders they hear of."""
    folder = Path(tempfile.mkdtemp(prefix="hog-"))
    server = start_postgres(folder / "pg", otherwise="install the extra that brings one")
    troupe = Troupe()
    try:
        names = ["hog", *(f"light-{number:02}" for number in range(lights))]
        _checkpoints(folder / "models", names)
        environment = {
            "STABLEHAND_STORAGE__DATABASE_URL": str(server.get_uri()),
            "STABLEHAND_STORAGE__OUTPUT_DIR": str(folder / "objects"),
            "STABLEHAND_MODELS__LOCATION": str(folder / "models"),
            "STABLEHAND_COMPUTE__RUNTIME": "null",
            "STABLEHAND_COMPUTE__NULL_SECONDS_PER_STEP": str(SECONDS_PER_STEP),
            "STABLEHAND_COMPUTE__SEATS": str(SEATS),
        }
        storage = {"database_url": str(server.get_uri()), "output_dir": str(folder / "objects")}
        settings = load(
            data_dir=folder / "web",
            command_line={"storage": storage, "models": {"location": str(folder / "models")}},
        )
        folders.prepare_data_dir(settings)
        serving.migrate(settings)
        services = serving.open_services(settings)
        services.doorbell.start()
        port = _free_port()
        url = f"http://127.0.0.1:{port}"
        commands: dict[str, tuple[str, ...]] = {"web": ("serve", "--port", str(port), "--no-agent")}
        for number in range(AGENTS):
            token, token_file = secrets.token_urlsafe(32), folder / f"agent-{number}.token"
            register_agent(services, f"agent-{number}", "default", hash_token(token))
            token_file.write_text(token, encoding="utf-8")
            commands[f"agent-{number}"] = ("agent", "--server", url, "--token-file", str(token_file))
        for name, command in commands.items():
            whole = (*command, "--data-dir", str(folder / name))
            part = "web" if name == "web" else "agent"
            troupe.players.append(Player(name, part, whole, environment, folder / f"{name}.log"))  # type: ignore[arg-type]
        troupe.start()
        _wait(lambda: _is_ready(url, services), "The server, or its agents, did not become ready.")
        yield services, _accounts(services, names)
        services.doorbell.close()
        services.store.close()
    finally:
        troupe.end()
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _checkpoints(models: Path, names: list[str]) -> None:
    """As many as there are accounts, all with one file's content."""
    first = models / "checkpoints" / names[0]
    shutil.copytree(POSTCARD, first)
    for name in names[1:]:
        shutil.copytree(first, models / "checkpoints" / name, copy_function=os.link)


def _accounts(services: Services, names: list[str]) -> dict[str, Account]:
    tiers = {**dict.fromkeys(names, "normal"), "premium": "premium"}
    with services.store.writing() as tx:
        for name, tier in tiers.items():
            tx.session.add(AccountRow(id=name, name=name, role="user", tier=tier, created_at=tx.now))
    return {name: services.store.account(name) for name in tiers}


def _phase(services: Services, accounts: dict[str, Account], chance: random.Random, seconds: float) -> dict[str, Any]:
    """Order for so long; returns the waits of the light accounts and of the premium one."""
    lights = [name for name in accounts if name.startswith("light")]
    rate = LIGHT_SHARE * AGENTS * SEATS / (STEPS * SECONDS_PER_STEP)
    jobs: dict[str, str] = {}
    began = time.monotonic()
    next_light, next_premium = chance.expovariate(rate), PREMIUM_EVERY_SECONDS
    while (due := min(next_light, next_premium)) < seconds:
        time.sleep(max(0.0, began + due - time.monotonic()))
        if due == next_premium:
            job = submit(services, accounts["premium"], _order(chance.choice(lights)))
            jobs[job.id] = "premium"
            next_premium += PREMIUM_EVERY_SECONDS
        else:
            name = chance.choice(lights)
            jobs[submit(services, accounts[name], _order(name)).id] = "light"
            next_light += chance.expovariate(rate)
    waits: dict[str, dict[str, float]] = {"light": {}, "premium": {}}

    def are_done() -> bool:
        with services.store.reading() as tx:
            rows = tx.session.execute(
                select(JobRow.id, JobRow.created_at, ImageRow.created_at)
                .join(ImageRow, ImageRow.job_id == JobRow.id)
                .where(JobRow.id.in_(jobs))
            ).tuples()
            for job_id, ordered_at, done_at in rows:
                waits[jobs[job_id]][job_id] = (done_at - ordered_at).total_seconds()
        return sum(map(len, waits.values())) == len(jobs)

    _wait(are_done, "Some pictures were not drawn.")
    return {name: list(each.values()) for name, each in waits.items()}


def _order(checkpoint: str, count: int = 1) -> JobOrder:
    return JobOrder(prompt="a red house", checkpoint=checkpoint, steps=STEPS, width=64, height=64, count=count)


def _is_ready(url: str, services: Services) -> bool:
    try:
        if httpx.get(f"{url}/readyz", trust_env=False).status_code != 200:
            return False
    except httpx.HTTPError:
        return False
    return sum(agent.state == "ready" for agent in services.store.list_agents()) == AGENTS


def _wait(holds: Callable[[], bool], otherwise: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > end:
            raise BadSettings(otherwise, hint="Is the machine busy? Try again when it is not.")
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _quantile(waits: list[float], share: float) -> float:
    ordered = sorted(waits)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3) if ordered else 0.0


def _p95(phase: dict[str, Any], name: str) -> float:
    return _quantile(phase[name], 0.95)
