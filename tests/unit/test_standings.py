"""Whether an agent is given work: by its administrator and by its own record."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.standings import (
    LAST_PAUSE_SECONDS,
    TROUBLES_BEFORE_PAUSE,
    Conduct,
    Standing,
    after_picture,
    after_sickness,
    after_trouble,
    decided,
    is_shut,
    pause_seconds,
    seats_granted,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def failing(conduct: Conduct, shots: int, now: datetime = NOW) -> Conduct:
    for number in range(shots):
        conduct = after_trouble(conduct, [f"shot {number}"], "It went wrong.", now)
    return conduct


def test_many_failures_of_one_shot_are_that_shots() -> None:
    conduct = Conduct()
    for _ in range(50):
        conduct = after_trouble(conduct, ["the same"], "It went wrong.", NOW)
    assert conduct.standing is Standing.WORKING


def test_failures_of_different_shots_pause_the_agent_with_a_reason() -> None:
    assert failing(Conduct(), TROUBLES_BEFORE_PAUSE - 1).standing is Standing.WORKING
    paused = failing(Conduct(), TROUBLES_BEFORE_PAUSE)
    assert paused.standing is Standing.PAUSED
    assert "It went wrong." in paused.reason
    assert is_shut(paused, NOW)
    assert paused.probe_at is not None
    assert seats_granted(paused, paused.probe_at, held=0, asked=8) == 1
    assert seats_granted(paused, paused.probe_at, held=1, asked=8) == 0, "one probe at a time"
    assert after_picture(paused) == Conduct()


def test_a_picture_in_between_clears_the_record() -> None:
    conduct = failing(Conduct(), TROUBLES_BEFORE_PAUSE - 1)
    assert failing(after_picture(conduct), TROUBLES_BEFORE_PAUSE - 1).standing is Standing.WORKING


def test_failures_of_what_was_running_beside_do_not_lengthen_the_pause() -> None:
    paused = failing(Conduct(), TROUBLES_BEFORE_PAUSE)
    assert failing(paused, 20) == paused


@given(st.integers(1, 30))
def test_each_failed_probe_makes_the_pause_longer_up_to_a_limit(probes: int) -> None:
    conduct, now, lengths = failing(Conduct(), TROUBLES_BEFORE_PAUSE), NOW, []
    for _ in range(probes):
        assert conduct.probe_at is not None
        lengths.append((conduct.probe_at - now).total_seconds())
        now = conduct.probe_at
        conduct = after_trouble(conduct, ["probe"], "It went wrong.", now)
    assert lengths == sorted(lengths)
    assert max(lengths) <= LAST_PAUSE_SECONDS
    assert conduct.since == NOW


def test_a_sick_device_is_tried_at_once_the_first_time_and_later_after_that() -> None:
    first = after_sickness(Conduct(), "The device is gone.", NOW)
    assert not is_shut(first, NOW)
    assert seats_granted(first, NOW, held=0, asked=8) == 1
    second = after_sickness(first, "The device is gone.", NOW)
    assert is_shut(second, NOW)
    assert second.probe_at == NOW + timedelta(seconds=pause_seconds(1))


@given(st.sampled_from([Standing.DRAINING, Standing.PAUSED]), st.integers(0, 9), st.integers(1, 9))
def test_what_the_administrator_decided_holds(standing: Standing, held: int, asked: int) -> None:
    conduct = decided(standing, "The fan is loud.", NOW)
    for after in (failing(conduct, 20), after_picture(conduct), after_sickness(conduct, "gone", NOW)):
        assert (after.standing, after.reason) == (standing, "The fan is loud.")
        assert seats_granted(after, NOW + timedelta(days=99), held=held, asked=asked) == 0
    assert decided(Standing.WORKING, "", NOW) == Conduct()
