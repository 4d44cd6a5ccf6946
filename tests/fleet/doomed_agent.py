"""`stablehand agent` on a null runtime for which one checkpoint is fatal: the process dies in the middle of loading it.

    doomed_agent.py FOLDER CHECKPOINT_ID agent --server …

It dies while ``FOLDER/fatal`` is there when the loading begins, and not before the server has heard of the loading; it
waits as long as ``FOLDER/slow`` is there. The process and what it says are an agent's own.
"""

import os
import runpy
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from stablehand.agent.client import Client
from stablehand.protocol import Renew, Renewed
from stablehand.runtimes import null

folder, fatal_id = Path(sys.argv[1]), sys.argv[2]
told = threading.Event()
renew = Client.renew


def renew_and_note(self: Client, message: Renew) -> Renewed:
    renewed = renew(self, message)
    if message.loading == fatal_id:
        told.set()
    return renewed


def load(checkpoint_id: str) -> None:
    if checkpoint_id != fatal_id or not (folder / "fatal").exists():
        return
    told.wait()
    while (folder / "slow").exists():
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGKILL)


class DoomedRuntime(null.NullRuntime):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options, on_load=load)


Client.renew = renew_and_note  # type: ignore[method-assign]
null.NullRuntime = DoomedRuntime  # type: ignore[misc]
sys.argv = ["stablehand", *sys.argv[3:]]
runpy.run_module("stablehand", run_name="__main__")
