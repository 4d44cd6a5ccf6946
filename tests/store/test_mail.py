"""Letters about orders: who gets one, what stands in it, where it leads, and how somebody says no."""

import io
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from PIL import Image as PillowImage

from stablehand.adapters.mailing import compose
from stablehand.domain.accounts import Account
from stablehand.domain.dispatches import Arrived, Dispatch, Never, NotNow, Road
from stablehand.domain.errors import InvalidFields, QuotaSpent
from stablehand.domain.jobs import Job
from stablehand.domain.letters import Letter
from stablehand.domain.mail_choices import read_unsubscribe_token
from stablehand.domain.notices import KINDS, Notice
from stablehand.domain.notify import Notify
from stablehand.domain.orders import JobOrder
from stablehand.domain.quotas import DAY
from stablehand.domain.tiers import SHIPPED
from stablehand.ports import LetterNotSent, LetterRefused, LetterTooLarge
from stablehand.services.cancel import cancel
from stablehand.services.courier import carry
from stablehand.services.dispatch import Carriage, DispatchSink
from stablehand.services.gallery import delete_image
from stablehand.services.jobs import list_jobs
from stablehand.services.links import follow, ids_of, pictures_of
from stablehand.services.mail import MailChannel
from stablehand.services.mail_choices import choose_mail, unsubscribe
from stablehand.services.manners import Manners
from stablehand.services.retry import retry
from stablehand.services.submit import submit
from tests.store.house import House, picture_bytes
from tests.store.members import sign_up

SECRET = "a secret key for tests, long enough"
PUBLIC = "https://house.example"
DISPATCH = Dispatch(id="d", road=Road("mail", "id-ada"), failures=0, token=1, number=1)


@dataclass
class Kept:
    """Implements ports.Mailer: keeps letters, or refuses them as it is told."""

    letters: list[Letter] = field(default_factory=list)
    refusal: LetterNotSent | None = None

    def send(self, letter: Letter) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.letters.append(letter)


@dataclass
class PostOffice:
    """A house whose account ``ada`` has an address, and its way out."""

    house: House
    ada: Account
    mailer: Kept = field(default_factory=Kept)
    manners: Manners = field(default_factory=lambda: Manners(secret_key=SECRET, public_url=PUBLIC))

    @property
    def channel(self) -> MailChannel:
        return MailChannel(self.house.services, self.mailer, self.manners)

    def order(self, count: int = 1, **fields: object) -> Job:
        order = JobOrder(prompt="a red house,\n by the sea", count=count, seed=7, **fields)  # type: ignore[arg-type]
        return submit(self.house.services, self.ada, order)

    def draw(self, *, failing: int = 0) -> None:
        """All that waits; the first few fail for good."""
        hand = self.house.agent(f"hand-{self.house.clock.now:%H-%M-%S}", seats=32)
        for place, lease in enumerate(hand.claim(32)):
            if place < failing:
                hand.fail(lease, "final")
            else:
                hand.draw(lease)

    def now(self, job: Job) -> Job:
        return self.house.services.store.job(job.id)

    def carry(self) -> list[Letter]:
        """Everything that is due; returns the letters that left."""
        services, ways_out = self.house.services, [self.channel]
        before = len(self.mailer.letters)
        while carry(services, {key: [DispatchSink(services, ways_out)] for key in KINDS}, Counter(), lambda: 0.5):
            pass
        Carriage(services, ways_out, jitter=lambda: 0.5).empty()
        return self.mailer.letters[before:]


@pytest.fixture
def office(file_house: House) -> PostOffice:
    return PostOffice(file_house, file_house.services.store.account(sign_up(file_house)))


def notice_of(job: Job) -> Notice:
    payload = {"state": job.state.value}
    return Notice(
        id="n",
        kind="job_finished",
        account_id=job.account_id,
        job_id=job.id,
        payload=payload,
        created_at=job.created_at,
        tries=0,
        token=1,
    )


def test_one_letter_brings_all_pictures_of_an_order(office: PostOffice) -> None:
    job = office.order(count=4)
    office.draw()
    [letter] = office.carry()
    assert letter.to == "ada@example.org"
    assert letter.subject == "Your 4 pictures are ready: a red house, by the sea"
    assert list(letter.pictures) == [f"picture-{number}" for number in (1, 2, 3, 4)]
    assert letter.html is not None
    for name, picture in letter.pictures.items():
        assert f'src="cid:{name}"' in letter.html
        assert PillowImage.open(io.BytesIO(picture.data)).format == "JPEG", "every mail program shows it"
    assert [enclosure.media_type for enclosure in letter.enclosures] == ["image/webp"] * 4
    assert letter.enclosures[0].data == office.house.services.objects.get(office.now(job).images[0].object_key)
    for words in (letter.text, letter.html):
        for said in ("a red house, by the sea", "alpha", "64 × 64", "7 to 10", "attached", "ZIP", "until"):
            assert said in words
    assert office.carry() == [], "one letter a job"


def test_its_links_lead_to_the_pictures_and_nothing_else_is_fetched(office: PostOffice) -> None:
    job = office.order(count=2)
    office.draw()
    [letter] = office.carry()
    assert letter.html is not None
    fetched = re.findall(r'(?:src|background)="([^"]+)"|url\(([^)]+)\)|@import', letter.html)
    assert all(address.startswith("cid:") for address, _ in fetched), "an open letter tells nobody that it is open"
    [token] = set(re.findall(rf"{PUBLIC}/api/v1/files/([^/\"]+)/images/", letter.html))
    followed = follow(office.house.services, SECRET, token, now=datetime.now(UTC).timestamp())
    images = pictures_of(office.house.services, followed, ids_of(office.house.services, followed))
    assert [image.job_id for image in images] == [job.id] * 2
    for image in images:
        assert f"{PUBLIC}/api/v1/files/{token}/images/{image.id}" in letter.text
    assert f"{PUBLIC}/shared/{token}" in letter.text
    assert f"{PUBLIC}/api/v1/files/{token}/zip" in letter.text


def test_what_failed_is_told_with_what_to_do(office: PostOffice) -> None:
    office.order(count=4)
    office.draw(failing=1)
    [letter] = office.carry()
    assert letter.subject.startswith("3 of 4 pictures are ready")
    assert len(letter.pictures) == 3
    assert "1 picture could not be drawn. It went wrong." in letter.text
    assert "Retry" in letter.text


def test_an_order_that_brings_nothing_is_a_letter_of_its_own_sort(office: PostOffice) -> None:
    office.order(count=2)
    office.draw(failing=2)
    [letter] = office.carry()
    assert letter.subject.startswith("Your 2 pictures could not be drawn")
    assert letter.pictures == {}
    assert letter.unsubscribe is not None
    token = letter.unsubscribe.rpartition("/")[2]
    assert read_unsubscribe_token(SECRET, token) == (office.ada.id, "failures")


def test_an_order_that_was_called_off_is_no_letter_unless_it_brought_something(office: PostOffice) -> None:
    cancel(office.house.services, office.ada, office.order().id)
    assert office.carry() == []
    some = office.order(count=3)
    hand = office.house.agent()
    hand.draw(hand.claim_one())
    cancel(office.house.services, office.ada, some.id)
    [letter] = office.carry()
    assert letter.subject.startswith("1 of 3 pictures is ready")
    assert "cancelled before the other 2 pictures" in letter.text


def test_two_deliveries_are_known_as_one_and_a_retry_continues_the_talk(office: PostOffice) -> None:
    job = office.order(count=2)
    office.draw(failing=1)
    [first] = office.carry()
    assert isinstance(office.channel.carry(DISPATCH, notice_of(office.now(job))), Arrived)
    again = office.mailer.letters[-1]
    ids = {compose(letter, "house@example.org")["Message-ID"] for letter in (first, again)}
    assert ids == {f"<job-{job.id}@example.org>"}
    retried = retry(office.house.services, office.ada, job.id)
    office.house.clock.turn(1)
    office.draw()
    [second] = office.carry()
    assert second.key == f"job-{retried.id}"
    assert second.earlier == f"job-{job.id}"


def test_many_pictures_show_the_first_and_large_ones_stay_behind_their_links(office: PostOffice) -> None:
    office.manners = replace(office.manners, attach_bytes=500)
    office.order(count=14)
    office.draw()
    [letter] = office.carry()
    assert len(letter.pictures) == 12
    assert letter.enclosures == ()
    for words in (letter.text, letter.html or ""):
        assert "and 2 more" in words
        assert "attached" not in words


def test_without_an_address_of_the_house_letters_say_where_to_look(office: PostOffice) -> None:
    office.manners = replace(office.manners, public_url=None)
    office.order()
    office.draw()
    [letter] = office.carry()
    assert letter.html is not None
    assert "http" not in letter.text + letter.html
    assert "gallery of your studio" in letter.text
    assert "under Account in the studio" in letter.text
    assert letter.unsubscribe is None
    assert len(letter.enclosures) == 1


def test_a_picture_that_was_deleted_meanwhile_is_left_out(office: PostOffice) -> None:
    job = office.order(count=2)
    office.draw()
    delete_image(office.house.services, office.ada, office.now(job).images[0].id)
    [letter] = office.carry()
    assert [*letter.pictures] == ["picture-2"]
    assert "1 picture of these you have deleted since." in letter.text


def test_words_of_a_prompt_are_words_and_nothing_else(office: PostOffice) -> None:
    order = JobOrder(prompt='<img src="https://evil.example/x.png"> & "quotes"\r\nBcc: eve@example.org')
    submit(office.house.services, office.ada, order)
    office.draw()
    [letter] = office.carry()
    assert letter.html is not None
    assert "<img src=&#34;https://evil.example" in letter.html.replace("&lt;", "<").replace("&gt;", ">")
    assert '<img src="https' not in letter.html
    message = compose(letter, "house@example.org")
    assert message["Bcc"] is None
    assert message["Subject"].endswith("Bcc…")


@pytest.mark.parametrize(
    ("chosen", "asked", "letters"),
    [(None, None, 1), (False, None, 0), (True, None, 1), (None, False, 0), (False, True, 1)],
)
def test_an_order_may_say_otherwise_than_its_account(
    office: PostOffice, chosen: bool | None, asked: bool | None, letters: int
) -> None:
    if chosen is not None:
        choose_mail(office.house.services, office.ada, {"results": chosen})
    office.house.clock.turn(1)
    job = office.order(notify=Notify(email=asked))
    assert (job.mail is not None) is bool(letters)
    [listed] = list_jobs(office.house.services, office.ada).items
    assert (listed.mail is not None) is bool(letters)
    office.draw()
    assert len(office.carry()) == letters


def test_a_no_counts_from_now_on_even_for_orders_that_asked_before(office: PostOffice) -> None:
    office.order(notify=Notify(email=True))
    office.draw()
    office.house.clock.turn(1)
    unsubscribe(office.house.services, office.ada.id, "results")
    assert office.carry() == []
    office.house.clock.turn(1)
    later = office.order(notify=Notify(email=True))
    office.draw()
    assert len(office.carry()) == 1
    unsubscribe(office.house.services, office.ada.id, "failures")
    assert office.now(later).notify == Notify(email=True)


def test_whoever_is_served_at_once_gets_pictures_by_mail_only_when_asked(office: PostOffice) -> None:
    store = office.house.services.store
    assert store.mailbox(office.ada.id).chooses("results"), "normal"
    assert not store.mailbox(office.house.account.id).chooses("results"), "premium"
    store.tiers = type(SHIPPED)((SHIPPED.plain,))
    assert store.mailbox(office.house.account.id).chooses("results"), "the only tier is nobody's privilege"


def test_without_a_confirmed_address_a_wish_for_mail_is_refused_by_field(office: PostOffice) -> None:
    unconfirmed = office.house.services.store.account(sign_up(office.house, "eve", confirmed=False))
    for account in (unconfirmed, office.house.account):
        with pytest.raises(InvalidFields) as refused:
            submit(office.house.services, account, JobOrder(prompt="x", notify=Notify(email=True)))
        assert "no confirmed address" in refused.value.fields["notify.email"]
        job = submit(office.house.services, account, JobOrder(prompt="x"))
        assert job.mail is None
    office.draw()
    assert office.carry() == []


def test_a_refused_letter_is_never_tried_again_and_others_are(office: PostOffice) -> None:
    job = office.order()
    office.draw()
    finished = notice_of(office.now(job))
    office.mailer.refusal = LetterRefused("550 no such mailbox")
    assert isinstance(office.channel.carry(DISPATCH, finished), Never)
    office.mailer.refusal = LetterNotSent("451 not now")
    assert isinstance(office.channel.carry(DISPATCH, finished), NotNow)
    office.mailer.refusal = None
    assert isinstance(office.channel.carry(DISPATCH, finished), Arrived)


def test_a_letter_too_large_for_the_mail_server_goes_without_its_files(office: PostOffice) -> None:
    class Narrow(Kept):
        def send(self, letter: Letter) -> None:
            if letter.enclosures:
                raise LetterTooLarge("552 too large")
            super().send(letter)

    office.mailer = Narrow()
    office.order()
    office.draw()
    [letter] = office.carry()
    assert "attached" not in letter.text
    assert "/api/v1/files/" in letter.text


def test_a_limit_that_is_used_up_is_told_once_a_day(office: PostOffice) -> None:
    office.house.services.store.tiers = SHIPPED.with_quotas(pictures_a_day=2)
    office.order(count=2)
    for _ in range(3):
        with pytest.raises(QuotaSpent):
            office.order(count=1)
    with pytest.raises(QuotaSpent):
        office.order(count=3)  # too large for any day, which is no news of this one
    [letter] = office.carry()
    assert letter.subject == "You have used up your pictures for today"
    assert "2 pictures within 24 hours" in letter.text
    assert "from 2 January, 00:00 UTC on" in letter.text
    office.house.clock.turn(DAY.total_seconds() - 1)
    with pytest.raises(QuotaSpent):
        office.order(count=1)
    assert office.carry() == []
    office.house.clock.turn(1)
    with pytest.raises(QuotaSpent):
        office.order(count=1)
    assert len(office.carry()) == 1


def test_a_limit_that_an_order_would_pass_is_not_said_to_be_used_up(office: PostOffice) -> None:
    office.house.services.store.tiers = SHIPPED.with_quotas(pictures_a_day=3)
    office.order(count=2)
    with pytest.raises(QuotaSpent):
        office.order(count=2)
    [letter] = office.carry()
    assert letter.subject == "An order was more than you may have today"
    assert "2 are used or waiting, and an order for 2 more was refused" in " ".join(letter.text.split())


def test_a_webhook_that_was_turned_off_is_told(office: PostOffice) -> None:
    payload = {"webhook_id": "w", "url": "https://receiver.example/hook", "reason": "500 for three days"}
    notice = replace(notice_of(office.order()), kind="webhook_disabled", job_id="", payload=payload)
    assert isinstance(office.channel.carry(DISPATCH, notice), Arrived)
    [letter] = office.mailer.letters
    assert letter.subject == "A webhook was turned off"
    assert "https://receiver.example/hook" in letter.text
    assert "500 for three days" in letter.text
    unsubscribe(office.house.services, office.ada.id, "notices")
    assert office.channel.destinations(notice) == ()


def test_choices_and_what_was_told_are_kept(house: House) -> None:
    store = house.services.store
    account_id = sign_up(house)
    store.choose_mail(account_id, {"results": False})
    store.choose_mail(account_id, {"failures": True})
    mailbox = store.mailbox(account_id)
    assert mailbox.chosen == {"results": False, "failures": True}
    assert mailbox.stopped_at == house.clock.now
    assert store.tell_of_limit(account_id, {"limit": "pictures_a_day"})
    assert not store.tell_of_limit(account_id, {"limit": "pictures_a_day"})
    assert [notice.kind for notice in store.claim_notices(10)] == ["quota_reached"]


def test_the_picture_of_one_is_large_and_keeps_its_proportions(office: PostOffice) -> None:
    office.order(width=512, height=1024)
    hand = office.house.agent()
    lease = hand.claim_one()
    hand.deliver(hand.upload(lease, picture_bytes(512, 1024)))
    [letter] = office.carry()
    [picture] = letter.pictures.values()
    assert PillowImage.open(io.BytesIO(picture.data)).size == (512, 1024)
    assert 'width="320" height="640"' in (letter.html or "")
