"""What migrations do with data that is there already."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from sqlalchemy import text

from stablehand.store import Store
from stablehand.store.store import _migrations


def at_revision(path: Path, revision: str) -> Store:
    """A store whose database stands at an older revision."""
    store = Store(Store.url_of(path))
    config = _migrations()
    with store.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return store


def test_shots_that_failed_before_there_were_dead_letters_become_some(tmp_path: Path) -> None:
    store = at_revision(tmp_path / "old.db", "0001")
    with closing(sqlite3.connect(tmp_path / "old.db")) as database, database:  # this one minds no foreign keys
        for number, (shot_id, state) in enumerate((("bad", "failed"), ("good", "succeeded"))):
            error = json.dumps({"code": "oops", "message": "It went wrong.", "hint": ""})
            shot = {
                "id": shot_id,
                "job_id": "job",
                "account_id": "me",
                "checkpoint_id": "point",
                "pool": "default",
                "index": number,
                "seed": 1,
                "state": state,
                "tier_rank": 0,
                "tag": 0.0,
                "cost": 1.0,
                "attempt": 1,
                "errors": 1,
                "losses": 0,
                "token": 1,
                "confirmed": 0,
                "error": error,
                "finished_at": "2026-01-01 00:00:00.000000",
            }
            names = ", ".join(f'"{name}"' for name in shot)
            marks = ", ".join("?" for _ in shot)
            database.execute(f"INSERT INTO shots ({names}) VALUES ({marks})", list(shot.values()))
    store.migrate()
    with store.engine.connect() as connection:
        letters = connection.execute(text("SELECT shot_id, code, ended_at FROM dead_letters")).all()
    store.close()
    assert [tuple(letter) for letter in letters] == [("bad", "oops", "2026-01-01 00:00:00.000000")]
