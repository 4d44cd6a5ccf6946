"""kill -9 in the middle of the work: what was accepted is there, and everything fits together."""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from sqlalchemy import select, text

from stablehand.domain.jobs import State, roll_up
from stablehand.services import Services
from stablehand.store.ledger_rows import ChargeRow
from stablehand.store.models import ImageRow, JobRow, ShotRow
from stablehand.store.outbox_row import OutboxRow
from tests.store.house import House, open_services

WORKER = """
import sys
from pathlib import Path
from tests.store.house import Hand, House, open_services
services = open_services(Path(sys.argv[1]), url=sys.argv[3])
house = House(services, None)
hand = house.agent(seats=64, incarnation=sys.argv[2])
while True:
    print("accepted", house.order(count=3).id, flush=True)
    leases = hand.claim(4)
    hand.renew(*leases)
    pictures = [hand.upload(lease) for lease in leases[:3]]
    for shot_id in hand.deliver(*pictures).accepted:
        print("delivered", shot_id, flush=True)
    hand.fail(leases[3], "final") if len(leases) > 3 else None
"""

REPOSITORY = Path(__file__).parents[2]


def work_until_killed(folder: Path, url: str, life: int, lines: int) -> list[list[str]]:
    """Let a process work, kill it after so many lines of output, and return what it had said."""
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), f"life {life}", url],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY}"},
    )
    assert worker.stdout is not None
    said = [worker.stdout.readline() for _ in range(lines)]
    worker.send_signal(signal.SIGKILL)
    said += worker.stdout.readlines()
    worker.wait()
    worker.stdout.close()
    return [line.split() for line in said if line.endswith("\n")]


def check_everything_fits(services: Services, accepted: set[str], delivered: set[str]) -> None:
    with services.store.reading() as tx:
        if not tx.is_postgresql:
            assert tx.session.scalar(text("PRAGMA integrity_check")) == "ok"
            assert tx.session.execute(text("PRAGMA foreign_key_check")).all() == []
        jobs = {job.id: job for job in tx.session.scalars(select(JobRow))}
        shots = tx.session.scalars(select(ShotRow)).all()
        images = {image.shot_id: image for image in tx.session.scalars(select(ImageRow))}
        charged = tx.session.scalars(select(ChargeRow.shot_id)).all()
        notices = tx.session.scalars(select(OutboxRow)).all()
    assert accepted <= set(jobs)
    done = {shot.id for shot in shots if shot.state == State.SUCCEEDED}
    assert delivered <= done
    assert done == set(images) == set(charged)
    assert len(charged) == len(set(charged))
    for image in images.values():
        assert hashlib.sha256(services.objects.get(image.object_key)).hexdigest() == image.sha256
        assert services.objects.get(image.thumbnail_key)
    for job in jobs.values():
        own = [shot for shot in shots if shot.job_id == job.id]
        assert len(own) == job.count == 3
        assert job.state == roll_up([State(shot.state) for shot in own], cancel_requested=False)
        kinds = sorted(notice.kind for notice in notices if notice.job_id == job.id)
        ended = ["job_finished"] if State(job.state).is_terminal else []
        drawn = [shot.id for shot in own if shot.id in done]
        assert kinds == ["image_delivered"] * len(drawn) + ended + ["job_submitted"]


def test_killed_again_and_again_nothing_accepted_is_lost_and_nothing_is_recorded_twice(
    tmp_path: Path, database: str
) -> None:
    accepted: set[str] = set()
    delivered: set[str] = set()
    open_services(tmp_path, url=database).store.close()
    for life, lines in enumerate((5, 13, 22)):
        for word, name in work_until_killed(tmp_path, database, life, lines):
            (accepted if word == "accepted" else delivered).add(name)
        services = open_services(tmp_path, url=database)
        check_everything_fits(services, accepted, delivered)
        services.store.close()
    assert len(accepted) >= 3
    services = open_services(tmp_path, url=database)
    house = House(services, None)  # type: ignore[arg-type]
    hand = house.agent(seats=200, incarnation="the last life")
    while leases := hand.claim(50):
        hand.deliver(*map(hand.upload, leases))
    with services.store.reading() as tx:
        left = tx.session.scalars(select(JobRow.state).distinct()).all()
    assert set(left) <= {State.SUCCEEDED, State.FAILED}
    check_everything_fits(services, accepted, delivered)
    services.store.close()
