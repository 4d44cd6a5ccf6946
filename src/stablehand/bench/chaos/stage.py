"""The stage: orders come in, agents draw, and by a seeded plan somebody is killed, frozen or unplugged."""

import random
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from stablehand.bench.chaos.database import Database
from stablehand.bench.chaos.orders import Orders
from stablehand.bench.chaos.plan import KILLED, Deed, Plan
from stablehand.bench.chaos.recovery import Recoveries
from stablehand.bench.chaos.troupe import Part, Player, Troupe
from stablehand.bench.chaos.verdict import Verdict, delivered, held_by, judge, unfinished, untold
from stablehand.domain.errors import StablehandError
from stablehand.services.agents import hash_token, register_agent
from stablehand.settings import load
from stablehand.wiring import folders, serving

#: A frozen agent is let go so many lease lengths later: its leases are over then, and somebody else's.
FROZEN_LEASES = 1.6
#: what is said about the run while it goes on, and how often
NEWS_SECONDS = 10.0
#: an agent is killed in the middle of something, which is waited for so long
AIM_SECONDS = 2.0
#: how often pictures are counted, which costs the database the more the more there are
COUNT_SECONDS = 0.25


class ChaosStuck(StablehandError):
    """The run did not end: something that was accepted does not move any more."""

    code = "chaos_stuck"


class Stage:
    def __init__(self, plan: Plan, folder: Path, database: Database, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._folder = folder
        self._database = database
        self._say = say
        self._chance = random.Random(plan.seed)
        self._ahead = max(plan.seats * plan.agents, min(10 * plan.seats * plan.agents, plan.shots // 4))
        self._done: Counter[Deed] = Counter()
        self._killed: Counter[Part] = Counter()
        self._recoveries = Recoveries()
        self._threads: list[threading.Thread] = []
        self._urls: list[str] = []
        self._troupe = Troupe()
        self._engine = create_engine(
            database.url.replace("postgresql://", "postgresql+psycopg://"), pool_pre_ping=True, pool_size=4
        )

    def perform(self) -> tuple[Verdict, dict[str, Any]]:
        """From the first process to the last notice. Raises ChaosStuck."""
        plan = self._plan
        self._set_up()
        self._troupe.start()
        for url in self._urls:
            self._wait_until(lambda: _is_ready(url), f"{url} is not ready")  # noqa: B023
        deeds = plan.deeds()
        orders = Orders(self._urls, plan.shots, plan.seed, may_send=lambda: self._may_send(len(deeds)))
        orders.start()
        began = time.monotonic()
        try:
            self._do_all(deeds, orders)
        finally:
            orders.end()
        seconds = time.monotonic() - began
        for thread in self._threads:
            thread.join()
        self._wait_until(lambda: untold(self._engine) == 0, "notices are left in the outbox")
        agents = [player.log for player in self._troupe.players if player.part == "agent"]
        verdict = judge(self._engine, orders.accepted, self._folder / "objects", self._folder / "notices.jsonl", agents)
        return verdict, {
            "store": plan.store,
            "kills": self._done["kill"],
            "killed": dict(self._killed),
            "database_stops": self._done["stop database"],
            "freezes": self._done["freeze"],
            "orders_resent": orders.resent,
            "server_errors": orders.server_errors,
            "seconds": round(seconds, 1),
            "shots_per_second": round(verdict.shots / seconds, 1),
            "recovery": self._recoveries.summary(),
            "seed": plan.seed,
        }

    def end(self) -> None:
        """Take everybody off the stage."""
        self._troupe.end()
        self._engine.dispose()

    # Setting up

    def _set_up(self) -> None:
        plan, is_fleet = self._plan, self._plan.store == "postgresql"
        webs = plan.webs if is_fleet else 1
        for number in range(webs):
            port = _free_port()
            self._urls.append(f"http://127.0.0.1:{port}")
            # On SQLite one process does everything that a fleet has processes for.
            role = ("--role", "web") if is_fleet else ("--no-agent",)
            self._add(f"web-{number}", "web", "serve", "--port", str(port), *role)
        if is_fleet:
            self._add("courier", "courier", "serve", "--port", str(_free_port()), "--role", "courier")
        settings = load(
            data_dir=self._folder / "web-0", command_line={"storage": {"database_url": self._database_setting}}
        )
        folders.prepare_data_dir(settings)
        serving.migrate(settings)
        services = serving.open_services(settings)
        try:
            for number in range(plan.agents):
                name = f"agent-{number}"
                token = secrets.token_urlsafe(32)
                register_agent(services, name, "default", hash_token(token))
                token_file = self._folder / f"{name}.token"
                token_file.write_text(token, encoding="utf-8")
                server = self._urls[number % webs]
                self._add(name, "agent", "agent", "--server", server, "--token-file", str(token_file))
        finally:
            services.store.close()

    @property
    def _database_setting(self) -> str:
        return self._database.url if self._plan.store == "postgresql" else ""

    def _add(self, name: str, part: Part, *command: str) -> None:
        plan = self._plan
        settings = {
            "STORAGE__DATABASE_URL": self._database_setting,
            "STORAGE__OUTPUT_DIR": self._folder / "objects",
            "QUEUE__NOTICES_FILE": self._folder / "notices.jsonl",
            "QUEUE__LEASE_SECONDS": plan.lease_seconds,
            "QUEUE__MAX_SIZE": plan.shots + 1,
            "COMPUTE__RUNTIME": "null",
            "COMPUTE__NULL_SECONDS_PER_STEP": plan.seconds_per_step,
            "COMPUTE__SEATS": plan.seats,
            "OBSERVABILITY__LOG_FORMAT": "json",
            "OBSERVABILITY__LOG_LEVEL": "debug" if part == "agent" else "info",  # agents say what they deliver
        }
        self._troupe.players.append(
            Player(
                name,
                part,
                (*command, "--data-dir", str(self._folder / name)),
                {f"STABLEHAND_{key}": str(value) for key, value in settings.items()},
                self._folder / f"{name}.log",
            )
        )

    # The run

    def _do_all(self, deeds: list[Deed], orders: Orders) -> None:
        """Until every picture is there and every deed is done."""
        seen, moved, told = -1, time.monotonic(), time.monotonic()
        while True:
            count, waiting = self._look()
            now = time.monotonic()
            if count != seen:
                seen, moved = count, now
            done = self._done.total()
            if now - told > NEWS_SECONDS:
                told = now
                self._say(f"{count} of {self._plan.shots} pictures, {done} of {len(deeds)} deeds done")
            if done < min(len(deeds), int((count + 1) / self._plan.shots * (len(deeds) + 1))):
                self._do(deeds[done])
            elif orders.are_sent and not waiting and done == len(deeds):
                return
            if orders.error or now - moved > self._plan.patience_seconds:
                raise ChaosStuck(orders.error or f"{count} of {self._plan.shots} pictures, and nothing moves any more.")
            time.sleep(COUNT_SECONDS)

    def _may_send(self, deeds: int) -> int:
        """Pictures that may have been ordered: there is always work, and never so much that deeds come too late."""
        share = (self._done.total() + 1) / (deeds + 1)
        return int(share * self._plan.shots) + self._ahead

    def _look(self) -> tuple[int, int]:
        """Pictures delivered and shots unfinished; waits for the database to come back."""
        while True:
            try:
                self._recoveries.look(self._engine)
                return delivered(self._engine), unfinished(self._engine)
            except DBAPIError:
                time.sleep(0.1)

    def _do(self, deed: Deed) -> None:
        if deed == "stop database":
            self._unplug()
        elif deed == "freeze":
            self._freeze()
        else:
            self._kill()

    def _unplug(self) -> None:
        since = time.monotonic()
        before = self._look()[0]
        self._database.stop_and_start()
        self._done["stop database"] += 1
        # One that was in the air may count as the first picture after the fall; it has to be recorded just the same.
        self._in_background(lambda: self._note_when("database", since, lambda: self._look()[0] > before))

    def _freeze(self) -> None:
        agents = [player for player in self._troupe.players if player.part == "agent" and not player.frozen]
        player = self._chance.choice(agents)
        held = held_by(self._engine, player.name)
        if self._troupe.freeze(player):
            self._done["freeze"] += 1
            self._recoveries.wait_for("shots of a frozen agent", held)
            self._in_background(lambda: self._thaw_later(player))

    def _thaw_later(self, player: Player) -> None:
        time.sleep(self._plan.lease_seconds * FROZEN_LEASES)
        self._troupe.thaw(player)

    def _kill(self) -> None:
        parts = sorted({player.part for player in self._troupe.players})
        [part] = self._chance.choices(parts, [KILLED[part] for part in parts])
        players = [player for player in self._troupe.players if player.part == part]
        player, held = self._busiest(players) if part == "agent" else (self._chance.choice(players), {})
        worker_only = part != "agent" and self._chance.random() < 0.5
        if not self._troupe.kill(player, worker_only=worker_only):
            return
        self._done["kill"] += 1
        self._killed[part] += 1
        if part == "agent":
            self._recoveries.wait_for("shots of a killed agent", held)
        elif part == "web":
            webs = [one.name for one in self._troupe.players if one.part == "web"]
            url, since = self._urls[webs.index(player.name)], time.monotonic()
            self._in_background(lambda: self._note_when("web", since, lambda: _is_ready(url)))

    def _busiest(self, agents: list[Player]) -> tuple[Player, dict[str, int]]:
        """An agent that is in the middle of something, if one comes to be soon, and the shots that it holds."""
        end = time.monotonic() + AIM_SECONDS
        while True:
            holding = [(agent, held) for agent in agents if (held := held_by(self._engine, agent.name))]
            if holding:
                return self._chance.choice(holding)
            if time.monotonic() > end:
                return self._chance.choice(agents), {}
            self._ahead += 1  # there may be nothing left to do for anybody
            time.sleep(0.01)

    def _note_when(self, kind: str, since: float, holds: Callable[[], bool]) -> None:
        while not holds():
            if time.monotonic() - since > self._plan.patience_seconds:
                return  # the run gives up as well, and says so
            time.sleep(0.02)
        self._recoveries.note(kind, time.monotonic() - since)

    def _in_background(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self._threads = [*(one for one in self._threads if one.is_alive()), thread]

    def _wait_until(self, holds: Callable[[], bool], otherwise: str) -> None:
        end = time.monotonic() + self._plan.patience_seconds
        while not holds():
            if time.monotonic() > end:
                raise ChaosStuck(f"After {self._plan.patience_seconds:.0f} seconds: {otherwise}.")
            time.sleep(0.1)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
