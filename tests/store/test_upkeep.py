"""The upkeep threads do their rounds, and a round that fails does not end them."""

import threading
from pathlib import Path

import pytest

from stablehand.services import Services
from stablehand.services import upkeep as rounds
from stablehand.services.catalogue import Scan, list_checkpoints, scan
from stablehand.services.purge import purge
from stablehand.services.rescan import rescan
from stablehand.services.upkeep import Upkeep
from tests.running import PATIENCE_SECONDS
from tests.store.house import House
from tests.store.test_catalogue import unet, write_weights


def test_leases_are_expired_files_found_and_hashed(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "EXPIRE_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(rounds, "SCAN_EVERY_SECONDS", 0.01)
    job = house.order()
    house.agent().claim_one()
    house.clock.turn(31)
    changed = threading.Event()
    failures = iter([OSError("the disk is gone"), None, None, None])

    def failing_once(services: object) -> int:
        if (error := next(failures, None)) is not None:
            raise error
        changed.set()
        return purge(house.services)

    monkeypatch.setattr(rounds, "purge", failing_once)
    monkeypatch.setattr(rounds, "PURGE_EVERY_SECONDS", 0.0)
    keeper = Upkeep(house.services, tmp_path / "models")
    keeper.start()
    try:
        write_weights(tmp_path / "models/checkpoints/dropped.safetensors", unet(768))
        tick = threading.Event()
        while not any(entry.name == "dropped" and entry.sha256 for entry in list_checkpoints(house.services)):
            tick.wait(0.01)
        while house.job(job.id).shots[0].state == "running":
            tick.wait(0.01)
        assert changed.wait(60)
    finally:
        keeper.stop()
    assert not any(thread.is_alive() for thread in keeper._threads)


def test_a_round_begins_when_it_is_asked_for(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "SCAN_EVERY_SECONDS", 3600.0)
    scans = threading.Semaphore(0)

    def counted(services: Services, folder: Path) -> Scan:
        try:
            return scan(services, folder)
        finally:
            scans.release()

    monkeypatch.setattr(rounds, "scan", counted)
    keeper = Upkeep(house.services, tmp_path / "models")
    keeper.start()
    try:
        assert scans.acquire(timeout=PATIENCE_SECONDS), "the first round"
        write_weights(tmp_path / "models/checkpoints/dropped.safetensors", unet(768))
        rescan(house.services)
        assert scans.acquire(timeout=PATIENCE_SECONDS)
        assert "dropped" in [entry.name for entry in list_checkpoints(house.services)]
    finally:
        keeper.stop()
    assert not any(thread.is_alive() for thread in keeper._threads), "nor does its end wait for a round"


def test_a_keeper_that_never_started_stops(house: House, tmp_path: Path) -> None:
    Upkeep(house.services, tmp_path).stop()
