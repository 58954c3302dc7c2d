"""Posts one message to an address that a user typed: another program's webhook.

Decides which addresses may be called (https; http inside networks that were named; nothing private unless it was named)
and how long a receiver may take. The address is looked at and then connected to, never looked up twice; redirects are
answers like any other, not followed; no proxy. Nothing said here holds an address or a key.
"""

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from threading import Timer
from urllib.parse import SplitResult, quote, urlsplit

import certifi

from app.outside.notify import Address, Network, Notifier, NotSent, Resolve, resolve

STEP_SECONDS = 5.0
TOTAL_SECONDS = 15.0
LONGEST_URL = 1000
MOST_READ = 4096


@dataclass(frozen=True, slots=True)
class Reply:
    """`status`: None where no answer came; `problem`: why it does not count as received, in one word."""

    status: int | None
    problem: str = ""


class Poster:
    """`allowed`: networks that may be called although they are not public, by plain http, too."""

    def __init__(self, allowed: Sequence[Network] = (), resolve: Resolve = resolve) -> None:
        self._allowed = tuple(allowed)
        self._notifier = Notifier(allowed, resolve)
        self._tls: ssl.SSLContext | None = None

    def wrong(self, url: str) -> str | None:
        """What is wrong with an address before anything is sent: `address`, `http`, `unknown_host` or
        `private_address`; None when it may be called. Looks the name up."""
        parts = _parts(url)
        if parts is None:
            return "address"
        try:
            self._address(parts)
        except NotSent as refused:
            return str(refused)
        return None

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Sends `body`; 15 seconds at most, however the receiver dawdles."""
        parts = _parts(url)
        if parts is None:
            return Reply(None, "address")
        try:
            return self._send(parts, body, headers)
        except NotSent as refused:
            return Reply(None, str(refused))
        except ssl.SSLError:
            return Reply(None, "tls")
        except TimeoutError:
            return Reply(None, "timeout")
        except (OSError, http.client.HTTPException, ValueError):
            return Reply(None, "connection")

    def _send(self, parts: SplitResult, body: bytes, headers: Mapping[str, str]) -> Reply:
        late: list[bool] = []

        def cut(raw: socket.socket) -> None:
            late.append(True)
            with suppress(OSError):
                raw.shutdown(socket.SHUT_RDWR)

        with closing(self._connected(parts)) as raw:
            timer = Timer(TOTAL_SECONDS, cut, (raw,))
            timer.daemon = True
            timer.start()
            try:
                status = self._ask(parts, raw, body, headers)
            except (OSError, http.client.HTTPException):
                if not late:
                    raise
            finally:
                timer.cancel()
        if late:  # what was cut off reads like an end
            raise TimeoutError
        return Reply(status, "" if 200 <= status < 300 else "redirect" if 300 <= status < 400 else "refused")

    def _connected(self, parts: SplitResult) -> socket.socket:
        raw = socket.create_connection(self._address(parts), STEP_SECONDS)
        if parts.scheme == "http":
            return raw
        try:
            return self._context().wrap_socket(raw, server_hostname=parts.hostname)
        except BaseException:
            raw.close()
            raise

    def _ask(self, parts: SplitResult, raw: socket.socket, body: bytes, headers: Mapping[str, str]) -> int:
        raw.settimeout(TOTAL_SECONDS)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(str(parts.hostname), parts.port)
        connection.sock = raw
        wanted = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe="/?%:@!$&'()*+,;=~-._")
        connection.request("POST", wanted, body, {**headers, "Connection": "close"})
        answer = connection.getresponse()
        answer.read(MOST_READ)
        answer.close()
        return answer.status

    def _address(self, parts: SplitResult) -> Address:
        address = self._notifier.address_of(str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80))
        if parts.scheme == "http" and not self._is_named(address[0]):
            raise NotSent("http")
        return address

    def _is_named(self, text: str) -> bool:
        address = ipaddress.ip_address(text.partition("%")[0])
        inner = getattr(address, "ipv4_mapped", None) or address
        return any(inner.version == network.version and inner in network for network in self._allowed)

    def _context(self) -> ssl.SSLContext:
        """The system's authorities and, where an image has none, Mozilla's."""
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.load_verify_locations(certifi.where())
        return self._tls


def _parts(url: str) -> SplitResult | None:
    """None for what is no plain http or https address: with a name and password in it, a fragment, or blanks."""
    if len(url) > LONGEST_URL or any(mark.isspace() or ord(mark) < 32 or ord(mark) == 127 for mark in url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return None
    return None if parts.fragment or "@" in parts.netloc else parts
