"""Tiers follow the settings file while a server runs; what is wrong with it changes nothing."""

from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from stablehand import settings
from stablehand.domain.prices import Prices
from stablehand.domain.tiers import Tiers
from stablehand.wiring.reloading import SettingsWatch


class Server:
    """What a server does with its settings file."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / settings.FILE_NAME
        read = partial(settings.load, data_dir=folder)
        self.in_force: list[Tiers] = []
        self.prices: list[Prices] = []
        self.watch = SettingsWatch(read(), read, self.file, self._apply)

    def _apply(self, tiers: Tiers, prices: Prices) -> None:
        self.in_force.append(tiers)
        self.prices.append(prices)

    def write(self, text: str) -> None:
        """As editors do: a new file takes the place of the old one."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.file)

    def look_twice(self) -> list[str]:
        """Looks until a change has settled; returns what the log said."""
        with capture_logs() as said:
            self.watch.look()
            self.watch.look()
        return [entry["event"] + " " + str(entry.get("reason", entry.get("settings", ""))) for entry in said]


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_a_changed_file_is_put_in_force_and_an_unchanged_one_is_not(server: Server) -> None:
    assert server.look_twice() == []
    server.write("tiers: {normal: {weight: 2, pictures_a_day: 50}}\nqueue: {max_size: 7}\n")
    server.look_twice()
    [tiers] = server.in_force
    assert tiers.get("normal").weight == 2
    assert (tiers.plain.quotas.pictures_a_day, tiers.best.quotas.queued) == (50, 7)
    server.write("# only a word more\ntiers: {normal: {weight: 2, pictures_a_day: 50}}\nqueue: {max_size: 7}\n")
    assert server.look_twice() == []
    server.write("queue: {max_running: 3}\n")
    server.look_twice()
    assert [tier.quotas.running for tier in server.in_force[-1]] == [3, 3]


def test_other_prices_are_put_in_force(server: Server) -> None:
    server.write("costs: {currency: MAD, device_hour: 5.26}\n")
    server.look_twice()
    assert [str(prices.hour_in("default")) for prices in server.prices] == ["5.26"]
    assert server.look_twice() == []
    server.write("costs: {currency: MAD, device_hour: 6}\n")
    server.look_twice()
    assert [str(prices.hour_in("default")) for prices in server.prices] == ["5.26", "6"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tiers: {normal: {weight: 0}}", "tiers.normal.weight"),
        ("tiers: {normal: {rank: 0}}", "same rank"),
        ("tiers: {gold: {weight: 3}}", "tiers.gold.rank"),
        ("tiers: [", "not valid YAML"),
        ("qeue: {max_size: 3}", "qeue"),
    ],
)
def test_a_bad_file_is_refused_and_a_mended_one_is_taken(server: Server, text: str, words: str) -> None:
    server.write(text)
    [said] = server.look_twice()
    assert "refused" in said
    assert words in said
    assert server.look_twice() == [], "it is said once"
    assert server.in_force == []
    server.write("tiers: {normal: {weight: 3}}")
    server.look_twice()
    assert [tiers.plain.weight for tiers in server.in_force] == [3]


def test_a_file_that_is_being_written_is_not_read_yet(server: Server) -> None:
    server.write("tiers: {normal: {weight: 3}}")
    assert not server.watch.look()
    server.write("tiers: {normal: {weight: 4}}\n\n")
    assert not server.watch.look()
    assert server.watch.look()
    assert [tiers.plain.weight for tiers in server.in_force] == [4]


def test_a_file_that_is_gone_changes_nothing(server: Server) -> None:
    server.write("tiers: {normal: {weight: 3}}")
    server.look_twice()
    server.file.unlink()
    [said] = server.look_twice()
    assert "gone" in said
    assert len(server.in_force) == 1


def test_what_wants_a_restart_is_named(server: Server) -> None:
    server.write("tiers: {normal: {weight: 3}}\napi: {port: 1}\nstorage: {quality: 3}\n")
    said = server.look_twice()
    assert "['api.port', 'storage.quality']" in said[0]
    assert len(server.in_force) == 1
