"""The judge of chaos, tried on databases in which things went wrong: a verdict that cannot be bad is worth nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from stablehand.bench.chaos.verdict import Verdict, judge, still_held

TABLES = (
    "CREATE TABLE jobs (id TEXT)",
    "CREATE TABLE shots (id TEXT, job_id TEXT, state TEXT, token INTEGER, losses INTEGER, errors INTEGER)",
    "CREATE TABLE images (shot_id TEXT, job_id TEXT, object_key TEXT)",
    "CREATE TABLE charges (shot_id TEXT, device_seconds FLOAT, held_seconds FLOAT)",
    "CREATE TABLE waste (shot_id TEXT, reason TEXT, device_seconds FLOAT, held_seconds FLOAT)",
)


DIFFERENCES = "ledger_differences"


class House:
    """Two jobs of two pictures, all as it should be. The second of each was lost once, and went on from a state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine: Engine = create_engine(f"sqlite:///{folder / 'db'}")
        self.notices: list[dict[str, object]] = []
        self.diary: list[list[object]] = [["a-1", 1, 7.0]]  # delivered to nobody: its writer was killed
        self.run(*TABLES)
        for job in ("a", "b"):
            self.run(f"INSERT INTO jobs VALUES ('{job}')")
            for shot, token in ((f"{job}-0", 1), (f"{job}-1", 2)):
                self.run(
                    f"INSERT INTO shots VALUES ('{shot}', '{job}', 'succeeded', {token}, 0, 0)",
                    f"INSERT INTO images VALUES ('{shot}', '{job}', '{shot}.jpeg')",
                    f"INSERT INTO charges VALUES ('{shot}', {0.1 * token}, 0.15)",
                )
                self.diary.append([shot, token, 0.1 * token])
                (folder / f"{shot}.jpeg").write_bytes(b"x")
            self.run(f"INSERT INTO waste VALUES ('{job}-1', 'loss', 0.3, 0.4)")
            self.notices.append({"id": f"n-{job}", "job_id": job, "kind": "job_finished"})

    def run(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def verdict(self) -> Verdict:
        notices = self.folder / "notices.jsonl"
        notices.write_text("".join(json.dumps(notice) + "\n" for notice in self.notices))
        log = self.folder / "agent.log"
        lines = [json.dumps({"event": "delivering", "pictures": [line]}) for line in self.diary]
        log.write_text("\n".join(["not JSON", *lines, '{"event": "delivering", "pict']))
        return judge(self.engine, {"a": 2, "b": 2}, self.folder, notices, [log])


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_all_as_it_should_be_is_clean(house: House) -> None:
    assert house.verdict().is_clean
    verdict = house.verdict()
    assert verdict.shots == 4
    assert verdict.ledger_seconds == verdict.delivered_seconds == pytest.approx(0.6)
    assert verdict.waste_seconds == 0.6


@pytest.mark.parametrize(
    ("wrong", "figure"),
    [
        (lambda house: house.run("UPDATE shots SET state = 'queued' WHERE id = 'a-0'"), "lost"),
        (lambda house: house.run("DELETE FROM shots WHERE id = 'a-0'"), "lost"),
        (lambda house: house.run("DELETE FROM images WHERE shot_id = 'a-0'"), "lost"),
        (lambda house: (house.folder / "b-1.jpeg").unlink(), "lost"),
        (lambda house: house.run("UPDATE shots SET state = 'failed' WHERE id = 'a-0'"), "dead_lettered"),
        (lambda house: house.run("INSERT INTO images VALUES ('a-0', 'a', 'a-1.jpeg')"), "double_results"),
        (lambda house: house.run("INSERT INTO charges VALUES ('a-0', 0.1, 0.1)"), "double_charges"),
        (lambda house: house.run("UPDATE charges SET device_seconds = 0.11 WHERE shot_id = 'a-0'"), DIFFERENCES),
        (lambda house: house.run("DELETE FROM charges WHERE shot_id = 'a-0'"), DIFFERENCES),
        (lambda house: house.diary.remove(["b-1", 2, 0.2]), DIFFERENCES),
        (lambda house: house.run("DELETE FROM waste WHERE shot_id = 'a-1'"), "unbooked_leases"),
        (lambda house: house.run("INSERT INTO waste VALUES ('a-0', 'loss', 0, 0)"), "unbooked_leases"),
        (lambda house: house.run("UPDATE waste SET device_seconds = 9 WHERE shot_id = 'a-1'"), "overbooked_shots"),
        (lambda house: house.run("INSERT INTO waste VALUES ('a-1', 'discarded', 9, 0)"), "overbooked_shots"),
        (lambda house: house.run("DELETE FROM charges WHERE shot_id = 'a-0'"), "missing_charges"),
        (lambda house: house.run("INSERT INTO jobs VALUES ('c')"), "double_jobs"),
        (lambda house: house.notices.append({**house.notices[0], "id": "another"}), "double_notices"),
        (lambda house: house.notices.pop(), "lost_notices"),
    ],
)
def test_whatever_went_wrong_is_found(house: House, wrong: Callable[[House], object], figure: str) -> None:
    wrong(house)
    assert not house.verdict().is_clean
    assert getattr(house.verdict(), figure) == 1


def test_a_notice_may_arrive_twice_under_its_one_id(house: House) -> None:
    house.notices.append(house.notices[0])
    assert house.verdict().is_clean
    assert house.verdict().resent == 1


def test_shots_are_held_until_somebody_begins_them_anew(house: House) -> None:
    house.run("UPDATE shots SET state = 'running' WHERE job_id = 'a'", "UPDATE shots SET token = 2 WHERE id = 'a-1'")
    assert still_held(house.engine, {"a-0": 1, "a-1": 1, "b-0": 1}) == {"a-0": 1}
