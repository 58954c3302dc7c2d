"""One held connection to a Redis, and the words on it.

Raw sockets and hiredis' parser, because redis-py's `evalsha` costs 33 µs of CPU and this 6. The kernel limits how long
an answer is waited for: Python would ask first whether the socket is ready, and whoever asks the kernel lets go of the
interpreter, for which the other threads wait. Which server to connect to is `servers`' business.
"""

import contextlib
import os
import socket
import ssl
from collections.abc import Sequence
from struct import Struct
from typing import Any

import hiredis

CONNECT_SECONDS = 0.5
ANSWER_SECONDS = 1.0
LOAD_SECONDS = 30.0  # for many commands at once

_TIMEVAL = Struct("@ll")  # seconds, microseconds

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
        self._timeout = 0.0
        self._limit(CONNECT_SECONDS)
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
            self._limit(timeout)
        self._write(data)
        return self.answer()

    def send(self, data: bytes) -> None:
        self._limit(LOAD_SECONDS)
        self._write(data)

    def answer(self) -> Any:
        reader = self._reader
        answer = reader.gets()
        while answer is False:
            try:
                data = self._socket.recv(65536)
            except BlockingIOError as error:
                raise TimeoutError("no answer in time") from error
            if not data:
                raise ConnectionError("the server closed the connection")
            reader.feed(data)
            answer = reader.gets()
        return answer

    def _write(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except BlockingIOError as error:
            raise TimeoutError("the server takes nothing") from error

    def _limit(self, seconds: float) -> None:
        """How long a read or a write may take from now on."""
        self._timeout = seconds
        if isinstance(self._socket, ssl.SSLSocket):
            self._socket.settimeout(seconds)  # what TLS reads and writes is not what the caller does
            return
        self._socket.settimeout(None)
        whole, rest = divmod(round(seconds * 1_000_000), 1_000_000)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._socket.setsockopt(socket.SOL_SOCKET, option, _TIMEVAL.pack(whole, rest))

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()
