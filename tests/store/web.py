"""A web server for downloads: ranges, broken connections, redirects and refusals at will."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Web:
    """What is served, and how badly."""

    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    break_after: list[int] = field(default_factory=list)  #: bytes of each next answer after which it breaks off
    has_ranges: bool = True
    tells_length: bool = True
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)  #: path, Range, Authorization
    url: str = ""

    def tag(self, path: str) -> str:
        return f'"{hash(self.files[path])}"'


@contextmanager
def serving() -> Iterator[Web]:
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            wanted = self.headers.get("Range")
            web.asked.append((path, wanted, self.headers.get("Authorization")))
            if path in web.redirects:
                self.answer(302, b"", {"Location": web.redirects[path]})
            elif path in web.statuses:
                self.answer(web.statuses[path], b"no", {})
            elif path not in web.files:
                self.answer(404, b"no", {})
            else:
                self.file(path, wanted)

        def file(self, path: str, wanted: str | None) -> None:
            data, tag = web.files[path], web.tag(path)
            unchanged = self.headers.get("If-Range", tag) == tag
            if wanted is None or not web.has_ranges or not unchanged:
                self.answer(200, data, {"ETag": tag})
                return
            begin = int(wanted.removeprefix("bytes=").rstrip("-"))
            if begin >= len(data):
                self.answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
                return
            span = f"bytes {begin}-{len(data) - 1}/{len(data)}"
            self.answer(206, data[begin:], {"ETag": tag, "Content-Range": span})

        def answer(self, status: int, data: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if web.tells_length or status != 200:
                self.send_header("Content-Length", str(len(data)))
            else:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            if web.break_after and status in (200, 206):
                self.wfile.write(data[: web.break_after.pop(0)])
                self.wfile.flush()
                self.close_connection = True
                return
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    web.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
