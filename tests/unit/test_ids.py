from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.ids import ENTROPY_BYTES, make_id

NOW = datetime(2026, 1, 1, tzinfo=UTC)
entropy = st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES)


@given(entropy, entropy, st.integers(1, 10**9))
def test_ids_sort_by_age_and_are_as_different_as_their_entropy(first: bytes, second: bytes, milliseconds: int) -> None:
    assert make_id(NOW, first) < make_id(NOW + timedelta(milliseconds=milliseconds), second)
    assert (make_id(NOW, first) == make_id(NOW, second)) == (first == second)
    assert len(make_id(NOW, first)) == 26
    assert make_id(NOW, first).isalnum()


def test_too_little_entropy_is_refused() -> None:
    with pytest.raises(ValueError, match="entropy"):
        make_id(NOW, b"x")
