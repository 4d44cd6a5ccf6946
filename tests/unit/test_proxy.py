"""The proxy does to a connection what it says, and nothing else."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.proxy import Proxy


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """In front of a server that answers with what it is told."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer(line: socket.socket) -> None:
        with line:
            try:
                while data := line.recv(1000):
                    line.sendall(data)
            except OSError:
                return  # reset

    def serve() -> None:
        while True:
            try:
                line, _ = server.accept()
            except OSError:
                return  # closed
            threading.Thread(target=answer, args=(line,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    proxy = Proxy(("127.0.0.1", server.getsockname()[1]))
    yield proxy
    proxy.close()
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def call(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=30)


def ask(line: socket.socket, words: bytes = b"hello") -> bytes:
    line.sendall(words)
    return line.recv(1000)


def is_silent(line: socket.socket) -> bool:
    line.settimeout(0.3)
    try:
        ask(line)
    except TimeoutError:
        return True
    return False


def test_without_a_fault_all_passes_and_ends_too(proxy: Proxy) -> None:
    line = call(proxy)
    assert ask(line) == b"hello"
    line.shutdown(socket.SHUT_WR)
    assert line.recv(10) == b""


def test_latency(proxy: Proxy) -> None:
    line = call(proxy)
    proxy.latency(0.2)
    began = time.monotonic()
    assert ask(line) == b"hello"
    assert time.monotonic() - began >= 0.4, "once each way"


def test_reset(proxy: Proxy) -> None:
    line = call(proxy)
    ask(line)
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        line.recv(10)
    assert ask(call(proxy)) == b"hello"


def test_half_open(proxy: Proxy) -> None:
    line = call(proxy)
    ask(line)
    proxy.half_open()
    assert is_silent(line)
    assert ask(call(proxy)) == b"hello"


def test_black_hole(proxy: Proxy) -> None:
    line = call(proxy)
    ask(line)
    proxy.black_hole()
    later = call(proxy)
    assert is_silent(line)
    assert is_silent(later)
    proxy.heal()
    assert is_silent(line)
    assert ask(call(proxy)) == b"hello"


def test_slow_close(proxy: Proxy) -> None:
    line = call(proxy)
    ask(line)
    proxy.slow_close(0.2)
    began = time.monotonic()
    line.shutdown(socket.SHUT_WR)
    assert line.recv(10) == b""
    assert time.monotonic() - began >= 0.4, "once each way"


def test_byte_limit(proxy: Proxy) -> None:
    proxy.byte_limit(100)
    line = call(proxy)
    assert ask(line) == b"hello"
    with pytest.raises(ConnectionResetError):
        ask(line, b"x" * 200)
    proxy.heal()
    assert ask(call(proxy), b"x" * 200) == b"x" * 200
