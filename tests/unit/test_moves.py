"""An account's own order: who moves, who does not."""

from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.moves import Waiting, new_tags, rearranged

JOBS = ["a", "b", "c", "d"]
waitings = st.lists(st.sampled_from(JOBS), min_size=1, max_size=12).map(
    lambda jobs: [Waiting(f"{job}-{place}", job, float(place), place) for place, job in enumerate(jobs)]
)


@given(waitings, st.sampled_from(JOBS), st.sampled_from([*JOBS, None]), st.booleans(), st.randoms())
def test_the_tags_stay_the_same_ones_and_the_others_keep_their_order(
    waiting: list[Waiting], job: str, before: str | None, front: bool, chance: object
) -> None:
    chance.shuffle(waiting)  # type: ignore[attr-defined]
    order = rearranged(waiting, job, before=before, front=front)
    tags = {shot.shot_id: shot.tag for shot in waiting} | new_tags(waiting, order)
    assert sorted(tags.values()) == sorted(shot.tag for shot in waiting)
    assert sorted(tags, key=tags.__getitem__) == order
    job_of = {shot.shot_id: shot.job_id for shot in waiting}
    was = [shot.shot_id for shot in sorted(waiting, key=lambda shot: shot.tag)]
    for one in (True, False):
        assert [s for s in order if (job_of[s] == job) is one] == [s for s in was if (job_of[s] == job) is one]
    moved = [place for place, shot in enumerate(order) if job_of[shot] == job]
    if moved:
        assert moved == list(range(moved[0], moved[-1] + 1)), "it stays together"
        if before is None:
            assert (moved[0] == 0) if front else (moved[-1] == len(order) - 1)
        elif before != job and before in job_of.values():
            assert job_of[order[moved[-1] + 1]] == before


def test_moving_before_itself_or_to_where_it_is_changes_nothing() -> None:
    waiting = [Waiting("a-0", "a", 1.0, 0), Waiting("b-0", "b", 2.0, 0)]
    assert new_tags(waiting, rearranged(waiting, "a", front=True)) == {}
    assert new_tags(waiting, rearranged(waiting, "b")) == {}
    assert new_tags(waiting, rearranged(waiting, "b", before="a")) == {"a-0": 2.0, "b-0": 1.0}
