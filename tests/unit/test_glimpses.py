"""Previews for those who ask now and then: the latest of one job, watched only while somebody looks."""

import pytest

from stablehand.domain.events import PreviewShown
from stablehand.services import glimpses
from stablehand.services.feed import Feed
from stablehand.services.glimpses import Glimpses


def shown(job_id: str, picture: str) -> PreviewShown:
    return PreviewShown("ann", job_id, 0, 0.5, f"data:image/jpeg;base64,{picture}")


def test_the_latest_preview_of_a_job_that_is_looked_at() -> None:
    feed = Feed()
    looking = Glimpses(feed)
    feed.publish(shown("a", "before"))
    assert looking.look("ann", "a") == (0, None)
    assert feed.is_watched("a")
    for event in (shown("a", "one"), shown("b", "other"), shown("a", "two")):
        feed.publish(event)
    assert looking.look("ann", "a") == (2, "data:image/jpeg;base64,two")
    assert looking.look("ann", "a") == (2, "data:image/jpeg;base64,two"), "it stays until there is another"
    looking.forget("a")
    looking.forget("a")
    assert not feed.is_watched("a")


def test_nobody_is_asked_for_previews_that_nobody_looks_at(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = Feed()
    looking = Glimpses(feed)
    looking.look("ann", "a")
    monkeypatch.setattr(glimpses, "LOOK_SECONDS", -1.0)
    looking.look("ann", "b")
    assert (feed.is_watched("a"), feed.is_watched("b")) == (False, True)
