"""One held connection to a Redis, and the words on it.

Raw sockets and hiredis' parser, because redis-py's `evalsha` costs 33 µs of CPU and this 6. Which server to connect to
is `servers`' business.
"""

import contextlib
import os
import socket
import ssl
from collections.abc import Sequence
from typing import Any

import hiredis

CONNECT_SECONDS = 0.5
ANSWER_SECONDS = 1.0

Address = tuple[str, int]
Command = Sequence[bytes]


class Refused(Exception):
    """Redis's own error answer, such as NOSCRIPT or OOM."""


def encode(command: Command) -> bytes:
    parts = [b"*%d\r\n" % len(command)]
    for word in command:
        parts.append(b"$%d\r\n%b\r\n" % (len(word), word))
    return b"".join(parts)


class Wire:
    """One connection. Every failure is an OSError."""

    def __init__(self, address: Address | str, login: Sequence[Command], context: ssl.SSLContext | None) -> None:
        self.pid = os.getpid()
        if isinstance(address, str):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(CONNECT_SECONDS)
            self._socket.connect(address)
        else:
            self._socket = socket.create_connection(address, CONNECT_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                self._socket = context.wrap_socket(self._socket, server_hostname=address[0])
        self._timeout = CONNECT_SECONDS
        self._reader = hiredis.Reader()
        try:
            for command in login:
                answer = self.ask(encode(command))
                if isinstance(answer, hiredis.ReplyError):
                    raise OSError(f"login refused: {answer}")
        except BaseException:
            self.close()
            raise

    def ask(self, data: bytes, timeout: float = ANSWER_SECONDS) -> Any:
        """The answer to one encoded command."""
        if timeout != self._timeout:
            self._socket.settimeout(timeout)
            self._timeout = timeout
        self._socket.sendall(data)
        return self.answer()

    def send(self, data: bytes) -> None:
        self._socket.settimeout(30)
        self._timeout = 30
        self._socket.sendall(data)

    def answer(self) -> Any:
        reader = self._reader
        answer = reader.gets()
        while answer is False:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("the server closed the connection")
            reader.feed(data)
            answer = reader.gets()
        return answer

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()
