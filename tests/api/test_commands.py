"""The commands that people run beside the server."""

import contextlib
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import openapi_spec_validator

from stablehand import __version__
from tests.api.site import write_checkpoint
from tests.commands import run
from tests.running import RunningService, ServiceFactory


def test_help_and_version() -> None:
    asked = [sys.executable, "-m", "stablehand", "--help"]
    helped = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    assert helped.returncode == 0
    for command in ("serve", "agent", "agents", "migrate", "doctor", "backup", "restore"):
        assert f"  {command} " in helped.stdout
    assert run("version").stdout.strip() == run("--version").stdout.strip() == __version__


def test_the_document_can_be_printed() -> None:
    openapi_spec_validator.validate(json.loads(run("openapi").stdout))


def test_dead_notices_are_listed_and_tried_anew(tmp_path: Path) -> None:
    assert run("migrate", "--data-dir", str(tmp_path)).returncode == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "stablehand.db")) as database, database:
        for name, dead_at in (("bad", "2026-01-05 00:00:00.000000"), ("good", None)):
            database.execute(
                "INSERT INTO outbox (id, account_id, job_id, kind, payload, created_at, next_try_at, tries, token,"
                " error, dead_at) VALUES (?, 'me', 'job', 'job_finished', '{}', '2026-01-01 00:00:00.000000',"
                " '2026-01-05 00:00:00.000000', 13, 13, 'nobody there', ?)",
                (name, dead_at),
            )
    listed = run("outbox", "list", "--data-dir", str(tmp_path))
    [dead] = [json.loads(line) for line in listed.stdout.splitlines()]
    assert (dead["id"], dead["tries"], dead["error"]) == ("bad", 13, "nobody there")
    assert "1 dead, 1 waiting" in listed.stderr
    assert run("outbox", "redeliver", "--data-dir", str(tmp_path)).returncode == 2
    assert "1 will be tried anew" in run("outbox", "redeliver", "bad", "--data-dir", str(tmp_path)).stdout
    assert "0 will be tried anew" in run("outbox", "redeliver", "--all", "--data-dir", str(tmp_path)).stdout


def test_roles_of_a_fleet_need_a_database_server(tmp_path: Path) -> None:
    refused = run("serve", "--role", "web", "--data-dir", str(tmp_path))
    assert refused.returncode == 2
    assert "storage.database_url" in refused.stderr


def test_settings_are_listed() -> None:
    listed = run("settings").stdout
    assert "queue.lease_seconds (STABLEHAND_QUEUE__LEASE_SECONDS) = 30.0" in listed


def test_a_bad_setting_ends_with_words_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "stablehand.yaml").write_text("api: {prot: 1}\n")
    refused = run("serve", "--data-dir", str(tmp_path))
    assert refused.returncode == 2
    assert "did you mean api.port?" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_migrate_then_see_the_doctor(tmp_path: Path) -> None:
    migrated = run("migrate", "--data-dir", str(tmp_path))
    assert migrated.returncode == 0, migrated.stderr
    before = sorted(tmp_path.rglob("*"))
    secret = "s3cret" * 8
    examined = run(
        "doctor",
        *("--data-dir", str(tmp_path)),
        STABLEHAND_AUTH__SECRET_KEY=secret,
        STABLEHAND_MODELS__DEFAULT_MODEL="lost",
        STABLEHAND_API__HOST="0.0.0.0",
        STABLEHAND_API__PORT="0",
    )
    assert examined.returncode == 1
    assert "python: Python" in examined.stdout
    assert "libraries: torch" in examined.stdout
    assert "has this version's schema" in examined.stdout
    assert "PROBLEM  exposure: Serving on 0.0.0.0" in examined.stdout
    assert "PROBLEM  checkpoint: the default checkpoint lost" in examined.stdout
    assert "models.default_model" in examined.stdout
    assert "auth.secret_key = ****" in examined.stdout
    assert secret not in examined.stdout + examined.stderr
    assert sorted(tmp_path.rglob("*")) == before, "it changes nothing"


def test_the_doctor_says_of_a_database_what_serve_says(tmp_path: Path) -> None:
    assert run("migrate", "--data-dir", str(tmp_path)).returncode == 0
    path = tmp_path / "stablehand.db"
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    newer = run("doctor", "--data-dir", str(tmp_path))
    assert newer.returncode == 1
    assert "PROBLEM  database: " in newer.stdout
    assert "was written by a newer version" in newer.stdout
    assert "stablehand migrate" not in newer.stdout

    path.write_bytes(b"no database at all" * 500)
    damaged = run("doctor", "--data-dir", str(tmp_path))
    assert damaged.returncode == 1
    assert "is not a database, or is damaged." in damaged.stdout
    assert "sqlalche.me" not in damaged.stdout


def test_an_agent_of_ones_own(running: RunningService) -> None:
    added = run("agents", "add", "attic", "--data-dir", str(running.data_dir))
    assert added.returncode == 0, added.stderr
    token = added.stdout.strip()
    assert len(token) >= 32
    answer = running.http.post(
        "/agent/v1/hello",
        json={"incarnation": "one", "runtime": "null", "device": {"kind": "none", "name": "attic"}},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 200
    assert {agent["name"] for agent in running.get("/api/v1/status")["agents"]} == {"attic", "local"}


def test_backup_while_it_runs_and_restore_elsewhere(
    running: RunningService, make_service: ServiceFactory, tmp_path: Path
) -> None:
    job = running.submit(prompt="a red house", checkpoint="tiny", width=64, height=64, count=2)
    done = running.finished(job["id"])
    file = tmp_path / "backup.tar.gz"
    saved = run("backup", str(file), "--data-dir", str(running.data_dir))
    assert saved.returncode == 0, saved.stderr
    assert f"{len(running.images())} pictures" in saved.stdout
    bytes_of = {image["id"]: running.http.get(f"/api/v1/images/{image['id']}/file").content for image in done["images"]}

    second = make_service(COMPUTE__RUNTIME="null")
    restored = run("restore", str(file), "--data-dir", str(second.data_dir))
    assert restored.returncode == 0, restored.stderr
    write_checkpoint(second.data_dir / "models" / "checkpoints" / "tiny")
    second.start()
    assert second.job(job["id"]) == done
    for image_id, data in bytes_of.items():
        assert second.http.get(f"/api/v1/images/{image_id}/file").content == data

    again = run("restore", str(file), "--data-dir", str(second.data_dir))
    assert again.returncode == 2
    assert "is not empty" in again.stderr


def test_backup_of_nothing_is_said(tmp_path: Path) -> None:
    refused = run("backup", str(tmp_path / "b.tar"), "--data-dir", str(tmp_path / "nowhere"))
    assert refused.returncode == 2
    assert "no database" in refused.stderr


def test_tracebacks_hold_no_values() -> None:
    script = (
        "import structlog\n"
        "from stablehand.cli import logs\n"
        "from stablehand.settings import ObservabilitySettings\n"
        "def burst(prompt):\n"
        "    raise RuntimeError('burst')\n"
        "for form in ('json', 'text'):\n"
        "    structlog.reset_defaults()\n"
        "    logs.set_up(ObservabilitySettings(log_format=form), str)\n"
        "    try:\n"
        "        burst('unspeak' + 'able')\n"
        "    except RuntimeError as error:\n"
        "        structlog.get_logger('stablehand.x').error('broke', exc_info=error)\n"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True).stderr
    assert said.count("RuntimeError") >= 2
    assert "burst" in said
    assert "unspeakable" not in said
