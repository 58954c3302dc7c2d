"""Who is scanning: the visitor a cookie names, and what a request tells about phone, place and language.

A visitor is the signed cookie they bring. One that was tampered with, or that no longer reads, is nobody's: its bearer
is a new visitor, never an error. The address serves to find a place and is forgotten with the request; what is in the
cookie is `cookie`'s, what a user agent tells `agents`' business.
"""

import os
import re
import secrets
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from app.ledger.protocol import KeptSeat
from app.rules.regions import Place
from app.rules.slugs import is_placement
from app.rules.targeting import Position
from app.scan.agents import Agent, read_agent
from app.scan.answer import Answer, Scanner
from app.scan.cookie import VISITOR_BYTES, Kept, pack, unpack
from app.web.client_ip import Address, Network, client_address
from app.web.i18n import from_header
from app.web.signing import sign, verify

Environ = Mapping[str, Any]

COOKIE = "huozi_v"
PURPOSE = "visitor"
TWO_YEARS_SECONDS = 2 * 365 * 24 * 3600
LONGEST_COOKIE = 2000
# A returning visitor's cookie is sent again this often, so that two years begin anew.
REFRESH_DAYS = 30
DRAWN_AHEAD = 64  # visitors, by each thread
_ahead = threading.local()

_PURPOSES = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_PURPOSE", "HTTP_X_MOZ")
_LOOKING = re.compile(r"prefetch|prerender|preview", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Guest:
    """One request's visitor. `kept` is what their cookie said, or what a new one will say."""

    scanner: Scanner
    kept: Kept
    is_moved: bool = False

    def moved_to(self, city: str | None) -> "Guest":
        """They have just chosen a city (None: the one their phone is in), which their cookie remembers."""
        return Guest(replace(self.scanner, chosen_city=city), replace(self.kept, city=city), is_moved=True)

    def standing_at(self, position: Position) -> "Guest":
        """For one decision; no cookie ever knows."""
        return replace(self, scanner=replace(self.scanner, position=position))


class Visitors:
    """Reads visitors out of requests and writes their cookies. `locate`: the place of an address (`outside.geo`).
    `secure`: the service is reached by HTTPS. `language`: for a phone that asks for none."""

    def __init__(
        self,
        *,
        key: str,
        locate: Callable[[Address | None], Place],
        trusted_proxies: Sequence[Network],
        clock: Callable[[], datetime],
        secure: bool,
        language: str,
    ) -> None:
        self._key = key
        self._locate = locate
        self._trusted_proxies = trusted_proxies
        self._clock = clock
        self._language = language
        self._attributes = f"; Max-Age={TWO_YEARS_SECONDS}; Path=/; HttpOnly; SameSite=Lax" + (
            "; Secure" if secure else ""
        )

    def guest(self, environ: Environ, placement: str | None) -> Guest:
        """Whoever sent this request; a visitor without a (good) cookie is made now."""
        known = self._kept(environ.get("HTTP_COOKIE", ""))
        kept = known or Kept(_new_visitor(), self._today())
        agent = read_agent(environ.get("HTTP_USER_AGENT", ""))
        scanner = Scanner(
            visitor=kept.visitor,
            first=known is None,
            address_place=self._locate(self._address(environ)),
            chosen_city=kept.city,
            placement=placement,
            device=agent.device,
            app=agent.app,
            language=self.language(environ),
            kept=kept.seats,
            is_preview=only_looks(environ, agent, known is not None),
        )
        return Guest(scanner, kept)

    def known(self, environ: Environ) -> str | None:
        """The visitor this request's cookie names; None for nobody we know."""
        kept = self._kept(environ.get("HTTP_COOKIE", ""))
        return kept.visitor if kept is not None else None

    def language(self, environ: Environ) -> str:
        """`zh` or `en`: what the phone asks for; somebody who asks for neither reads English better than Chinese."""
        accept = environ.get("HTTP_ACCEPT_LANGUAGE", "")
        asked = from_header(accept) or read_agent(environ.get("HTTP_USER_AGENT", "")).language
        if asked is not None:
            return asked
        return "en" if accept.strip(" *,;") else self._language

    def cookie_after(self, guest: Guest, answer: Answer) -> str | None:
        """The Set-Cookie value this answer calls for, None where the phone already has it."""
        kept = remembered(guest.kept, answer)
        today = self._today()
        old = today - kept.since_day
        is_known = not guest.scanner.first and not guest.is_moved
        if kept == guest.kept and is_known and 0 <= old < REFRESH_DAYS:
            return None
        return self.cookie(kept if kept.since_day == today else replace(kept, since_day=today))

    def cookie(self, kept: Kept) -> str:
        """The whole Set-Cookie value; the oldest seats are left out until it fits."""
        while True:
            value = sign(PURPOSE, pack(kept), self._key)
            if len(value) <= LONGEST_COOKIE or not kept.seats:
                return f"{COOKIE}={value}{self._attributes}"
            kept = replace(kept, seats=kept.seats[:-1])

    def _today(self) -> int:
        return int(self._clock().timestamp()) // 86400

    def _address(self, environ: Environ) -> Address | None:
        forwarded = environ.get("HTTP_X_FORWARDED_FOR")
        return client_address(environ.get("REMOTE_ADDR", ""), forwarded, self._trusted_proxies)

    def _kept(self, header: str) -> Kept | None:
        for value in _values(header):
            payload = verify(PURPOSE, value, self._key)
            kept = unpack(payload) if payload is not None else None
            if kept is not None:
                return kept
        return None


def remembered(kept: Kept, answer: Answer) -> Kept:
    """`kept` after this answer. A scope decided without a seat holds none any more; an outage decides nothing."""
    if answer.scope is None:
        return kept
    if answer.seat is not None:
        seat = answer.seat
        taken = KeptSeat(seat.live_code_id, seat.member_id, seat.generation, answer.epoch)
        return kept if dict(kept.seats).get(answer.scope) == taken else kept.with_seat(answer.scope, taken)
    return kept if answer.provisional or answer.scope not in dict(kept.seats) else kept.with_seat(answer.scope, None)


def only_looks(environ: Environ, agent: Agent, has_cookie: bool) -> bool:
    """Is this a preview: HEAD, a browser fetching ahead, a link-preview or search agent?

    Previews are given no cookie, so an agent of the list that brings one has pressed "show me the code": somebody real.
    """
    return environ.get("REQUEST_METHOD") == "HEAD" or fetches_ahead(environ) or (agent.is_preview and not has_cookie)


def fetches_ahead(environ: Environ) -> bool:
    """A browser says it wants the page for later (Chrome, Firefox, Safari, in the words of each)."""
    said = [environ[name] for name in _PURPOSES if name in environ]
    return any(_LOOKING.search(words) for words in said)


def placement_of(query: str) -> str | None:
    """`?p=` where it is a name somebody could have given a poster; anything else is as good as none."""
    value = query_value(query, "p")
    return value if value is not None and is_placement(value) else None


def query_value(query: str, name: str) -> str | None:
    """The first value of `name`; None too where the query cannot be read."""
    if f"{name}=" not in query:
        return None
    try:
        return next((value for key, value in parse_qsl(query, max_num_fields=50) if key == name), None)
    except ValueError:
        return None


def _new_visitor() -> str:
    """An id nobody can guess. Random bytes are fetched for many at once: whoever asks the kernel for some lets go of
    the interpreter, for which a busy server's other threads wait."""
    if not getattr(_ahead, "bytes", None) or _ahead.pid != os.getpid():  # a fork must not make the same ids
        _ahead.pid = os.getpid()
        drawn = secrets.token_bytes(VISITOR_BYTES * DRAWN_AHEAD)
        _ahead.bytes = [drawn[start : start + VISITOR_BYTES] for start in range(0, len(drawn), VISITOR_BYTES)]
    return urlsafe_b64encode(_ahead.bytes.pop()).rstrip(b"=").decode()


def _values(header: str) -> Sequence[str]:
    """Every `huozi_v` of a Cookie header: a phone may send two, of an old path and of today's."""
    if COOKIE not in header:
        return ()
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    return [value for name, _, value in pairs if name == COOKIE][:4]
