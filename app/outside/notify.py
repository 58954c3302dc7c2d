"""Sends a message to a robot, a mailbox or a webhook; Apprise speaks the services' languages.

Decides how what people paste becomes an address, and what counts as sent: several services answer 200 and put "no" into
the body, which Apprise does not read. Every connection is made to an address that was looked at first, redirects
included, so that nobody can have us call machines inside our own network. Nothing said here holds an address or a key.
"""

import hashlib
import hmac
import ipaddress
import json
import logging
import re
import smtplib
import socket
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import requests
from apprise import NotifyFormat
from apprise.plugins.bark import NotifyBark
from apprise.plugins.dingtalk import NotifyDingTalk
from apprise.plugins.feishu import NotifyFeishu
from apprise.plugins.serverchan import NotifyServerChan
from apprise.plugins.slack import NotifySlack
from apprise.plugins.telegram import NotifyTelegram
from apprise.plugins.wecombot import NotifyWeComBot
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError
from urllib3.util.connection import create_connection

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it loads the standard library's imghdr for PGP's sake
    from apprise.plugins.email import NotifyEmail

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = tuple[str, int]
Resolve = Callable[[str, int], Sequence[Address]]

TIMEOUT_SECONDS = 15.0
MOST_READ = 64 * 1024
LONGEST_REASON = 200
# Named one by one: asked for an address, Apprise loads all of its 140 services first.
PLUGINS: Mapping[str, Any] = {
    "wecom": NotifyWeComBot,
    "dingtalk": NotifyDingTalk,
    "feishu": NotifyFeishu,
    "mail": NotifyEmail,
    "bark": NotifyBark,
    "serverchan": NotifyServerChan,
    "telegram": NotifyTelegram,
    "slack": NotifySlack,
}
KINDS = (*PLUGINS, "webhook")
# Where the "no" stands in an answer with status 200: its names, and the numbers that mean yes.
VERDICTS = ("errcode", "code", "errno", "StatusCode")
YES = (0, 200)

# Apprise writes whole addresses, keys included, into its log.
logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to. address: the webhook's or server's address as its service shows it, or the bare key; secret: a signing
    key or a password; to: recipients of mail, a chat's number."""

    kind: str
    address: str = field(repr=False)
    secret: str = field(default="", repr=False)
    to: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """`id` stays the same when it is sent again. `facts`: what a webhook gets beside the words."""

    id: str
    title: str
    body: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class NotSent(Exception):
    """Why not, in a few words without addresses or keys: "answered 403", "errcode 93000", "private_address"."""


def resolve(host: str, port: int) -> list[Address]:
    """Every address of this host."""
    return [(str(found[4][0]), port) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Notifier:
    """`allowed`: networks that may be called although they are not public."""

    def __init__(self, allowed: Sequence[Network] = (), resolve: Resolve = resolve) -> None:
        self._allowed = tuple(allowed)
        self._resolve = resolve

    def wrong(self, target: Target) -> str | None:
        """What is wrong with what was typed, before anything is sent: `address`, `to`, or None."""
        if target.kind == "webhook":
            return None if _is_http(target.address) else "address"
        if target.kind == "mail" and not re.fullmatch(r"[^@\s,]+@[^@\s,]+(\s*,\s*[^@\s,]+@[^@\s,]+)*", target.to):
            return "to"
        if target.kind == "telegram" and not re.fullmatch(r"[@\w-]{1,64}", target.to):
            return "to"
        return None if _plugin(target) is not None else "address"

    def send(self, target: Target, message: Message) -> None:
        """Raises NotSent. Takes as long as the service does, 15 seconds at most a step."""
        with _guarded(self):
            if target.kind == "webhook":
                self._call_webhook(target, message)
            else:
                self._send_by_apprise(target, message)

    def address_of(self, host: str, port: int) -> Address:
        """The address to connect to. Refused where any of the host's is private: it would only take another try."""
        try:
            found = self._resolve(host.strip("[]"), port)
        except (OSError, UnicodeError):
            raise NotSent("unknown_host") from None
        if not found or not all(self._may_call(address) for address, _ in found):
            raise NotSent("private_address")
        return found[0]

    def _may_call(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return False
        inner = getattr(address, "ipv4_mapped", None) or address
        if any(inner.version == network.version and inner in network for network in self._allowed):
            return True
        return inner.is_global and not inner.is_multicast

    def _call_webhook(self, target: Target, message: Message) -> None:
        body = json.dumps(
            {"id": message.id, "title": message.title, "text": message.body, **message.facts}, ensure_ascii=False
        ).encode()
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Huozi", "X-Huozi-Id": message.id}
        if target.secret:
            mark = hmac.new(target.secret.encode(), body, hashlib.sha256).hexdigest()
            headers["X-Huozi-Signature"] = f"sha256={mark}"
        try:
            answer = requests.post(
                target.address, data=body, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False
            )
        except (requests.RequestException, ValueError) as error:
            raise NotSent(_reason(error)) from None
        if not 200 <= answer.status_code < 300:
            raise NotSent(f"answered {answer.status_code}")

    def _send_by_apprise(self, target: Target, message: Message) -> None:
        plugin = _plugin(target)
        if plugin is None:
            raise NotSent("address")
        if target.kind == "mail":
            # smtplib opens its own connection, so this is the one look that is taken before and not while connecting.
            self.address_of(urlsplit(target.address).hostname or "", urlsplit(target.address).port or 465)
        noted = _noted.set([])
        try:
            sent = plugin.notify(body=message.body, title=message.title, body_format=NotifyFormat.TEXT)
            reasons = _noted.get()
        except (requests.RequestException, smtplib.SMTPException, OSError, TypeError, ValueError) as error:
            raise NotSent(_reason(error)) from None
        finally:
            _noted.reset(noted)
        if not sent:
            raise NotSent(reasons[-1] if reasons else "not accepted")


def _reason(error: Exception) -> str:
    """The refusal inside a library's error, else its name: their texts hold whole addresses."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, NotSent):
            return str(cause)[:LONGEST_REASON]
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def _is_http(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def _plugin(target: Target) -> Any:
    """Apprise's plugin for this target, None where it will not have it."""
    try:
        url = _apprise_url(target)
        parts = PLUGINS[target.kind].parse_url(url) if url is not None else None
        return PLUGINS[target.kind](**parts) if parts else None
    except (TypeError, ValueError):  # its own AppriseImproperlyConfigured is a TypeError
        return None


def _apprise_url(target: Target) -> str | None:
    """Apprise's form of what its service calls the address; None where it is none."""
    address, part = target.address.strip(), _quoted
    match target.kind:
        case "wecom":
            key = _from_query(address, "key")
            return f"wecombot://{part(key)}" if key else None
        case "dingtalk":
            key = _from_query(address, "access_token")
            signed = f"{part(target.secret)}@" if target.secret else ""
            return f"dingtalk://{signed}{part(key)}/" if key else None
        case "feishu":
            key = address.rstrip("/").rpartition("/")[2]
            return f"feishu://{part(key)}" if re.fullmatch(r"[\w-]{20,64}", key) else None
        case "serverchan":
            found = re.search(r"(?:^|/)([A-Za-z0-9]{10,80})(?:\.send)?/?$", address)
            return f"schan://{part(found[1])}" if found else None
        case "bark":
            return _bark_url(address)
        case "telegram":
            return f"tgram://{address}/{part(target.to)}" if re.fullmatch(r"\d+:[\w-]{30,50}", address) else None
        case "slack":
            parts = re.search(r"(?:services/)?(T\w+)/(B\w+)/(\w+)/?$", address)
            return f"slack://{'/'.join(parts.groups())}" if parts else None
        case "mail":
            return _mail_url(target)
    return None


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _from_query(address: str, name: str) -> str:
    """The key in a pasted webhook, or the bare key."""
    if "://" in address:
        return parse_qs(urlsplit(address).query).get(name, [""])[0]
    return address if re.fullmatch(r"[\w-]{20,128}", address) else ""


def _bark_url(address: str) -> str | None:
    if not _is_http(address):
        address = f"https://api.day.app/{address}"
    parts = urlsplit(address)
    key = parts.path.strip("/").partition("/")[0]
    scheme = "barks" if parts.scheme == "https" else "bark"
    port = f":{parts.port}" if parts.port else ""
    return f"{scheme}://{parts.hostname}{port}/{_quoted(key)}/" if re.fullmatch(r"\w{6,64}", key) else None


def _mail_url(target: Target) -> str | None:
    """address: smtps://name@server:465 (TLS at once), smtp+starttls://…:587 or smtp://…:25; secret: the password."""
    parts = urlsplit(target.address)
    modes = {"smtps": "ssl", "smtp+starttls": "starttls", "smtp": "insecure"}
    if parts.scheme not in modes or not parts.hostname:
        return None
    user = parts.username or ""
    login = f"{user}:{_quoted(target.secret)}@" if user else ""
    sender = _sender(user, target.to)
    secure = "mailto" if parts.scheme == "smtp" else "mailtos"
    port = parts.port or {"smtps": 465, "smtp+starttls": 587, "smtp": 25}[parts.scheme]
    to = _quoted(target.to.replace(" ", ""))
    return (
        f"{secure}://{login}{parts.hostname}:{port}/?smtp={parts.hostname}&mode={modes[parts.scheme]}"
        f"&from={_quoted(sender)}&to={to}&format=text"
    )


def _sender(user: str, to: str) -> str:
    """Most servers take mail only from the mailbox that logged in; those that ask nobody, from the recipients' own."""
    name = user.replace("%40", "@")
    return name if "@" in name else f"{name or 'huozi'}@{to.partition(',')[0].strip().rpartition('@')[2]}"


_guard: ContextVar[Notifier | None] = ContextVar("guard", default=None)
_noted: ContextVar[list[str]] = ContextVar("noted")


@contextmanager
def _guarded(notifier: Notifier) -> Iterator[None]:
    token = _guard.set(notifier)
    try:
        yield
    finally:
        _guard.reset(token)


class _Looks:
    """A connection that looks at the address before it connects to it, and connects to that very address."""

    def _new_conn(self: Any) -> socket.socket:
        guard = _guard.get()
        assert guard is not None
        try:
            address = guard.address_of(self._dns_host, self.port)
            return create_connection(address, self.timeout, socket_options=self.socket_options)
        except (NotSent, OSError) as error:
            _note(str(error) if isinstance(error, NotSent) else "cannot_connect")
            raise NewConnectionError(self, "refused") from error


class _Plain(_Looks, HTTPConnection):
    pass


class _Tls(_Looks, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _Tls


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}

    def send(self, request: Any, *args: Any, **options: Any) -> Any:
        """Without a proxy, which would look names up for itself. Reads no more than a page of the answer, and turns a
        "no" inside a 200 into an error."""
        answer = super().send(request, *args, **{**options, "proxies": {}, "stream": True})
        body = answer.raw.read(MOST_READ, decode_content=True) or b""
        answer.close()
        answer._content, answer._content_consumed = body, True
        if answer.status_code >= 400:
            _note(f"answered {answer.status_code}")
        elif (verdict := _verdict(body)) is not None:
            _note(verdict)
            raise requests.ConnectionError("refused") from NotSent(verdict)
        return answer


def _verdict(body: bytes) -> str | None:
    try:
        said = json.loads(body)
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    for name in VERDICTS:
        number = said.get(name)
        if isinstance(number, int) and not isinstance(number, bool) and number not in YES:
            return f"{name} {number}"
    return None


def _note(reason: str) -> None:
    """Apprise tells nobody why; this does, to whoever waits for it."""
    noted = _noted.get(None)
    if noted is not None:
        noted.append(reason[:LONGEST_REASON])


_get_adapter = requests.Session.get_adapter


def _get_guarded_adapter(self: requests.Session, url: Any) -> Any:
    return _get_adapter(self, url) if _guard.get() is None else _Adapter()


# Apprise makes its sessions itself, deep inside; this is the one place they all pass.
requests.Session.get_adapter = _get_guarded_adapter  # type: ignore[method-assign]
