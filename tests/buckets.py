"""A real S3 server (moto's, over HTTP) for tests, and buckets in it."""

import itertools

import httpx
from moto.server import ThreadedMotoServer

from stablehand.adapters.bucket import Address, Bucket

KEY_ID, SECRET = "test-key-id", "test-secret"


class BucketServer:
    """Listens on a free port until stopped. Buckets made here are forgotten with it."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.url = f"http://{host}:{port}"
        self._names = itertools.count()

    def make(self, prefix: str = "some/prefix") -> Address:
        """A new bucket, reached below ``prefix``."""
        name = f"bucket-{next(self._names)}"
        httpx.put(f"{self.url}/{name}", trust_env=False).raise_for_status()
        return Address(
            url=f"s3://{name}/{prefix}" if prefix else f"s3://{name}",
            endpoint=self.url,
            region="us-east-1",
            access_key_id=KEY_ID,
            secret_access_key=SECRET,
        )

    def open(self, prefix: str = "some/prefix") -> Bucket:
        return quick(self.make(prefix))

    def stop(self) -> None:
        self._server.stop()


def quick(address: Address) -> Bucket:
    """A bucket that gives up soon, for tests in which nobody answers."""
    return Bucket(address, request_seconds=10, retries=1, retry_seconds=3)
