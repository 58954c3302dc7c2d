"""What a scanned text or pasted link is: the fifteen kinds of member, payment codes, or no link at all.

The table is `kinds.toml`. This room says what a link is, which links are the same and how one is written in ASCII;
whether a member may be bound, how it is shown and whom it serves is decided elsewhere.

Any http(s) host is accepted as `other_url`, private ones included: a link is only ever opened by the scanner's own
phone, never fetched by this server, and only the marketer who printed the poster can bind one.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal
from unicodedata import normalize
from urllib.parse import quote, urlsplit

MAX_LINK_LENGTH = 2048

BadTargetCode = Literal["payment_code", "not_a_link"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table. `default_capacity` None: unlimited; `lifetime_hours` None: does not expire by itself.

    `app_link` opens the member's app from outside it ({link} is replaced by the percent-encoded link). `channel`: the
    query parameter by which the other side is told where somebody came from.
    """

    key: str
    name_zh: str
    name_en: str
    is_group: bool
    is_contact: bool
    default_capacity: int | None
    lifetime_hours: int | None
    opens_by_itself: bool
    needs_wechat: bool
    blocked_in_wechat: bool
    app_link: str | None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class BadTarget:
    """The text is no member: `payment_code` or `not_a_link`."""

    code: BadTargetCode


@dataclass(frozen=True, slots=True)
class _Pattern:
    scheme: str | None
    hosts: frozenset[str]
    path: re.Pattern[str]
    query: Mapping[str, re.Pattern[str]]
    volatile: frozenset[str]
    same_as: str | None

    def match(self, link: "_Link") -> dict[str, str] | None:
        """The named parts of the link, or None where it is another kind of link."""
        right_scheme = link.is_web if self.scheme is None else link.scheme == self.scheme
        if not right_scheme or link.authority not in self.hosts:
            return None
        found = self.path.fullmatch(link.path)
        if found is None:
            return None
        values = dict(link.pairs)
        wanted = {name: values[name] for name, right in self.query.items() if right.fullmatch(values.get(name, ""))}
        return found.groupdict("") | wanted if len(wanted) == len(self.query) else None


@dataclass(frozen=True, slots=True)
class _Link:
    """A link taken apart. `authority` is the host as browsers look it up (lower-case ASCII, no root dot), with its port
    unless that is the scheme's own."""

    scheme: str
    authority: str
    path: str
    query: str

    @property
    def is_web(self) -> bool:
        return self.scheme in _WEB_PORTS

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Query parameters as they stand: decoding and encoding again would change signatures inside them."""
        parts = (piece.partition("=") for piece in self.query.split("&") if piece)
        return [(name, value) for name, _, value in parts]


_WEB_PORTS: Mapping[str, int] = {"http": 80, "https": 443}
_HOST = re.compile(r"\w[\w-]*(?:\.[\w-]*\w)*|\[[0-9a-f:.]+\]", re.ASCII)
_FORBIDDEN = re.compile(r'[\s<>"\\]')


def classify(text: str) -> Kind | BadTarget:
    """The kind of member this text is. Hosts compare exactly and without case; the text is taken as it stands."""
    link = _take_apart(text)
    if _is_payment(text, link):
        return BadTarget("payment_code")
    if link is None:
        return BadTarget("not_a_link")
    for kind, pattern in _PATTERNS:
        if pattern.match(link) is not None:
            return kind
    return KINDS["other_url"] if link.is_web else BadTarget("not_a_link")


def canonical(text: str) -> str:
    """The form two texts share when they lead to the same member: no fragment, no volatile parameter, host lower-case.

    Text that is no link is its own form. A refreshed code of the same group is another link and stays another one.
    """
    link = _take_apart(text)
    if link is None or isinstance(classify(text), BadTarget):
        return text
    for _, pattern in _PATTERNS:
        parts = pattern.match(link)
        if parts is not None:
            return pattern.same_as.format(**parts) if pattern.same_as else _joined(link, pattern.volatile)
    return _joined(link)


def openable(text: str) -> str | None:
    """The http(s) link a browser can open: the text itself, the https form of an app's link, or None."""
    if isinstance(classify(text), BadTarget):
        return None
    link = _take_apart(text)
    return text if link is not None and link.is_web else canonical(text)


def ascii_form(text: str) -> str | None:
    """The same link in ASCII (host by IDNA, the rest percent-encoded), so that a code can be drawn; None: no link."""
    link = openable(text)
    if link is None or link.isascii():
        return link
    parts, apart = urlsplit(link), _take_apart(link)
    assert apart is not None
    return quote(parts._replace(netloc=apart.authority).geturl(), safe=_SAFE)


# What WeCom takes, and hands back as `state` when somebody has become a customer.
CHANNEL_BYTES = 64


def with_channel(link: str, kind: Kind, channel: str) -> str:
    """The link with `channel` as its own kind of parameter; as it is where there is none, or where it brings its own.

    A channel of more than 64 bytes keeps its beginning and gets a mark that tells it from others that begin alike.
    """
    if kind.channel is None or not channel:
        return link
    parts = urlsplit(link)
    if any(piece.partition("=")[0] == kind.channel for piece in parts.query.split("&")):
        return link
    pair = f"{kind.channel}={quote(_cut(channel), safe='')}"
    return parts._replace(query=f"{parts.query}&{pair}" if parts.query else pair).geturl()


def _cut(channel: str) -> str:
    whole = channel.encode()
    if len(whole) <= CHANNEL_BYTES:
        return channel
    mark = "~" + blake2b(whole, digest_size=4).hexdigest()
    return whole[: CHANNEL_BYTES - len(mark)].decode(errors="ignore") + mark


# All that may stand in a link as it is, "%" included: what is encoded already stays as it is.
_SAFE = "!#$%&'()*+,/:;=?@[]~"


def _take_apart(text: str) -> _Link | None:
    if not _is_plain(text):
        return None
    try:
        parts = urlsplit(text)
        host, port = _looked_up(parts.hostname or ""), parts.port
    except ValueError:
        return None
    if not parts.scheme or "@" in parts.netloc or not _HOST.fullmatch(host):
        return None
    own_port = port is None or port == _WEB_PORTS.get(parts.scheme)
    return _Link(parts.scheme, host if own_port else f"{host}:{port}", parts.path, parts.query)


def _looked_up(host: str) -> str:
    """Browsers fold full-width letters and drop the root dot: `ｗeixin.qq.com.` must not pass for another host."""
    if ":" in host:
        return f"[{host}]"
    if not host.isascii():
        host = normalize("NFKC", host).encode("idna").decode("ascii").lower()
    return host.removesuffix(".")


def _is_plain(text: str) -> bool:
    """Nothing invisible, no spaces, nothing that browsers read as another character; `isprintable` is false for
    control characters, bidirectional marks, zero-width characters and lone surrogates."""
    return 0 < len(text) <= MAX_LINK_LENGTH and text.isprintable() and not _FORBIDDEN.search(text)


def _is_payment(text: str, link: _Link | None) -> bool:
    scheme = text.partition(":")[0].lower() if ":" in text else ""
    if scheme in _PAYMENT_SCHEMES or text.startswith(_PAYMENT_PREFIXES):
        return True
    return link is not None and any(pattern.match(link) is not None for pattern in _PAYMENT_PATTERNS)


def _joined(link: _Link, volatile: frozenset[str] = frozenset()) -> str:
    kept = "&".join(p for p in link.query.split("&") if p and p.partition("=")[0] not in volatile)
    return quote(f"{link.scheme}://{link.authority}{link.path or '/'}" + (f"?{kept}" if kept else ""), safe=_SAFE)


def _pattern(row: Mapping[str, Any]) -> _Pattern:
    return _Pattern(
        scheme=row.get("scheme"),
        hosts=frozenset(row["hosts"]),
        path=re.compile(row["path"], re.ASCII),
        query={name: re.compile(value, re.ASCII) for name, value in row.get("query", {}).items()},
        volatile=frozenset(row.get("volatile", ())),
        same_as=row.get("same_as"),
    )


def _kind(row: Mapping[str, Any]) -> Kind:
    return Kind(
        key=row["key"],
        name_zh=row["name_zh"],
        name_en=row["name_en"],
        is_group=row.get("is_group", False),
        is_contact=row.get("is_contact", False),
        default_capacity=row.get("capacity"),
        lifetime_hours=row.get("lifetime_hours"),
        opens_by_itself=row.get("opens_by_itself", False),
        needs_wechat=row.get("needs_wechat", False),
        blocked_in_wechat=row.get("blocked_in_wechat", False),
        app_link=row.get("app_link"),
        channel=row.get("channel"),
    )


_TABLE = tomllib.loads(files(__package__).joinpath("kinds.toml").read_text("utf-8"))
KINDS: Mapping[str, Kind] = MappingProxyType({row["key"]: _kind(row) for row in _TABLE["kind"]})
_PATTERNS = tuple((KINDS[row["key"]], _pattern(part)) for row in _TABLE["kind"] for part in row.get("pattern", ()))
_PAYMENT_PATTERNS = tuple(_pattern(row) for row in _TABLE["payment"]["pattern"])
_PAYMENT_SCHEMES = frozenset(_TABLE["payment"]["schemes"])
_PAYMENT_PREFIXES = tuple(_TABLE["payment"]["text_prefixes"])
