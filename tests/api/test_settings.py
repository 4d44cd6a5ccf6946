"""One table of settings: where values come from, who wins, and what is refused with which words."""

from pathlib import Path

import pytest

from stablehand import doctor, settings
from stablehand.api import Readiness
from stablehand.doctor import changed_settings
from stablehand.domain.errors import BadSettings
from stablehand.wiring import exposure, folders, serving
from stablehand.wiring.objects import open_objects
from stablehand.wiring.provider import provider_options
from tests.buckets import BucketServer

FOREIGN = """
stable-diffusion-webui:
  api:
    host: 127.0.0.1
    port: 7868
    cors_origins: ["*"]
    authentication: false
  models:
    location: ./models
    default_model: v1-5-pruned
  compute:
    precision: fp16
    xformers: true
    cuda: false
  queue:
    max_size: 100
    timeout: 300
    retry_count: 2
  storage:
    output_dir: ./outputs
    save_format: png
    quality: 95
"""


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("STABLEHAND_")]:
        monkeypatch.delenv(name)


def write(folder: Path, text: str) -> Path:
    path = folder / "stablehand.yaml"
    path.write_text(text)
    return path


def test_defaults(tmp_path: Path) -> None:
    table = settings.load(data_dir=tmp_path)
    assert (table.api.host, table.api.port) == ("127.0.0.1", 7868)
    assert table.models_dir == tmp_path / "models"
    assert table.objects_dir == tmp_path / "objects"
    assert (table.storage.save_format, table.storage.quality) == ("webp", 90)


def test_the_file_of_the_original_design_is_taken_as_it_stands(tmp_path: Path) -> None:
    elsewhere = tmp_path / "etc"
    elsewhere.mkdir()
    table = settings.load(data_dir=tmp_path / "data", config=write(elsewhere, FOREIGN))
    assert table.models_dir == elsewhere / "models"
    assert table.objects_dir == elsewhere / "outputs"
    assert table.models.default_model == "v1-5-pruned"
    assert table.compute.precision == "fp16"
    assert (table.queue.max_size, table.queue.timeout, table.queue.retry_count) == (100, 300, 2)
    assert (table.storage.save_format, table.storage.quality) == ("png", 95)
    exposure.check_exposure(table)


def test_the_command_line_beats_the_environment_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "api: {port: 1, host: localhost}\nqueue: {max_size: 5}\n")
    monkeypatch.setenv("STABLEHAND_API__PORT", "2")
    assert settings.load(data_dir=tmp_path).api.port == 2
    table = settings.load(data_dir=tmp_path, command_line={"api": {"port": 3}})
    assert (table.api.port, table.api.host, table.queue.max_size) == (3, "localhost", 5)


def test_lists_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STABLEHAND_API__ALLOWED_HOSTS", "a.example, b.example")
    monkeypatch.setenv("STABLEHAND_API__CORS_ORIGINS", '["https://c.example"]')
    table = settings.load(data_dir=tmp_path)
    assert table.api.allowed_hosts == ["a.example", "b.example"]
    assert table.api.cors_origins == ["https://c.example"]


def test_the_data_directory_and_file_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STABLEHAND_DATA_DIR", str(tmp_path / "here"))
    monkeypatch.setenv("STABLEHAND_CONFIG", str(write(tmp_path, "api: {port: 9}\n")))
    table = settings.load()
    assert (table.data_dir, table.api.port) == (tmp_path / "here", 9)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("api: {prot: 80}", ["api.prot", "did you mean api.port"]),
        ("quue: {max_size: 3}", ["quue", "did you mean queue"]),
        ("api: {port: eighty}", ["api.port"]),
        (
            "api: {port: 80000}\nqueue: {max_size: 0}\nstorage: {save_format: gif}",
            ["api.port", "queue.max_size", "save_format"],
        ),
        ("api: [1, 2]", ["api"]),
        ("- a\n- b", ["sections"]),
        ("api: {port: [", ["not valid YAML"]),
        ("api: {cors_origins: [example.org], allowed_hosts: ['https://a']}", ["api.cors_origins", "api.allowed_hosts"]),
        ("auth: {password: x}", ["auth.password"]),
    ],
)
def test_what_is_wrong_is_said_at_once(tmp_path: Path, text: str, words: list[str]) -> None:
    write(tmp_path, text)
    with pytest.raises(BadSettings) as refused:
        settings.load(data_dir=tmp_path)
    for word in words:
        assert word in refused.value.message


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="does not exist"):
        settings.load(data_dir=tmp_path, config=tmp_path / "nowhere.yaml")


def test_unknown_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STABLEHAND_PORT_80_TCP_ADDR", "10.0.0.1")  # what container platforms inject
    settings.load(data_dir=tmp_path)
    monkeypatch.setenv("STABLEHAND_APY__PORT", "80")
    with pytest.raises(BadSettings) as refused:
        settings.load(data_dir=tmp_path)
    assert "STABLEHAND_APY__PORT" in refused.value.message
    assert "api" in refused.value.hint


def test_secrets_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STABLEHAND_AUTH__SECRET_KEY", "s3cret" * 8)
    table = settings.load(data_dir=tmp_path)
    assert "s3cret" not in repr(table)
    assert folders.secret_key(table) == "s3cret" * 8
    monkeypatch.setenv("STABLEHAND_AUTH__SECRET_KEY", "short")
    with pytest.raises(BadSettings, match="shorter"):
        folders.secret_key(settings.load(data_dir=tmp_path))


def test_a_clone_keeps_its_data_beside_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings.default_data_dir() != tmp_path / "data"
    (tmp_path / "src" / "stablehand" / "settings").mkdir(parents=True)
    assert settings.default_data_dir() == tmp_path / "data"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "images.example.org"])
def test_open_doors_without_locks_are_refused(tmp_path: Path, host: str) -> None:
    table = settings.load(data_dir=tmp_path, command_line={"api": {"host": host}})
    with pytest.raises(BadSettings, match="without authentication") as refused:
        exposure.check_exposure(table)
    assert "ssh -L" in refused.value.hint


def test_with_authentication_any_address_may_be_served(tmp_path: Path) -> None:
    write(tmp_path, "api: {authentication: true, host: 0.0.0.0}")
    table = settings.load(data_dir=tmp_path)
    exposure.check_exposure(table)
    assert serving.options(table, readiness=lambda: Readiness(ready=True, stored=True, checks={})).accounts is not None


def test_several_processes_sign_sessions_with_one_key(tmp_path: Path) -> None:
    write(tmp_path, "api: {authentication: true}\nstorage: {database_url: postgresql://localhost/x}")
    table = settings.load(data_dir=tmp_path)
    exposure.check_role(table, "all", no_agent=False)
    with pytest.raises(BadSettings, match="sign sessions"):
        exposure.check_role(table, "web", no_agent=False)


def test_one_directory_one_server(tmp_path: Path) -> None:
    table = settings.load(data_dir=tmp_path)
    with folders.lock_data_dir(table), pytest.raises(BadSettings, match="Another Stablehand"):
        folders.lock_data_dir(table)
    folders.lock_data_dir(table).close()


@pytest.mark.parametrize("key", ["queue.timeout", "queue.lease_seconds", "storage.trash_days"])
@pytest.mark.parametrize("value", [".inf", ".nan", "1.0e+300"])
def test_a_length_of_time_that_no_clock_can_add_is_refused(tmp_path: Path, key: str, value: str) -> None:
    section, name = key.split(".")
    write(tmp_path, f"{section}: {{{name}: {value}}}\n")
    with pytest.raises(BadSettings, match=key):
        settings.load(data_dir=tmp_path)


def test_the_databases_address_is_a_secret_that_no_message_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = "STABLEHAND_STORAGE__DATABASE_URL"
    monkeypatch.setenv(variable, "postgresql://stable:s3cret@db.example.org/hand")
    table = settings.load(data_dir=tmp_path)
    assert dict(changed_settings(table)) == {"storage.database_url": "**********"}
    assert "s3cret" not in repr(table)
    store = serving.open_store(table)
    assert store.is_postgresql
    assert store.place == "postgresql://stable:***@db.example.org/hand"
    monkeypatch.setenv(variable, "mysql://stable:s3cret@db.example.org/hand")
    with pytest.raises(BadSettings, match=r"storage\.database_url: .*postgresql://USER") as caught:
        settings.load(data_dir=tmp_path)
    assert "s3cret" not in caught.value.message
    monkeypatch.setenv(variable, "")
    assert serving.open_store(settings.load(data_dir=tmp_path)).path == tmp_path / "stablehand.db"


def test_tiers_are_set_each_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / settings.FILE_NAME).write_text("tiers:\n  normal:\n    retention_days: 30\n")
    monkeypatch.setenv("STABLEHAND_TIERS__PREMIUM__RETENTION_DAYS", "365")
    table = settings.load(data_dir=tmp_path)
    assert (table.tiers.premium.retention_days, table.tiers.normal.retention_days) == (365.0, 30.0)
    assert ("tiers.normal.retention_days", "30.0") in list(changed_settings(table))
    (tmp_path / settings.FILE_NAME).write_text("tiers:\n  normal:\n    retention: 30\n  gold: {}\n")
    with pytest.raises(BadSettings) as refused:
        settings.load(data_dir=tmp_path)
    assert "tiers.normal.retention: unknown; did you mean tiers.normal.retention_days?" in refused.value.message
    assert "tiers.gold.rank: field required" in refused.value.message


def test_a_bucket_is_opened_as_it_is_told_and_its_secret_does_not_show(tmp_path: Path) -> None:
    (tmp_path / settings.FILE_NAME).write_text(
        "storage:\n  url: s3://pictures/all\n  endpoint: https://s3.example.org\n  region: eu-1\n"
        "  access_key_id: me\n  secret_access_key: very-secret-indeed\n  path_style: false\n"
    )
    table = settings.load(data_dir=tmp_path)
    objects = open_objects(table)
    assert objects.place == "s3://pictures/all"
    link = objects.link_to_get("images/a", 60) or ""
    assert link.startswith("https://pictures.s3.example.org/all/images/a?")
    assert "eu-1" in link
    assert "very-secret-indeed" not in link + str(table) + str(list(changed_settings(table)))
    folders.prepare_data_dir(table)
    assert not (tmp_path / "objects").exists(), "a bucket needs no folder"


@pytest.mark.parametrize(
    "storage", ["url: /srv/pictures", "url: s3://", "url: s3://x", "endpoint: s3.example.org", "public_url: sometimes"]
)
def test_what_is_no_bucket_is_refused(tmp_path: Path, storage: str) -> None:
    (tmp_path / settings.FILE_NAME).write_text(f"storage:\n  {storage}\n")
    with pytest.raises(BadSettings, match="storage"):
        open_objects(settings.load(data_dir=tmp_path))


def test_the_doctor_tries_the_bucket_out(tmp_path: Path, bucket_server: BucketServer) -> None:
    address = bucket_server.make()
    said = {}
    for name in ("bucket-0-that-is-not-there", address.url.removeprefix("s3://").partition("/")[0]):
        (tmp_path / settings.FILE_NAME).write_text(
            f"storage:\n  url: s3://{name}\n  endpoint: {address.endpoint}\n  region: us-east-1\n"
            f"  access_key_id: {address.access_key_id}\n  secret_access_key: {address.secret_access_key}\n"
        )
        (finding,) = doctor._objects(settings.load(data_dir=tmp_path))
        said[finding.level] = finding.text
    assert "NoSuchBucket" in said["problem"]
    assert "can be written to" in said["ok"]


@pytest.mark.parametrize(
    ("section", "word"),
    [
        ("{public_url: 'https://pictures.example.org'}", "trusted_proxies"),
        ("{host: 0.0.0.0}", "in the open"),
        ("{public_url: 'https://pictures.example.org', trusted_proxies: 1}", ""),
        ("{host: 0.0.0.0, public_url: 'https://pictures.example.org'}", ""),
    ],
)
def test_the_doctor_notices_how_people_come_in(tmp_path: Path, section: str, word: str) -> None:
    (tmp_path / settings.FILE_NAME).write_text(f"api: {section.replace('{', '{authentication: true, ')}")
    notes = [found.text for found in doctor._exposure(settings.load(data_dir=tmp_path)) if found.level == "note"]
    assert [word in note for note in notes] == ([True] if word else [])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("API__REQUESTS_PER_ADDRESS", "many"),
        ("API__REQUESTS_PER_ACCOUNT", "0/minute"),
        ("AUTH__ATTEMPTS_PER_ACCOUNT", "10 a minute"),
        ("AUTH__LETTERS_PER_MAILBOX", "5/fortnight"),
        ("SAFETY__FETCH_NETWORKS", "10.0.0.1/8"),
        ("SAFETY__CHECKER", "rm -rf"),
    ],
)
def test_rates_and_networks_are_refused_that_mean_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: str
) -> None:
    monkeypatch.setenv(f"STABLEHAND_{key}", value)
    with pytest.raises(BadSettings, match=key.lower().replace("__", r"\.")):
        settings.load(data_dir=tmp_path)


def test_rates_may_be_several_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STABLEHAND_AUTH__ATTEMPTS_PER_ACCOUNT", "10/10 minutes; 100/day")
    monkeypatch.setenv("STABLEHAND_AUTH__LETTERS_PER_MAILBOX", "")
    monkeypatch.setenv("STABLEHAND_SAFETY__FETCH_NETWORKS", "10.0.0.0/8,fd00::/64")
    table = settings.load(data_dir=tmp_path)
    assert (table.auth.attempts_per_account, table.auth.letters_per_mailbox) == ("10/10 minutes; 100/day", None)
    assert table.safety.fetch_networks == ["10.0.0.0/8", "fd00::/64"]


@pytest.mark.parametrize(
    ("oidc", "word"),
    [
        ("{issuer: 'https://id.example.org'}", "client_id is needed"),
        ("{issuer: 'http://id.example.org', client_id: x}", "issuer must begin with https://"),
        ("{issuer: 'id.example.org', client_id: x}", "auth.oidc.issuer"),
        ("{issuer: 'https://id.example.org', client_id: x, scopes: email}", "scopes must hold openid"),
        (
            "{issuer: 'https://id.example.org', client_id: x, tiers: {gold: premiun}}",
            "tiers that are not there: premiun",
        ),
    ],
)
def test_a_provider_that_cannot_work_is_refused(tmp_path: Path, oidc: str, word: str) -> None:
    (tmp_path / settings.FILE_NAME).write_text(f"auth: {{oidc: {oidc}}}\n")
    with pytest.raises(BadSettings, match="not valid") as refused:
        settings.load(data_dir=tmp_path)
    assert word in refused.value.message


def test_a_provider_is_told_to_the_doors_and_its_secret_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    oidc = "{issuer: 'http://127.0.0.1:8', client_id: x, role_claim: groups, tiers: {gold: premium}}"
    (tmp_path / settings.FILE_NAME).write_text(f"auth: {{sign_up: closed, oidc: {oidc}}}\n")
    monkeypatch.setenv("STABLEHAND_AUTH__OIDC__CLIENT_SECRET", "the provider's secret")
    monkeypatch.setenv("STABLEHAND_AUTH__OIDC__ADMINS", "bosses, more bosses")
    table = settings.load(data_dir=tmp_path, command_line={"api": {"authentication": True}})
    told = provider_options(table.auth)
    assert told is not None
    assert told.client_secret == "the provider's secret"
    assert (told.rules.sign_up, told.rules.tiers) == ("closed", {"gold": "premium"})
    assert told.rules.admin_values == {"bosses", "more bosses"}
    assert "the provider's secret" not in f"{table} {told} {list(changed_settings(table))}"
    [finding] = list(doctor._provider(table))
    assert (finding.topic, finding.level) == ("sign-in", "problem")
    assert "http://127.0.0.1:8/.well-known/openid-configuration" in finding.text
