"""The child that `stablehand serve` keeps: the real command, started again when it dies, gone when it is told to."""

import io
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stablehand.agent.child import AgentChild, write_token
from stablehand.agent.exits import Exit
from tests.agent.desk import TOKEN, Desk


@pytest.fixture
def make_child(desk: Desk, tmp_path: Path) -> Iterator[Callable[..., AgentChild]]:
    """Children of the null runtime that restart quickly, all ended with the test."""
    made: list[AgentChild] = []
    token_file = tmp_path / "agent.token"
    write_token(token_file, TOKEN)

    def make(*, sink: io.StringIO | None = None, on_death: Callable[[int], None] = lambda _code: None) -> AgentChild:
        child = AgentChild(
            desk.url,
            token_file,
            arguments=("--runtime", "null", "--data-dir", str(tmp_path / "data")),
            on_death=on_death,
            sink=sink or io.StringIO(),
            first_restart_seconds=0.05,
            last_restart_seconds=0.2,
        )
        made.append(child)
        return child

    yield make
    for child in made:
        child.stop()
        assert child.pid is None


def test_a_killed_child_is_started_again_and_works_on(desk: Desk, make_child: Callable[..., AgentChild]) -> None:
    deaths: list[int] = []

    def note(code: int) -> None:
        deaths.append(code)
        desk.expire()

    child = make_child(on_death=note)
    child.start()
    (shot,) = desk.order(1, steps=100_000)
    desk.until(lambda: shot.state == "running")
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    desk.until(lambda: shot.token == 2)
    assert deaths == [-signal.SIGKILL]
    assert len({hello["incarnation"] for hello in desk.hellos}) == 2


def test_a_stopped_child_takes_leave_and_stays_away(desk: Desk, make_child: Callable[..., AgentChild]) -> None:
    deaths: list[int] = []
    child = make_child(on_death=deaths.append)
    child.start()
    desk.until(lambda: desk.calls["claim"] > 0)
    child.stop()
    assert child.pid is None
    assert desk.calls["release"] == 1
    assert deaths == [], "an end that was asked for is no death"


def test_its_words_pass_through_behind_a_prefix(desk: Desk, make_child: Callable[..., AgentChild]) -> None:
    sink = io.StringIO()
    make_child(sink=sink).start()
    desk.until(lambda: '"ready"' in sink.getvalue())
    assert all(line.startswith("agent | ") for line in sink.getvalue().splitlines())


def test_a_child_that_cannot_work_is_tried_again_ever_more_slowly(
    desk: Desk, make_child: Callable[..., AgentChild], tmp_path: Path
) -> None:
    codes: list[int] = []
    seen = threading.Event()

    def note(code: int) -> None:
        codes.append(code)
        if len(codes) == 2:
            seen.set()

    child = make_child(on_death=note)
    write_token(tmp_path / "agent.token", "nobody knows this one")
    child.start()
    assert seen.wait(60)
    assert set(codes) == {Exit.DISMISSED}


def test_waits_double_until_a_hello_and_a_runtime_that_never_starts_counts_as_none(
    make_child: Callable[..., AgentChild],
) -> None:
    child = make_child()
    assert [child._restart_after(1) for _ in range(4)] == [0.05, 0.1, 0.2, 0.2]
    child.said_hello()
    assert child._restart_after(1) == 0.05
    child.said_hello()
    assert child._restart_after(Exit.NO_RUNTIME) == 0.1


def test_only_its_owner_can_read_the_token(tmp_path: Path) -> None:
    path = tmp_path / "token"
    write_token(path, "first")
    write_token(path, "second")
    assert path.read_text() == "second\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "name", ["STABLEHAND_QUEUE__REDIS_URL", "stablehand_storage__secret_access_key", "AWS_SECRET_ACCESS_KEY"]
)
def test_a_child_is_told_no_secret_but_its_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "a-secret")
    monkeypatch.setenv("STABLEHAND_COMPUTE__SEATS", "3")
    child = AgentChild("http://127.0.0.1:1", tmp_path / "token")
    assert "a-secret" not in child._environment.values()
    assert child._environment["STABLEHAND_COMPUTE__SEATS"] == "3"
