"""Addresses that users supply: however they are written, none leads into the network of whoever runs the service."""

import contextlib
import dataclasses
import ipaddress
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stablehand.adapters.outside import Answer, Rules, fetch, post, target_of
from stablehand.domain.errors import AddressRefused
from tests.certificates import own_certificate

PUBLIC = "93.184.216.34"
NAMES: dict[str, list[str]] = {
    "pictures.example.org": [PUBLIC],
    "six.example.org": ["2606:2800:220:1:248:1893:25c8:1946"],
    "xn--bcher-kva.example": [PUBLIC],
    "localhost": ["127.0.0.1", "::1"],
    "localhost.": ["127.0.0.1"],
    "inside.example.org": ["10.0.0.5"],
    "both.example.org": [PUBLIC, "192.168.1.1"],
    "nothing.example.org": [],
    "127.0.0.1.nip.example": ["127.0.0.1"],
    "metadata.google.internal": ["169.254.169.254"],
    "metadata": ["169.254.169.254"],
    "instance-data.ec2.internal": ["169.254.169.254"],
    "kubernetes.default.svc": ["10.96.0.1"],
    "mapped.example.org": ["::ffff:127.0.0.1"],
}


def resolver(host: str, port: int) -> Sequence[str]:
    assert port
    return NAMES[host]


REFUSED = """
http://127.0.0.1/ http://127.1/ http://127.0.1/ http://0/ http://0.0.0.0/ http://2130706433/ http://017700000001/
http://0x7f000001/ http://0x7f.0.0.1/ http://0177.0.0.1/ http://127.0.0.01/ http://127.0.0.1./ http://0x7f.1/
http://127.255.255.254/ http://10.0.0.1/ http://172.16.0.1/ http://172.31.255.255/ http://192.168.0.1/
http://100.64.0.1/ http://169.254.169.254/latest/meta-data/ http://169.254.170.2/ http://2852039166/
http://0xa9fea9fe/ http://192.0.0.192/ http://198.18.0.1/ http://192.0.2.1/ http://203.0.113.9/ http://224.0.0.1/
http://240.0.0.1/ http://255.255.255.255/ http://192.88.99.1/ http://[::1]/ http://[::]/ http://[::ffff:127.0.0.1]/
http://[::ffff:7f00:1]/ http://[::127.0.0.1]/ http://[::ffff:0:127.0.0.1]/ http://[64:ff9b::7f00:1]/
http://[64:ff9b:1::a00:1]/ http://[2002:7f00:1::]/ http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/ http://[fe80::1]/
http://[fe80::1%25eth0]/ http://[fc00::1]/ http://[fd00:ec2::254]/ http://[fec0::1]/ http://[ff02::1]/
http://[2001:db8::1]/ http://localhost/ http://LOCALHOST/ http://localhost./ http://inside.example.org/
http://both.example.org/ http://nothing.example.org/ http://127.0.0.1.nip.example/ http://metadata.google.internal/
http://metadata/ http://instance-data.ec2.internal/ http://kubernetes.default.svc/ http://mapped.example.org/
http://１２７.0.0.1/ http://①②⑦.0.0.1/ http://ⓛocalhost/ http://127。0。0。1/ http://pictures.example.org@127.0.0.1/
http://127.0.0.1@pictures.example.org/ http://user:word@pictures.example.org/
http://pictures.example.org\\@127.0.0.1/ http:\\\\127.0.0.1/ ftp://pictures.example.org/ file:///etc/passwd
gopher://pictures.example.org/ data:image/png;base64,AA== javascript:alert(1) //pictures.example.org/a http:///path
http://:80/ http:// pictures.example.org http://pictures.example.org:0/ http://pictures.example.org:99999/
http://pictures.example.org:x/ http://%31%32%37.0.0.1/ http://[::1 http://[127.0.0.1]/
http://pictures..example.org%00/
""".split()  # noqa: SIM905  one a line would be three pages


def test_there_are_enough_forms() -> None:
    assert len(set(REFUSED)) == len(REFUSED) > 60


@pytest.mark.parametrize("url", [*REFUSED, "http://pictures.example.org/a b", "http://pictures.example.org/\r\nX: y"])
def test_no_form_of_an_address_leads_inside(url: str) -> None:
    with pytest.raises(AddressRefused):
        target_of(url, Rules(), resolver)


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("http://pictures.example.org", "pictures.example.org", 80, "/"),
        ("HTTPS://Pictures.Example.org/a.png?b=c#d", "pictures.example.org", 443, "/a.png?b=c"),
        ("https://pictures.example.org:8443/a", "pictures.example.org", 8443, "/a"),
        (f"http://{PUBLIC}/a", PUBLIC, 80, "/a"),
        ("http://six.example.org/a", "six.example.org", 80, "/a"),
        ("http://bücher.example/a", "xn--bcher-kva.example", 80, "/a"),
    ],
)
def test_public_addresses_pass(url: str, host: str, port: int, path: str) -> None:
    target = target_of(url, Rules(), resolver)
    assert (target.host, target.port, target.path) == (host, port, path)


def test_an_operator_may_allow_a_network() -> None:
    rules = Rules(networks=(ipaddress.ip_network("10.0.0.0/24"),))
    assert str(target_of("http://inside.example.org/", rules, resolver).address) == "10.0.0.5"
    mapped = target_of("http://[::ffff:10.0.0.9]/", rules, resolver).address
    assert mapped == ipaddress.ip_address("::ffff:10.0.0.9")
    with pytest.raises(AddressRefused):
        target_of("http://10.0.1.1/", rules, resolver)


class _Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def do_GET(self) -> None:
        path, _, where = self.path.partition("?")
        if path in ("/slow-headers", "/slow-bytes"):
            self._dribble(path == "/slow-bytes")
            return
        kind = "text/html" if path == "/page" else "image/png"
        self.send_response(302 if path == "/on" else 404 if path == "/none" else 200)
        if path == "/on":
            self.send_header("Location", where)
        if path == "/packed":
            self.send_header("Content-Encoding", "gzip")
        body = b"x" * (5000 if path == "/large" else 10)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _dribble(self, in_body: bool) -> None:
        """Something always comes, and nothing ever ends."""
        if in_body:
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.end_headers()
        else:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        with contextlib.suppress(OSError):  # they have hung up
            while True:
                self.wfile.write(b"x")
                time.sleep(0.02)

    def log_message(self, *words: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


HERE = Rules(networks=(ipaddress.ip_network("127.0.0.1/32"),), most_bytes=4000)


def test_what_was_checked_is_what_is_connected_to(port: int) -> None:
    """A name that means something else each time it is asked for is asked for once."""
    asked = []

    def rebinding(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    got = fetch(f"http://turns.example.org:{port}/a", HERE, resolver=rebinding)
    assert (got.data, got.type, asked) == (b"x" * 10, "image/png", ["turns.example.org"])


def test_redirects_are_followed_a_few_times_and_checked_each_time(port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    assert fetch(f"{url}/on?/a", HERE).url == f"{url}/a"
    for onward in ("http://169.254.169.254/", "http://[::1]/", "file:///etc/passwd", "http://127.0.0.2/", "//0/"):
        with pytest.raises(AddressRefused):
            fetch(f"{url}/on?{onward}", HERE)
    with pytest.raises(AddressRefused, match="leads on more"):
        fetch(f"{url}/on?/on?/on?/on?/a", HERE)


@pytest.mark.parametrize(
    ("path", "why"), [("large", "larger"), ("page", "none of"), ("none", "404"), ("packed", "compr")]
)
def test_what_is_no_picture_of_a_fair_size_is_refused(port: int, path: str, why: str) -> None:
    with pytest.raises(AddressRefused, match=why):
        fetch(f"http://127.0.0.1:{port}/{path}", HERE)


def send(url: str, rules: Rules = HERE) -> Answer:
    return post(url, b"{}", {"Content-Type": "application/json"}, rules, read_bytes=100)


def test_what_is_posted_follows_no_redirect_and_reads_the_beginning_of_the_answer(port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    assert send(f"{url}/on?{url}/a") == Answer(302, "x" * 10, location=f"{url}/a")
    assert send(f"{url}/large") == Answer(200, "x" * 100)
    assert send(f"{url}/none").status == 404
    for elsewhere in (f"http://localhost:{port}/", "http://127.0.0.1:1/", "http://10.0.0.1/", "file:///etc/passwd"):
        with pytest.raises(AddressRefused):
            send(elsewhere, dataclasses.replace(HERE, networks=()) if "localhost" in elsewhere else HERE)


def test_the_status_counts_even_if_the_rest_of_the_answer_never_ends(port: int) -> None:
    rules = dataclasses.replace(HERE, most_seconds=0.3)
    answer = post(f"http://127.0.0.1:{port}/slow-bytes", b"{}", {}, rules, read_bytes=10**6)
    assert (answer.status, set(answer.text)) == (200, {"x"})
    with pytest.raises(AddressRefused, match=r"longer than 0\.3 seconds"):
        send(f"http://127.0.0.1:{port}/slow-headers", rules)


@pytest.mark.parametrize("path", ["slow-headers", "slow-bytes"])
def test_whoever_never_ends_is_left_alone(port: int, path: str) -> None:
    rules = dataclasses.replace(HERE, most_seconds=0.3, most_bytes=10**9)
    with pytest.raises(AddressRefused, match=r"longer than 0\.3 seconds"):
        fetch(f"http://127.0.0.1:{port}/{path}", rules)


def test_a_redirect_to_nowhere_is_refused(port: int) -> None:
    for onward in (f"http://127.0.0.1:{port}/on?http://127.0.0.1:1/", f"http://127.0.0.1:{port}/on?http://[::1/"):
        with pytest.raises(AddressRefused):
            fetch(onward, HERE)


def test_over_tls_the_name_is_checked_that_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not the address that is connected to."""
    certificate, key = own_certificate(tmp_path, "pictures.example.org")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    place = f"example.org:{server.server_address[1]}/a"
    try:
        with pytest.raises(AddressRefused):
            fetch(f"https://pictures.{place}", HERE, resolver=lambda *_: ["127.0.0.1"])  # signed by nobody known
        monkeypatch.setattr("certifi.where", lambda: str(certificate))
        assert fetch(f"https://pictures.{place}", HERE, resolver=lambda *_: ["127.0.0.1"]).data == b"x" * 10
        with pytest.raises(AddressRefused):
            fetch(f"https://others.{place}", HERE, resolver=lambda *_: ["127.0.0.1"])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
