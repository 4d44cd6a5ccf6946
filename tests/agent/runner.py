"""An agent for the tests: the real loop around a null runtime that misbehaves as its arguments say.

Most tests run it on a thread; those of signals and parents run this file as a process.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence

from stablehand.agent.loop import run_agent
from stablehand.agent.settings import AgentSettings
from stablehand.domain.errors import CheckpointBroken, CheckpointUnreadable
from stablehand.ports import Broken, Drawn, Order, Parked, Runtime, RuntimeFactory
from stablehand.runtimes.null import NullRuntime


class SickRuntime(NullRuntime):
    """Its device falls off the bus with the first picture."""

    def tick(self) -> list[Drawn | Broken]:
        return [Broken(shot_id, "agent_sick", "device_lost", "The device is gone.") for shot_id in self.progress()]


class StatelessRuntime(NullRuntime):
    """Its states cannot be copied."""

    def park(self, shot_id: str) -> Parked | None:
        raise MemoryError(f"no room for the state of {shot_id}")


def build(options: Sequence[str]) -> tuple[AgentSettings, RuntimeFactory]:
    """What an agent is made of: ``SERVER TOKEN [--option …]``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("server")
    parser.add_argument("token")
    parser.add_argument("--seconds-per-step", type=float, default=0.001)
    parser.add_argument("--seats", type=int, default=8)
    parser.add_argument("--grace-seconds", type=float, default=5.0)
    parser.add_argument("--parent-pid", type=int)
    parser.add_argument("--start-seconds", type=float, default=0.0)
    parser.add_argument("--start-fails", action="store_true")
    parser.add_argument("--sick", action="store_true")
    parser.add_argument("--stateless", action="store_true")
    parser.add_argument("--load-seconds", type=float, default=0.0)
    parser.add_argument("--load", choices=["broken", "unreadable", "dies"], help="what becomes of it")
    parser.add_argument("--raises", choices=["once", "always", "memory", "checkpoint"])
    arguments = parser.parse_args(options)
    ticks = 0

    def on_start() -> None:
        time.sleep(arguments.start_seconds)
        if arguments.start_fails:
            raise RuntimeError("no such device")

    def on_load(_checkpoint_id: str) -> None:
        time.sleep(arguments.load_seconds)
        if arguments.load == "broken":
            raise CheckpointBroken("The weights are cut short.", hint="Fetch the file again.")
        if arguments.load == "unreadable":
            raise CheckpointUnreadable("The disk does not answer.")
        if arguments.load == "dies":
            os.kill(os.getpid(), signal.SIGKILL)

    def on_tick(_orders: Sequence[Order]) -> None:
        nonlocal ticks
        ticks += 1
        if arguments.raises == "always" or (arguments.raises == "once" and ticks == 1):
            raise RuntimeError("the driver fell over")
        if arguments.raises == "memory" and ticks == 1:
            raise MemoryError
        if arguments.raises == "checkpoint" and ticks == 1:
            raise CheckpointBroken("The weights are cut short.", hint="Fetch the file again.")

    def make_runtime() -> Runtime:
        kind = SickRuntime if arguments.sick else StatelessRuntime if arguments.stateless else NullRuntime
        return kind(
            seconds_per_step=arguments.seconds_per_step,
            seats=arguments.seats,
            on_start=on_start,
            on_load=on_load,
            on_tick=on_tick,
        )

    settings = AgentSettings(
        server=arguments.server,
        token=arguments.token,
        runtime="null",
        grace_seconds=arguments.grace_seconds,
        parent_pid=arguments.parent_pid,
        claim_wait_seconds=2.0,
        preview_interval_seconds=0.05,
    )
    return settings, make_runtime


if __name__ == "__main__":
    sys.exit(run_agent(*build(sys.argv[1:])))
