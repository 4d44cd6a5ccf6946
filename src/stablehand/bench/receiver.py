"""A receiver of webhooks that misbehaves: it fails, stalls, redirects, and hangs up on what it has taken."""

import base64
import hashlib
import hmac
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: of the tries that reach the bad address, how many end in which way; the rest is taken and answered 200
BAD: Mapping[str, float] = {"fails": 0.15, "redirects": 0.1, "hangs up": 0.1, "stalls": 0.005}
#: longer than a try may take
STALL_SECONDS = 3.0


class Receiver:
    """``/good`` takes everything, ``/bad`` misbehaves.

    ``taken``: path -> id -> how often. ``forged``: how many came with a signature that is none of ours.
    """

    def __init__(self, seed: int) -> None:
        self.taken: dict[str, Counter[str]] = {"/good": Counter(), "/bad": Counter()}
        self.arrived_at: dict[str, dict[str, float]] = {"/good": {}, "/bad": {}}  #: seconds, of the first time
        self.ends: Counter[str] = Counter()
        self.forged = 0
        self.secrets: dict[str, str] = {}
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:  # the courier was killed while it spoke: nothing was said yet
                    receiver.ends["cut off"] += 1
                    self.close_connection = True
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                end = receiver._take(self.path, headers, body)
                if end == "stalls":
                    time.sleep(STALL_SECONDS)
                if end in ("stalls", "hangs up"):
                    self.close_connection = True
                    return
                self.send_response({"fails": 500, "redirects": 302}.get(end, 200))
                if end == "redirects":
                    self.send_header("Location", "/good")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *words: object) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _take(self, path: str, headers: Mapping[str, str], body: bytes) -> str:
        """How this try ends. What is hung up on has been taken, and comes again."""
        message_id = headers["webhook-id"]
        is_signed = _is_signed(self.secrets[path], headers, body)
        with self._lock:
            end = self._misbehave() if path == "/bad" else "taken"
            self.ends[end] += 1
            self.forged += not is_signed
            if end in ("taken", "hangs up"):
                self.taken[path][message_id] += 1
                self.arrived_at[path].setdefault(message_id, time.monotonic())
            return end

    def _misbehave(self) -> str:
        drawn = self._chance.random()
        for end, share in BAD.items():
            drawn -= share
            if drawn < 0:
                return end
        return "taken"


def _is_signed(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """As a receiver would check it that knows nothing of us but the standard."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(f"v1,{expected}", given) for given in headers["webhook-signature"].split(" "))
