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
    "CREATE TABLE charges (shot_id TEXT)",
)


class House:
    """Two jobs of two pictures, all as it should be."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine: Engine = create_engine(f"sqlite:///{folder / 'db'}")
        self.notices: list[dict[str, object]] = []
        self.run(*TABLES)
        for job in ("a", "b"):
            self.run(f"INSERT INTO jobs VALUES ('{job}')")
            for shot in (f"{job}-0", f"{job}-1"):
                self.run(
                    f"INSERT INTO shots VALUES ('{shot}', '{job}', 'succeeded', 1, 0, 0)",
                    f"INSERT INTO images VALUES ('{shot}', '{job}', '{shot}.jpeg')",
                    f"INSERT INTO charges VALUES ('{shot}')",
                )
                (folder / f"{shot}.jpeg").write_bytes(b"x")
            self.notices.append({"id": f"n-{job}", "job_id": job, "kind": "job_finished"})

    def run(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def verdict(self) -> Verdict:
        notices = self.folder / "notices.jsonl"
        notices.write_text("".join(json.dumps(notice) + "\n" for notice in self.notices))
        return judge(self.engine, {"a": 2, "b": 2}, self.folder, notices)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_all_as_it_should_be_is_clean(house: House) -> None:
    assert house.verdict().is_clean
    assert house.verdict().shots == 4


@pytest.mark.parametrize(
    ("wrong", "figure"),
    [
        (lambda house: house.run("UPDATE shots SET state = 'queued' WHERE id = 'a-0'"), "lost"),
        (lambda house: house.run("DELETE FROM shots WHERE id = 'a-0'"), "lost"),
        (lambda house: house.run("DELETE FROM images WHERE shot_id = 'a-0'"), "lost"),
        (lambda house: (house.folder / "b-1.jpeg").unlink(), "lost"),
        (lambda house: house.run("UPDATE shots SET state = 'failed' WHERE id = 'a-0'"), "dead_lettered"),
        (lambda house: house.run("INSERT INTO images VALUES ('a-0', 'a', 'a-1.jpeg')"), "double_results"),
        (lambda house: house.run("INSERT INTO charges VALUES ('a-0')"), "double_charges"),
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
