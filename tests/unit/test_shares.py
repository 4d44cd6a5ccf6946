import heapq

from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.shares import GivenBack, Waiting, retag, tag_shots

costs = st.floats(0.1, 50)
weights = st.sampled_from([1.0, 2.0, 4.0])


@given(st.lists(costs, min_size=1), st.floats(0, 1000), st.floats(0, 1000), weights)
def test_a_job_starts_at_its_clock_or_now_and_each_shot_where_the_last_one_ends(
    shots: list[float], now: float, finish: float, weight: float
) -> None:
    tagged = tag_shots(shots, virtual_time=now, finish=finish, weight=weight)
    assert tagged.tags[0] == max(now, finish)
    ends = [tag + cost / weight for tag, cost in zip(tagged.tags, shots, strict=True)]
    assert list(tagged.tags[1:]) == ends[:-1]
    assert tagged.finish == ends[-1]


#: accounts as (weight, costs of its shots, submitted before which claim)
accounts = st.lists(
    st.tuples(weights, st.lists(costs, min_size=1, max_size=12), st.integers(0, 20)), min_size=2, max_size=5
)


@given(accounts)
def test_accounts_that_both_wait_get_work_by_their_weights(
    described: list[tuple[float, list[float], int]],
) -> None:
    """|W_i / w_i − W_j / w_j| ≤ c_max,i / w_i + c_max,j / w_j while i and j both have shots queued."""
    queue: list[tuple[float, int, float]] = []
    left = [0] * len(described)
    virtual_time = 0.0
    claims: list[tuple[int, float]] = []  # (account, cost)
    queued_after: list[list[bool]] = []
    turn = 0
    while queue or turn <= max(entry[2] for entry in described):
        for index, (weight, shots, before) in enumerate(described):
            if before == turn:
                tagged = tag_shots(shots, virtual_time=virtual_time, finish=0.0, weight=weight)
                for tag, cost in zip(tagged.tags, shots, strict=True):
                    heapq.heappush(queue, (tag, index, cost))
                left[index] = len(shots)
        turn += 1
        if not queue:
            continue
        tag, index, cost = heapq.heappop(queue)
        virtual_time = max(virtual_time, tag)
        claims.append((index, cost))
        left[index] -= 1
        queued_after.append([count > 0 for count in left])
    for i in range(len(described)):
        for j in range(i):
            bound = sum(max(described[k][1]) / described[k][0] for k in (i, j))
            difference = least = most = 0.0
            for (index, cost), queued in zip(claims, queued_after, strict=True):
                if not (queued[i] and queued[j]):
                    difference = least = most = 0.0
                    continue
                if index in {i, j}:
                    difference += (1 if index == i else -1) * cost / described[index][0]
                least, most = min(least, difference), max(most, difference)
                assert most - least <= bound * (1 + 1e-9)


queues = st.lists(st.tuples(costs, st.booleans(), st.floats(0, 30)), min_size=1, max_size=12)


@given(queues, weights, st.floats(0, 100))
def test_given_back_cost_moves_what_is_behind_it_and_nothing_else(
    described: list[tuple[float, bool, float]], weight: float, virtual_time: float
) -> None:
    finish, tags = 0.0, []
    for cost, _, pause in described:  # a pause: V had gone on when this one came
        tagged = tag_shots([cost], virtual_time=finish + pause, finish=finish, weight=weight)
        tags.append(tagged.tags[0])
        finish = tagged.finish
    shots = [(Waiting(f"{index:02}", tags[index], entry[0]), entry[1]) for index, entry in enumerate(described)]
    kept = [shot for shot, gone in shots if not gone]
    gone = [GivenBack(shot.tag, shot.cost) for shot, is_gone in shots if is_gone]
    after = retag(reversed(kept), given_back=gone, virtual_time=virtual_time, finish=finish, weight=weight)
    new = [after.tags.get(shot.shot_id, shot.tag) for shot in kept]
    for shot, tag in zip(kept, new, strict=True):
        assert min(shot.tag, virtual_time) <= tag <= shot.tag
        assert shot.tag - tag <= sum(entry.cost for entry in gone if entry.tag <= shot.tag) / weight + 1e-6
    for (earlier, tag), (later, later_tag) in zip(
        zip(kept, new, strict=True), list(zip(kept, new, strict=True))[1:], strict=False
    ):
        assert later_tag >= tag + earlier.cost / weight - 1e-6, (earlier, later)
    if kept:
        assert after.finish >= new[-1] + kept[-1].cost / weight - 1e-6
    assert finish - sum(entry.cost for entry in gone) / weight - 1e-6 <= after.finish <= finish


@given(st.lists(costs, min_size=2), weights)
def test_cancelling_the_first_of_an_unbroken_queue_shifts_it_as_if_it_had_never_been(
    shots: list[float], weight: float
) -> None:
    tagged = tag_shots(shots, virtual_time=0, finish=0, weight=weight)
    waiting = [Waiting(f"{i:04}", tag, cost) for i, (tag, cost) in enumerate(zip(tagged.tags, shots, strict=True))]
    after = retag(
        waiting[1:], given_back=[GivenBack(0.0, shots[0])], virtual_time=0, finish=tagged.finish, weight=weight
    )
    fresh = tag_shots(shots[1:], virtual_time=0, finish=0, weight=weight)
    for shot, tag in zip(waiting[1:], fresh.tags, strict=True):
        assert abs(after.tags[shot.shot_id] - tag) < 1e-6
    assert abs(after.finish - fresh.finish) < 1e-6
