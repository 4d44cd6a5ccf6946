"""The thread budget: so many and no more, so many each, and every place is given back."""

from contextlib import ExitStack

import pytest

from stablehand.api.budget import Budget
from stablehand.domain.errors import Busy


def test_places_run_out_and_come_back() -> None:
    budget = Budget("waits", limit=3)
    with ExitStack() as held:
        for _ in range(3):
            held.enter_context(budget.hold("ann"))
        assert budget.held == 3
        with pytest.raises(Busy) as refused, budget.hold("bob"):
            pass
        assert refused.value.retry_after_seconds > 0
    assert budget.held == 0
    with budget.hold("bob"):
        assert budget.held == 1


def test_nobody_takes_them_all() -> None:
    budget = Budget("waits", limit=10, limit_each=2)
    with budget.hold("ann"), budget.hold("ann"):
        with pytest.raises(Busy), budget.hold("ann"):
            pass
        with budget.hold("bob"):
            assert budget.held == 3


def test_a_failure_gives_its_place_back() -> None:
    budget = Budget("waits", limit=1)
    with pytest.raises(ZeroDivisionError), budget.hold():
        _ = 1 / 0
    assert budget.held == 0
