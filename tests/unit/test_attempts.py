from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.attempts import (
    AGENTS_BEFORE_QUARANTINE,
    LAST_RETRY_SECONDS,
    after_error,
    after_loss,
    after_release,
    after_sickness,
    retry_seconds,
    runs_alone,
)
from stablehand.domain.jobs import ShotError, State

ERROR = ShotError("oops", "It went wrong.")
counts = st.integers(0, 10)


@given(counts, st.integers(0, 5))
def test_errors_are_followed_by_as_many_attempts_as_are_allowed(losses: int, retry_count: int) -> None:
    errors, state = 0, State.QUEUED
    attempts = 0
    while state is State.QUEUED:
        ending = after_error(
            final=False,
            error=ERROR,
            errors=errors,
            losses=losses,
            retry_count=retry_count,
            cancel_requested=False,
            chance=0.5,
        )
        errors, state = ending.errors, ending.state
        attempts += 1
        assert ending.losses == losses
    assert state is State.FAILED
    assert attempts == retry_count + 1


@given(counts)
def test_losses_never_fail_a_shot_before_it_was_lost_alone_twice(errors: int) -> None:
    losses, state, alone = 0, State.QUEUED, []
    while state is State.QUEUED:
        alone.append(runs_alone(losses))
        ending = after_loss(errors=errors, losses=losses, error=None, cancel_requested=False)
        losses, state = ending.losses, ending.state
        assert ending.errors == errors
    assert alone == [False, False, False, True, True]
    assert state is State.FAILED
    assert ending.error is not None
    assert ending.error.code == "quarantined"


@given(counts, counts, st.booleans())
def test_release_counts_nothing(errors: int, losses: int, cancel: bool) -> None:
    ending = after_release(errors=errors, losses=losses, error=ERROR, cancel_requested=cancel)
    assert (ending.errors, ending.losses, ending.error) == (errors, losses, ERROR)
    assert ending.state is (State.CANCELLED if cancel else State.QUEUED)


@given(counts, counts, st.booleans())
def test_a_cancelled_job_gets_no_further_attempts(errors: int, losses: int, final: bool) -> None:
    error = after_error(
        final=final, error=ERROR, errors=errors, losses=losses, retry_count=3, cancel_requested=True, chance=0.5
    )
    loss = after_loss(errors=errors, losses=losses, error=None, cancel_requested=True)
    assert error.state is loss.state is State.CANCELLED


def test_a_final_error_ends_at_once() -> None:
    ending = after_error(final=True, error=ERROR, errors=0, losses=0, retry_count=9, cancel_requested=False, chance=0.5)
    assert ending.state is State.FAILED


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_waits_grow_to_a_limit_and_jitter_takes_at_most_half(failures: int, chance: float) -> None:
    seconds = retry_seconds(failures, chance)
    assert 0 < seconds <= LAST_RETRY_SECONDS
    assert retry_seconds(failures, 0) <= seconds <= retry_seconds(failures, 1) == 2 * retry_seconds(failures, 0)
    assert retry_seconds(failures + 1, chance) >= seconds


@given(counts, counts, st.integers(1, 50), st.integers(1, 10), st.floats(0, 1))
def test_a_sick_device_counts_nothing_until_too_many_agents_are(
    errors: int, losses: int, sicknesses: int, agents: int, chance: float
) -> None:
    ending = after_sickness(
        error=ERROR,
        errors=errors,
        losses=losses,
        sicknesses=sicknesses,
        agents=agents,
        cancel_requested=False,
        chance=chance,
    )
    assert (ending.errors, ending.losses) == (errors, losses)
    assert (ending.state is State.FAILED) == (agents >= AGENTS_BEFORE_QUARANTINE)
    assert (ending.wait_seconds > 0) == (ending.state is State.QUEUED)
