"""When a notice is tried again: soon at first, rarely later, and at last not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.notices import JITTER, PAUSES_SECONDS, pause_seconds


@given(st.integers(1, len(PAUSES_SECONDS)), st.floats(0, 1))
def test_each_pause_is_the_tables_give_or_take_the_jitter(failures: int, jitter: float) -> None:
    pause = pause_seconds(failures, jitter)
    assert pause is not None
    table = PAUSES_SECONDS[failures - 1]
    assert table * (1 - JITTER) <= pause <= table * (1 + JITTER)


def test_pauses_never_shrink_and_last_days() -> None:
    assert list(PAUSES_SECONDS) == sorted(PAUSES_SECONDS)
    assert 3 * 86_400 < sum(PAUSES_SECONDS) < 6 * 86_400
    assert pause_seconds(1, 0.5) == 5


@pytest.mark.parametrize("failures", [len(PAUSES_SECONDS) + 1, 1000])
def test_then_it_is_given_up(failures: int) -> None:
    assert pause_seconds(failures, 0.5) is None
