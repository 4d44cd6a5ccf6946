"""The doctor looks at Redis."""

from pathlib import Path

import redis

from stablehand import doctor, settings
from tests.fleet.redis_server import RedisServer
from tests.running import free_port


def look(folder: Path, url: str) -> doctor.Finding:
    (folder / settings.FILE_NAME).write_text(f"queue:\n  redis_url: {url}\n")
    (finding,) = doctor._redis(settings.load(data_dir=folder))
    return finding


def test_a_message_goes_through_redis_and_back(tmp_path: Path, redis_server: RedisServer) -> None:
    found = look(tmp_path, redis_server.url)
    assert (found.level, found.mend) == ("ok", "")
    assert f":{redis_server.port}/0, version " in found.text


def test_what_is_wrong_is_said_without_the_password(tmp_path: Path, redis_server: RedisServer) -> None:
    place = f"127.0.0.1:{redis_server.port}/0"
    with redis.Redis.from_url(redis_server.url) as client:
        client.acl_setuser(
            "mute", enabled=True, passwords=["+a-secret"], commands=["+ping"], categories=["+@connection"]
        )
    for url, why in (
        (f"redis://mute:a-secret@{place}", "did not arrive"),
        (f"redis://mute:another-secret@{place}", "cannot be used"),
        (f"redis://:a-secret@127.0.0.1:{free_port()}/0", "cannot be used"),
        ("redis://:a-secret@127.0.0.1:port/0", "cannot be used"),
    ):
        found = look(tmp_path, url)
        assert found.level == "problem"
        assert why in found.text
        assert found.mend
        assert "secret" not in found.text + found.mend


def test_without_redis_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert list(doctor._redis(settings.load(data_dir=tmp_path))) == []


def test_where_people_sign_in_redis_must_count(tmp_path: Path, redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        rights = {"categories": ["+@connection", "+@pubsub"], "commands": ["+ping", "+info"], "channels": ["*"]}
        client.acl_setuser("hinting", enabled=True, passwords=["+a-secret"], **rights)
        client.acl_setuser("counting", enabled=True, passwords=["+a-secret"], **rights, keys=["stablehand:rates:*"])
        client.acl_setuser("counting", enabled=True, commands=["+evalsha", "+script", "+eval", "+incrby", "+expire"])
    for user, levels in (("hinting", ["ok", "problem"]), ("counting", ["ok"])):
        url = f"redis://{user}:a-secret@127.0.0.1:{redis_server.port}/0"
        (tmp_path / settings.FILE_NAME).write_text(f"queue:\n  redis_url: {url}\napi: {{authentication: true}}\n")
        found = list(doctor._redis(settings.load(data_dir=tmp_path)))
        assert [finding.level for finding in found] == levels, found
        assert "secret" not in str(found)
