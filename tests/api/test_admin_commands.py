"""The administrator's commands, beside the data of a server."""

from pathlib import Path

from stablehand.services.accounts import owner, sign_up
from stablehand.services.administration import audit_log
from tests.api.site import Site
from tests.api.test_administration import bury
from tests.commands import run


def test_dead_letters_from_the_command_line(site: Site, tmp_path: Path) -> None:
    job = bury(site, 3)
    where = ("--data-dir", str(tmp_path / "site-0"))
    listed = run("dead-letters", "list", "--code", "oops", *where).stdout.splitlines()
    assert len(listed) == 3
    assert all("tiny  test-agent" in line and "a red house" in line for line in listed)
    letter_id = listed[0].split()[0]
    shown = run("dead-letters", "show", letter_id, *where).stdout
    assert job["id"] in shown
    assert "attempt 1 on test-agent" in shown
    assert "prompt: a red house" in shown
    retried = run("dead-letters", "retry", letter_id, *where)
    assert retried.returncode == 0, retried.stderr
    assert site.client.get(f"/api/v1/jobs/{retried.stdout.strip()}").get_json()["retry_of"] == job["id"]
    assert run("dead-letters", "retry", *where).returncode == 2, "what to retry must be said"
    assert run("dead-letters", "show", letter_id, *where).returncode == 2
    assert run("dead-letters", "discard", "--all", *where).stdout == "2 discarded.\n"
    assert run("dead-letters", "list", *where).stdout == ""


def test_agents_from_the_command_line(site: Site, tmp_path: Path) -> None:
    site.order()
    site.hello()
    site.claim()
    where = ("--data-dir", str(tmp_path / "site-0"))
    assert "1 pictures are left" in run("agents", "drain", "test-agent", "--reason", "New cables.", *where).stdout
    listed = run("agents", "list", *where).stdout
    assert "test-agent  draining  default  test device  1/8" in listed
    assert "New cables." in listed
    assert run("agents", "pause", "test-agent", *where).returncode == 0
    assert site.client.get("/api/v1/status").get_json()["queue"] == {"queued": 1, "running": 0}
    assert run("agents", "resume", "test-agent", *where).returncode == 0
    assert len(site.claim()) == 1
    assert run("agents", "remove", "test-agent", *where).returncode == 0
    assert run("agents", "list", *where).stdout == ""
    assert "no such agent" in run("agents", "resume", "test-agent", *where).stderr


def test_limits_from_the_command_line(site: Site, tmp_path: Path) -> None:
    where = ("--data-dir", str(tmp_path / "site-0"))
    site.order(count=2)
    told = run("limits", "set", "owner", "queued=3", "steps=none", "checkpoints=t*,other", *where).stdout.splitlines()
    assert told[0] == "owner: tier premium"
    assert told[1].split() == ["queued", "3", "2", "used", "its", "own"]
    refused = site.client.post("/api/v1/jobs", json={"prompt": "x", "checkpoint": "tiny", "count": 2})
    assert refused.get_json()["error"]["limit"]["most"] == 3
    assert [entry["is_own"] for entry in site.client.get("/api/v1/me/limits").get_json()["used"]] == [
        True,
        False,
        False,
        False,
    ]
    assert run("limits", "set", "owner", "queued=many", *where).returncode == 2
    assert run("limits", "show", "nobody", *where).returncode == 2
    assert "its own" not in run("limits", "reset", "owner", *where).stdout
    site.order(count=2)


def test_accounts_from_the_command_line(site: Site, tmp_path: Path) -> None:
    owner(site.services)
    for name in ("ada", "bob"):
        sign_up(site.services, address=f"{name}@example.org", password_hash=None, uniquifier=name)
    where = ("--data-dir", str(tmp_path / "site-0"))
    changed = run("accounts", "change", "ada@example.org", "--role", "admin", "--tier", "premium", *where).stdout
    assert changed.split()[:3] == ["ada@example.org", "admin", "premium"]
    assert run("accounts", "change", "ada@example.org", "--role", "owner", *where).returncode == 2
    assert run("accounts", "suspend", "bob@example.org", "--reason", "Too loud.", *where).returncode == 0
    listed = run("accounts", "list", *where).stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["ada@example.org", "bob@example.org", "owner"]
    assert "suspended" in listed[1]
    assert listed[1].endswith("Too loud.")
    assert run("accounts", "unsuspend", "bob@example.org", *where).returncode == 0
    assert run("accounts", "delete", "bob@example.org", "--yes", *where).returncode == 0
    assert "no such account" in run("accounts", "delete", "bob@example.org", "--yes", *where).stderr
    assert "owner cannot be deleted" in run("accounts", "delete", "owner", "--yes", *where).stderr
    deeds = [entry.deed for entry in audit_log(site.services, action="account").items]
    assert {deed.account_id for deed in deeds if deed.action != "account.made"} == {None}, "whoever sits at the machine"
