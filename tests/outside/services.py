"""The services messages go to, spoken by small servers on 127.0.0.1: one for everything over HTTPS, one for mail.

`Services.resolve` sends every public name there, so that Apprise says what it would say to the real ones, over TLS with
a certificate of our own authority.
"""

import contextlib
import datetime as dt
import ipaddress
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOSTS = (
    "qyapi.weixin.qq.com", "oapi.dingtalk.com", "open.feishu.cn", "sctapi.ftqq.com", "api.day.app", "hooks.slack.com",
    "api.telegram.org", "hook.example.cn", "localhost",
)  # fmt: skip


@dataclass
class Heard:
    """One request. `sent` is its body, read as the JSON or the form it is."""

    host: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def sent(self) -> Any:
        if "json" in self.headers.get("content-type", ""):
            return json.loads(self.body)
        return dict(parse_qsl(self.body.decode()))


@dataclass
class Services:
    port: int
    authority: Path
    heard: list[Heard] = field(default_factory=list)
    # What to answer next, before the usual "yes": (status, body, headers).
    answers: list[tuple[int, bytes, dict[str, str]]] = field(default_factory=list)

    def resolve(self, host: str, port: int) -> list[tuple[str, int]]:
        with contextlib.suppress(ValueError):
            return [(str(ipaddress.ip_address(host)), port)]
        return [("127.0.0.1", self.port)]


YES = {
    "qyapi.weixin.qq.com": b'{"errcode":0,"errmsg":"ok"}',
    "oapi.dingtalk.com": b'{"errcode":0,"errmsg":"ok"}',
    "open.feishu.cn": b'{"StatusCode":0,"StatusMessage":"success","code":0}',
    "sctapi.ftqq.com": b'{"code":0,"message":"","data":{}}',
    "api.day.app": b'{"code":200,"message":"success"}',
    "hooks.slack.com": b"ok",
    "api.telegram.org": b'{"ok":true,"result":{"message_id":1}}',
}


class _Handler(BaseHTTPRequestHandler):
    services: Services

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        host = self.headers.get("Host", "").partition(":")[0]
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.services.heard.append(Heard(host, self.path, headers, body))
        usual = (200, YES.get(host, b"{}"), {})
        status, answer, more = self.services.answers.pop(0) if self.services.answers else usual
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        for name, value in more.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(answer)

    do_GET = do_POST

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    request_queue_size = 64  # several senders at once; a connection refused for want of a queue is not what is tested


@contextlib.contextmanager
def services(folder: Path, *, tls: bool = True) -> Iterator[Services]:
    authority, certificate = _certificates(folder) if tls else (folder / "none", folder / "none")
    server = _Server(("127.0.0.1", 0), _Handler)
    found = Services(server.server_address[1], authority)
    server.RequestHandlerClass = type("Handler", (_Handler,), {"services": found})
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _certificates(folder: Path) -> tuple[Path, Path]:
    """An authority's certificate, and one file with key and certificate for all of HOSTS."""
    now = dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Huozi's tests")])
    key, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def begin(subject: x509.Name, public: Any) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
        )

    root = (
        begin(name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_usage(signs=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    leaf = (
        begin(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "services")]), own.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .add_extension(_usage(signs=False), critical=True)
        .sign(key, hashes.SHA256())
    )
    authority, certificate = folder / "authority.pem", folder / "services.pem"
    pem = serialization.Encoding.PEM
    authority.write_bytes(root.public_bytes(pem))
    secret = own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    certificate.write_bytes(secret + leaf.public_bytes(pem))
    return authority, certificate


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(True, False, False, False, False, signs, signs, False, False)


@dataclass
class Mailbox:
    port: int
    letters: list[str] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    refuses: bool = False


class _Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as a client needs to hand in a letter."""

    mailbox: Mailbox

    def handle(self) -> None:
        self._say("220 mail.example.cn")
        while line := self.rfile.readline().decode().strip():
            verb = line.partition(" ")[0].upper()
            if verb == "DATA":
                self._say("354 go on")
                lines = iter(lambda: self.rfile.readline().decode(), ".\r\n")
                self.mailbox.letters.append("".join(lines))
            elif verb == "RCPT":
                if self.mailbox.refuses:
                    self._say("550 no such user")
                    continue
                self.mailbox.recipients.append(line.partition("<")[2].rstrip(">"))
            elif verb == "EHLO":
                self._say("250-mail.example.cn")
                self._say("250 8BITMIME")
                continue
            self._say("221 bye" if verb == "QUIT" else "250 ok")
            if verb == "QUIT":
                return

    def _say(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self.wfile.write(f"{text}\r\n".encode())


@contextlib.contextmanager
def mailbox() -> Iterator[Mailbox]:
    found = Mailbox(0)
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), type("Handler", (_Mail,), {"mailbox": found}))
    server.daemon_threads = True
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def nobody_listens() -> int:
    """A port that refuses connections."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
