"""Dead letters on both stores: kept, looked at, ordered again once, discarded."""

from dataclasses import replace

import pytest

from stablehand.domain.attempts import ATTEMPTS_KEPT, LAST_RETRY_SECONDS
from stablehand.domain.deadletters import LetterFilter
from stablehand.domain.errors import Conflict, NotFound
from stablehand.domain.jobs import State
from stablehand.services import Limits
from stablehand.services.deadletters import (
    discard_letter,
    discard_letters,
    list_letters,
    retry_letter,
    retry_letters,
    show_letter,
)
from stablehand.services.purge import purge
from stablehand.services.retry import retry
from tests.store.house import House

EVERYTHING = LetterFilter()


def bury(house: House, count: int = 1, *, name: str = "one", code: str = "oops", **fields: object) -> str:
    """A job of ``count`` pictures that all fail on an agent; returns its id."""
    job = house.order(count=count, **fields)
    agent = house.agent(name)
    for lease in agent.claim(count):
        agent.fail(lease, "final", code)
    assert house.job(job.id).state is State.FAILED
    return job.id


def test_a_letter_tells_how_its_picture_failed(house: House) -> None:
    job = house.order(seed=7, count=2)
    for name, error_class in (("one", "retry"), ("two", "final")):
        agent = house.agent(name)
        for lease in agent.claim(2):
            if lease.index == 1:
                agent.fail(lease, error_class, f"code-of-{name}")
            else:
                agent.draw(lease)
        house.clock.turn(LAST_RETRY_SECONDS)
    [letter] = list_letters(house.services, EVERYTHING).items
    assert (letter.job_id, letter.index, letter.recipe.seed, letter.agent) == (job.id, 1, 8, "two")
    assert letter.attempts == ()
    whole = show_letter(house.services, letter.id)
    assert [(attempt.attempt, attempt.agent, attempt.error.code) for attempt in whole.attempts] == [
        (1, "one", "code-of-one"),
        (2, "two", "code-of-two"),
    ]
    assert whole.attempts[0].ended_at < whole.attempts[1].ended_at


def test_filters_and_pages(house: House) -> None:
    first = bury(house, 3)
    second = bury(house, 2, name="two", code="other", checkpoint="beta")
    for wanted, job_id, count in (
        (LetterFilter(code="other"), second, 2),
        (LetterFilter(checkpoint="beta"), second, 2),
        (LetterFilter(checkpoint="id-alpha"), first, 3),
        (LetterFilter(agent="one"), first, 3),
        (LetterFilter(job_id=second), second, 2),
    ):
        found = list_letters(house.services, wanted).items
        assert {letter.job_id for letter in found} == {job_id}
        assert len(found) == count
    assert len(list_letters(house.services, LetterFilter(account=house.account.name)).items) == 5
    assert list_letters(house.services, LetterFilter(account="nobody")).items == ()
    seen: list[str] = []
    cursor = None
    while True:
        page = list_letters(house.services, EVERYTHING, limit=2, cursor=cursor)
        seen += [letter.id for letter in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 5


def test_a_retry_is_a_new_job_with_the_same_seeds_and_happens_once(house: House) -> None:
    job_id = bury(house, 3, seed=5)
    letter = list_letters(house.services, EVERYTHING).items[0]
    again = retry_letter(house.services, letter.id)
    assert (again.retry_of, [shot.seed for shot in again.shots]) == (job_id, [letter.recipe.seed])
    with pytest.raises(NotFound):
        retry_letter(house.services, letter.id)
    done = retry_letters(house.services, EVERYTHING)
    assert (done.shots, len(done.jobs), done.refused) == (2, 1, ())
    [new] = done.jobs
    assert [shot.seed for shot in house.job(new).shots] == [5, 6]
    assert list_letters(house.services, EVERYTHING).items == ()
    assert retry_letters(house.services, EVERYTHING).jobs == ()
    assert house.job(job_id).state is State.FAILED


def test_the_owners_own_retry_takes_the_letters_with_it(house: House) -> None:
    job_id = bury(house, 2)
    retry(house.services, house.account, job_id)
    assert list_letters(house.services, EVERYTHING).items == ()


def test_what_cannot_be_ordered_again_stays(house: House) -> None:
    bury(house, 2, checkpoint="alpha")
    kept = list_letters(house.services, EVERYTHING).items
    house.services.store.note_scan([])
    with pytest.raises(Conflict):
        retry_letter(house.services, kept[0].id)
    done = retry_letters(house.services, EVERYTHING)
    assert [refusal.error.code for refusal in done.refused] == ["conflict"]
    assert list_letters(house.services, EVERYTHING).items == kept


def test_discarding(house: House) -> None:
    job_id = bury(house, 3)
    letters = list_letters(house.services, EVERYTHING).items
    discard_letter(house.services, letters[0].id)
    with pytest.raises(NotFound):
        discard_letter(house.services, letters[0].id)
    assert discard_letters(house.services, LetterFilter(job_id=job_id)) == 2
    assert house.job(job_id).state is State.FAILED


def test_attempts_are_bounded_and_swept_but_not_those_of_letters(house: House) -> None:
    house.services = replace(house.services, limits=Limits(retry_count=ATTEMPTS_KEPT + 5))
    house.order()
    while not list_letters(house.services, EVERYTHING).items:
        house.clock.turn(LAST_RETRY_SECONDS)
        agent = house.agent()
        agent.fail(agent.claim_one())
    [letter] = list_letters(house.services, EVERYTHING).items
    attempts = show_letter(house.services, letter.id).attempts
    assert len(attempts) == ATTEMPTS_KEPT
    assert attempts[-1].attempt == ATTEMPTS_KEPT + 6
    house.clock.turn(86400 * 99)
    purge(house.services)
    assert len(show_letter(house.services, letter.id).attempts) == ATTEMPTS_KEPT
