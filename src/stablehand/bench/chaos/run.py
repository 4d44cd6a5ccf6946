"""One run of chaos from curtain to verdict."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stablehand.bench.chaos.database import Database, OwnPostgres, SqliteFile
from stablehand.bench.chaos.plan import Plan
from stablehand.bench.chaos.stage import Stage


def run(plan: Plan, *, say: Callable[[str], None] = lambda _line: None) -> dict[str, Any]:
    """Do what the plan says and count; the figures of a Verdict, with what was done and how long things took.

    The folder with all logs is kept unless the verdict is clean; ``say`` is told where it is.

    Raises:
        ChaosStuck: nothing has moved for the plan's ``patience_seconds``.
    """
    folder = Path(tempfile.mkdtemp(prefix="stablehand-chaos-"))
    database: Database = OwnPostgres() if plan.store == "postgresql" else SqliteFile(folder / "web-0")
    stage = Stage(plan, folder, database, say)
    is_clean = False
    try:
        verdict, figures = stage.perform()
        is_clean = verdict.is_clean
        return {**asdict(verdict), **figures, "clean": is_clean}
    finally:
        stage.end()
        database.end()
        if is_clean:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            say(f"The logs are kept in {folder}")
