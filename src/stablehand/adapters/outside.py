"""The one way to fetch an address that a user has supplied, and to post to one.

What is reached is decided by the address that is connected to, never by the name: a name is resolved once, every
address that it has must be a public one, and the connection goes to the one that was checked. Each redirect is a new
address and is treated as such. So no form of writing an address, and no name whose meaning changes between two
look-ups, leads into the network of whoever runs the service.
"""

import functools
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import certifi
import httpcore

from stablehand.domain.errors import AddressRefused
from stablehand.domain.notify import ADDRESS_MAX_CHARACTERS

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str, int], Sequence[str]]

PICTURES = frozenset({"image/png", "image/jpeg", "image/webp"})

#: Ranges in which an IPv4 address is written inside an IPv6 one, for gateways that translate it.
_TRANSLATED = tuple(map(ipaddress.IPv6Network, ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")))
#: Special addresses of which the standard library says that they are public: protocol assignments (a cloud keeps its
#: metadata there), and relays.
_SPECIAL = tuple(map(ipaddress.IPv4Network, ("192.0.0.0/24", "192.88.99.0/24")))
#: How old programs write IPv4: a last part that is a number, in whatever base. Only four decimal parts are an address.
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9a-fA-F]*)\.?")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What may be fetched. ``networks``: those that the operator allows although they are not public."""

    networks: tuple[Network, ...] = ()
    types: frozenset[str] = PICTURES
    most_bytes: int = 10 * 1024 * 1024
    most_seconds: float = 10.0
    most_redirects: int = 3


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect to, and what to ask for there."""

    scheme: str
    host: str  #: as a name or an address, in ASCII
    port: int
    path: str  #: with the query
    address: IpAddress  #: that was checked


@dataclass(frozen=True, slots=True)
class Fetched:
    data: bytes
    type: str
    url: str  #: after redirects


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody says to what was posted. ``text``: the beginning of it."""

    status: int
    text: str
    location: str = ""  #: where a redirect would have led
    retry_after: str = ""  #: as the header has it


def resolve(host: str, port: int) -> list[str]:
    """Every address of a name, by this machine's resolver. Raises AddressRefused."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AddressRefused("its host is not known") from error
    return [str(entry[4][0]) for entry in found]


def target_of(url: str, rules: Rules, resolver: Resolver = resolve) -> Target:
    """Where an address leads, checked. Raises AddressRefused."""
    if len(url) > ADDRESS_MAX_CHARACTERS:
        raise AddressRefused(f"it is longer than {ADDRESS_MAX_CHARACTERS} characters")
    if any(character <= " " or character in "\\\x7f" for character in url):
        raise AddressRefused("it holds a space, a backslash or a control character")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused("it cannot be read") from error
    if parts.scheme not in {"http", "https"}:
        raise AddressRefused("it does not begin with http:// or https://")
    if "@" in parts.netloc:
        raise AddressRefused("it holds a user name")
    host = _ascii(parts.hostname or "")
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    if not 0 < port < 65536:
        raise AddressRefused("its port is no port")
    try:
        addresses: list[IpAddress] = [ipaddress.ip_address(host)]
    except ValueError:
        if _NUMERIC.fullmatch(host):
            raise AddressRefused("its host is a number") from None
        addresses = [ipaddress.ip_address(text) for text in resolver(host, port)]
    if not addresses:
        raise AddressRefused("its host has no address")
    for address in addresses:
        if not is_allowed(address, rules.networks):
            raise AddressRefused("its host is not on the public internet")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path, addresses[0])


def is_allowed(address: IpAddress, networks: Sequence[Network] = ()) -> bool:
    """Whether a connection may go there: a public address, or one that the operator allows."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if any(address in network for network in networks if network.version == address.version):
        return True
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id or address.is_site_local or address.sixtofour is not None or address.teredo is not None:
            return False
        if any(address in network for network in _TRANSLATED):
            return False
    elif any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved and not address.is_unspecified


def fetch(url: str, rules: Rules, *, resolver: Resolver = resolve) -> Fetched:
    """Fetch what lies at an address. Raises AddressRefused: whatever went wrong, there is nothing for us there."""
    deadline = time.monotonic() + rules.most_seconds
    for _ in range(rules.most_redirects + 1):
        target = target_of(url, rules, resolver)
        try:
            with _answer(target, deadline) as response:
                if response.status in _REDIRECTS:
                    before, url = url, urljoin(url, _header(response, "location"))
                    if before.startswith("https:") and not url.startswith("https:"):
                        raise AddressRefused("it leads from https to another scheme")
                    continue
                return Fetched(_read(response, rules), _type_of(response, rules), url)
        except httpcore.TimeoutException as error:
            raise AddressRefused(f"it takes longer than {rules.most_seconds:g} seconds") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, ValueError) as error:
            raise AddressRefused("it does not answer") from error
    raise AddressRefused(f"it leads on more than {rules.most_redirects} times")


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    rules: Rules,
    *,
    read_bytes: int,
    resolver: Resolver = resolve,
) -> Answer:
    """Post to an address, and read the first ``read_bytes`` of the answer. Redirects are not followed.

    Raises AddressRefused: it may not be reached, or has not answered in ``rules.most_seconds``.
    """
    deadline = time.monotonic() + rules.most_seconds
    target = target_of(url, rules, resolver)
    try:
        with _answer(target, deadline, method="POST", headers=headers, body=body) as response:
            return Answer(
                status=response.status,
                text=_beginning(response, read_bytes).decode(errors="replace"),
                location=_header(response, "location"),
                retry_after=_header(response, "retry-after"),
            )
    except httpcore.TimeoutException as error:
        raise AddressRefused(f"it takes longer than {rules.most_seconds:g} seconds") from error
    except (httpcore.NetworkError, httpcore.ProtocolError, ValueError) as error:
        raise AddressRefused("it does not answer") from error


def _beginning(response: httpcore.Response, most: int) -> bytes:
    """The status counts, however the rest of an answer goes."""
    data = bytearray()
    with suppress(httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        for part in response.iter_stream():
            data += part
            if len(data) >= most:
                break
    return bytes(data[:most])


class _Line(httpcore.NetworkStream):
    """A connection that ends at its time, however slowly the other side goes on talking."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del timeout
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        del timeout
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        del timeout
        return _Line(self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline)), self._deadline)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


class _Pinned(httpcore.SyncBackend):
    """Connects to the address that was checked, whatever name is asked for."""

    def __init__(self, address: IpAddress, deadline: float) -> None:
        self._address = str(address)
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        del host, timeout
        stream = super().connect_tcp(self._address, port, _left(self._deadline), local_address, socket_options)
        return _Line(stream, self._deadline)


def _left(deadline: float) -> float:
    """Seconds. Raises httpcore.ReadTimeout when there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout
    return left


@functools.lru_cache(maxsize=4)
def _trust(certificates: str) -> ssl.SSLContext:
    """Reading a file of certificates takes longer than most answers do."""
    return ssl.create_default_context(cafile=certificates)


@contextmanager
def _answer(
    target: Target,
    deadline: float,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Iterator[httpcore.Response]:
    """A connection to the address that was checked, under the name that was asked for."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
    usual = {"Host": f"{host}:{target.port}", "Accept-Encoding": "identity", "User-Agent": "Stablehand"}
    with (
        httpcore.ConnectionPool(
            ssl_context=_trust(certifi.where()),
            network_backend=_Pinned(target.address, deadline),
        ) as pool,
        pool.stream(method, url, headers=[*(usual | dict(headers or {})).items()], content=body) as response,
    ):
        yield response


def _header(response: httpcore.Response, name: str) -> str:
    """The last one of this name; empty when there is none."""
    found = [value for given, value in response.headers if given.lower() == name.encode()]
    return found[-1].decode("latin-1").strip() if found else ""


def _type_of(response: httpcore.Response, rules: Rules) -> str:
    kind = _header(response, "content-type").partition(";")[0].strip().lower()
    if kind not in rules.types:
        raise AddressRefused("it is none of: " + ", ".join(sorted(rules.types)))
    return kind


def _read(response: httpcore.Response, rules: Rules) -> bytes:
    """The bytes as they came: nothing is unpacked."""
    if response.status != 200:
        raise AddressRefused(f"it answers {response.status}")
    if (_header(response, "content-encoding") or "identity").lower() != "identity":
        raise AddressRefused("it is compressed")
    _type_of(response, rules)
    data = bytearray()
    for part in response.iter_stream():
        data += part
        if len(data) > rules.most_bytes:
            raise AddressRefused(f"it is larger than {rules.most_bytes} bytes")
    return bytes(data)


def _ascii(host: str) -> str:
    """The host as a resolver takes it; letters that stand for others are spelled out before anything is checked."""
    try:
        plain = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise AddressRefused("its host is no name") from error
    if not re.fullmatch(r"[0-9a-zA-Z._:-]+", plain):
        raise AddressRefused("its host is no name")
    return plain.lower()
