from datetime import UTC, datetime, timedelta

from stablehand.domain.leases import STRAY_AFTER, is_renewal_due, is_stray

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_leases_are_written_each_quarter_of_their_length() -> None:
    until = NOW + timedelta(seconds=30)
    assert not is_renewal_due(until, NOW + timedelta(seconds=7), 30)
    assert is_renewal_due(until, NOW + timedelta(seconds=8), 30)


def test_a_lease_is_doubted_only_when_its_answer_cannot_be_on_its_way() -> None:
    assert not is_stray(NOW, NOW + STRAY_AFTER)
    assert is_stray(NOW, NOW + STRAY_AFTER + timedelta(microseconds=1))
