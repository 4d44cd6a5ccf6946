"""From one machine to a fleet: an embedded installation moves to PostgreSQL, Redis and S3 and goes on as two webs."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.buckets import BucketServer
from tests.fleet.fleet import Browser, Fleet, is_ready_agent
from tests.fleet.redis_server import RedisServer
from tests.running import RunningService
from tests.store.cluster import Cluster


def test_an_embedded_installation_becomes_a_fleet_with_its_gallery_intact(
    tmp_path: Path,
    cluster: Cluster,
    bucket_server: BucketServer,
    redis_server: RedisServer,
    make_fleet: Callable[..., Fleet],
) -> None:
    home = RunningService(
        tmp_path / "home", COMPUTE__RUNTIME="null", COMPUTE__SEATS=4, COMPUTE__NULL_SECONDS_PER_STEP=0.02
    )
    try:
        home.start()
        done = home.finished(home.submit(prompt="a red house", width=64, height=64, count=6)["id"])
        home.http.delete(f"/api/v1/images/{done['images'][0]['id']}").raise_for_status()
        before = {image["id"]: image for image in home.images()}
        pictures = {name: home.http.get(f"/api/v1/images/{name}/file").content for name in before}
        waiting = home.submit(prompt="goes on there", width=64, height=64, count=16, steps=150)["id"]
        home.stop()
    finally:
        home.end()
    assert len(before) == 5

    address = bucket_server.make()
    storage = {
        "STORAGE__ENDPOINT": address.endpoint,
        "STORAGE__REGION": address.region,
        "STORAGE__ACCESS_KEY_ID": address.access_key_id,
        "STORAGE__SECRET_ACCESS_KEY": address.secret_access_key,
    }
    with cluster.database(empty=True) as database_url:
        words = [f"--data-dir={home.data_dir}", f"--to={database_url}", f"--objects={address.url}"]
        moved = subprocess.run(
            [sys.executable, "-m", "stablehand", "transfer", *words],
            env={
                **os.environ,
                **{f"STABLEHAND_{name}": str(value) for name, value in storage.items()},
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert moved.returncode == 0, moved.stdout + moved.stderr

        fleet = make_fleet(redis_server.url, database_url=database_url, STORAGE__URL=address.url, **storage)
        try:
            first, second = fleet.start_all("web", "web")
            for web in (first, second):
                # Some of the job that waits may have been drawn before the end.
                moved_images = {image["id"]: image for image in web.images() if image["job_id"] == done["id"]}
                assert moved_images == before
                for name, content in pictures.items():
                    assert web.http.get(f"/api/v1/images/{name}/file", follow_redirects=True).content == content
            page = Browser(second.url)
            fleet.start_agent(first.url)
            is_ready_agent(second)
            assert first.finished(waiting)["state"] == "succeeded"
            drawn = page.until("image", lambda body: body["job_id"] == waiting)
            assert second.http.get(f"/api/v1/images/{drawn['id']}/file").status_code == 200
            assert len(second.images()) == len(before) + 16
            trashed = done["images"][0]["id"]
            first.http.post(f"/api/v1/images/{trashed}/restore").raise_for_status()
            assert len(second.images()) == len(before) + 17
            page.close()
            fleet.stop()
        finally:
            fleet.end()
