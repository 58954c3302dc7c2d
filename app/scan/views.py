"""The scan door: a small WSGI application before Flask that answers `/s/…` and `/m/…`, and passes on everything else.

Flask's dispatch and a template cost three times what a scan does, so the environ is read and bytes are written here.
This room knows the routes: which question is whose, and which status an answer has. What is decided is `decide`'s, who
scans `visitor`'s, what is said `landing`'s business. Whatever goes wrong, a scanner is served a page.
"""

import logging
import re
import secrets
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote

from app.outside.files import FileStore
from app.rules.kinds import KINDS, ascii_form
from app.rules.model import ChoicePolicy, Outcome
from app.rules.slugs import is_slug
from app.scan import landing, places
from app.scan.answer import Answer, Refused
from app.scan.answer_json import UNKNOWN, json_of
from app.scan.channel import channel_of, told
from app.scan.decide import Decider
from app.scan.page import Headers, Pages
from app.scan.pictures import Pictures
from app.scan.reply import NO_STORE, Refusing, Reply, error_reply, json_reply, page_reply, redirect
from app.scan.request import (
    choice_asked,
    form_of,
    is_ours,
    number_of,
    placement,
    position_of,
    region_of,
    wants_json,
)
from app.scan.visitor import Environ, Guest, Visitors, fetches_ahead, placement_of, query_value
from app.scan.way_in import IN_WECHAT
from app.scan.wording import TEXTS, say
from app.web.client_ip import Network
from app.web.signing import verify

log = logging.getLogger(__name__)

WSGI = Callable[[Any, Any], Iterable[bytes]]

ACTIONS = {
    "": ("GET", "HEAD"),
    "fresh": ("GET", "HEAD"),
    "place": ("GET", "HEAD", "POST"),
    **dict.fromkeys(("choose", "press", "stuck", "show", "position"), ("POST",)),
}
REASONS = ("full", "expired", "other")
OPENED = (Outcome.ASSIGNED, Outcome.RETURNING, Outcome.FALLBACK)

# What `Decider.page_token` makes: no number larger than a database holds.
_SHOWN = re.compile(r"[mr]\d{1,15}(?:\.\d{1,15}){1,2}", re.ASCII)

TRIAL = "trial"
# `?as=`: at a desk a trial may be looked at as a phone would show it.
PRETENDED = {"wechat": ("ios", "wechat"), "browser": ("ios", "browser")}
# What signing makes of a slug. A shorter `t` is somebody's time stamp against a cache, and the scan is like any other.
_TRIAL = re.compile(r"[A-Za-z0-9_-]{30,200}", re.ASCII)


class ScanDoor:
    """WSGI. `key` verifies trial scans, `origins`: our own, whatever a proxy writes into Host."""

    def __init__(
        self,
        app: WSGI,
        *,
        decider: Decider,
        visitors: Visitors,
        pages: Pages,
        pictures: FileStore,
        key: str,
        origins: Container[str],
        trusted_proxies: Sequence[Network],
    ) -> None:
        self._app = app
        self._decider = decider
        self._visitors = visitors
        self._pages = pages
        self._pictures = Pictures(pictures)
        self._key = key
        self._origins = origins
        self._trusted_proxies = trusted_proxies

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        if path.startswith("/m/"):
            return self._pictures(environ, start_response)
        if not path.startswith("/s/"):
            return self._app(environ, start_response)
        reply = self._answer(environ, path)
        start_response(reply.status, reply.headers)
        return (reply.body,) if reply.body and environ["REQUEST_METHOD"] != "HEAD" else ()

    def _answer(self, environ: Environ, path: str) -> Reply:
        slug, _, action = path[3:].rstrip("/").partition("/")
        slug = slug.lower()  # typed from a poster, a phone begins with a capital
        known = slug if is_slug(slug) else None
        try:
            return self._route(environ, known, action)
        except Refusing as refusing:
            return self._refuse(environ, known, refusing)
        except Exception as error:
            return self._give_up(environ, known, error)

    def _route(self, environ: Environ, slug: str | None, action: str) -> Reply:
        if slug is None or action not in ACTIONS:
            return self._unknown(environ)
        allowed = ACTIONS[action]
        if environ["REQUEST_METHOD"] not in allowed:
            refusing = Refusing(405, "method_not_allowed")
            refusing.headers = [("Allow", ", ".join(allowed))]
            raise refusing
        if not action:
            return self._scan(environ, slug)
        if action == "fresh":
            return self._fresh(environ, slug)
        if action == "place" and environ["REQUEST_METHOD"] != "POST":
            return self._places(environ, slug)
        return self._post(environ, slug, action)

    def _post(self, environ: Environ, slug: str, action: str) -> Reply:
        if not is_ours(environ, self._origins, self._trusted_proxies):
            raise Refusing(403, "cross_origin")
        form = form_of(environ)
        guest = self._visitors.guest(environ, placement(environ))
        if action == "press":
            return self._press(environ, slug, guest)
        if action == "choose":
            return self._choose(environ, slug, guest, number_of(environ, form, "choice_id"))
        if action == "stuck":
            return self._stuck(environ, slug, guest, form.get("reason"))
        if action == "place":
            return self._move(environ, slug, guest.moved_to(region_of(form)))
        if action == "position":
            return self._move(environ, slug, guest.standing_at(position_of(form)))
        return self._show(environ, slug, guest)

    def _scan(self, environ: Environ, slug: str) -> Reply:
        query = environ.get("QUERY_STRING", "")
        guest = self._visitors.guest(environ, placement_of(query))
        token = query_value(query, "t")
        if token and _TRIAL.fullmatch(token):
            return self._try_out(environ, slug, guest, token)
        answer = self._decider.scan(slug, guest.scanner, choice_asked(environ))
        link = self._leads_to(environ, guest, answer)
        if link is not None:
            return redirect(302, link, self._with_cookie([("Referrer-Policy", "no-referrer")], guest, answer))
        return self._tell(environ, slug, guest, answer)

    def _try_out(self, environ: Environ, slug: str, guest: Guest, token: str) -> Reply:
        """A trial that has run out is refused rather than taken for a scan: it must never cost a seat."""
        if verify(TRIAL, token, self._key, now=self._pages.clock().timestamp()) != slug.encode():
            raise Refusing(403, "trial_expired", "trial_expired")
        device, app = PRETENDED.get(query_value(environ["QUERY_STRING"], "as") or "", (None, None))
        scanner = guest.scanner if app is None else replace(guest.scanner, device=device, app=app)
        guest = Guest(replace(scanner, is_preview=True), guest.kept)  # no cookie either
        answer = self._decider.trial(slug, scanner, choice_asked(environ))
        return self._tell(environ, slug, guest, answer, trial=token)

    def _fresh(self, environ: Environ, slug: str) -> Reply:
        token = query_value(environ.get("QUERY_STRING", ""), "t") or ""
        return json_reply(200, {"fresh": bool(_SHOWN.fullmatch(token)) and self._decider.fresh(slug, token)})

    def _press(self, environ: Environ, slug: str, guest: Guest) -> Reply:
        if not guest.scanner.first:  # who brings no cookie holds no seat
            self._decider.press(slug, guest.scanner, choice_asked(environ))
        return Reply("204 No Content", [NO_STORE])

    def _choose(self, environ: Environ, slug: str, guest: Guest, choice_id: int) -> Reply:
        answer = _answered(self._decider.choose(slug, guest.scanner, choice_id))
        if answer.seat is None:
            # Full, or a fallback's code: asked for anew, the short URL would only offer the choices again.
            return self._tell(environ, slug, guest, answer)
        several = answer.snapshot is not None and answer.snapshot.choice_policy is ChoicePolicy.SEVERAL
        return self._told(environ, slug, guest, answer, f"c={choice_id}" if several else "")

    def _stuck(self, environ: Environ, slug: str, guest: Guest, reason: Any) -> Reply:
        if reason not in REASONS:
            raise Refusing(422, "invalid", fields={"reason": f"one of {', '.join(REASONS)}"})
        choice_id = choice_asked(environ)
        answer = _answered(self._decider.stuck(slug, guest.scanner, reason, choice_id))
        return self._told(environ, slug, guest, answer, f"c={choice_id}" if choice_id is not None else "")

    def _move(self, environ: Environ, slug: str, guest: Guest) -> Reply:
        """They chose a city, which their cookie remembers, or gave a position, which nothing does."""
        choice_id = choice_asked(environ)
        answer = _answered(self._decider.relocate(slug, guest.scanner, choice_id))
        if answer.snapshot is None or (answer.seat is None and guest.scanner.position is not None):
            return self._tell(environ, slug, guest, answer)  # asked for anew, the position would be unknown
        return self._told(environ, slug, guest, answer, f"c={choice_id}" if choice_id is not None else "")

    def _places(self, environ: Environ, slug: str) -> Reply:
        """Where are you? Asked only where the live code lets people choose."""
        guest = self._visitors.guest(environ, placement(environ))
        found = self._decider.whereabouts(slug, guest.scanner)
        if found is None or not found[0].asks_city:
            return redirect(303, _home(environ, slug))
        within = query_value(environ.get("QUERY_STRING", ""), "in") or ""
        view = places.view_of(*found, guest.scanner.language, within, _query(environ))
        return page_reply(200, self._pages.page(view))

    def _show(self, environ: Environ, slug: str, guest: Guest) -> Reply:
        """Somebody on the preview page wants the code: with a cookie of their own they are a visitor from here on."""
        cookie = self._visitors.cookie(guest.kept)
        return redirect(303, _home(environ, slug), [("Set-Cookie", cookie)] if guest.scanner.first else None)

    def _told(self, environ: Environ, slug: str, guest: Guest, answer: Answer, more: str) -> Reply:
        """The answer to a form: back to the short URL, where it can be looked at again; to programs as JSON."""
        if wants_json(environ):
            return self._tell(environ, slug, guest, answer)
        return redirect(303, _home(environ, slug, more), self._with_cookie([], guest, answer))

    def _tell(self, environ: Environ, slug: str, guest: Guest, answer: Answer, trial: str = "") -> Reply:
        if answer.snapshot is None and not answer.provisional:
            return self._unknown(environ)
        now = self._pages.clock()
        if wants_json(environ):
            reply = json_reply(200, json_of(answer, guest.scanner.language, now, channel_of(answer, guest.scanner)))
        else:
            token, ahead = self._decider.page_token(answer), fetches_ahead(environ)
            key = None if trial else landing.key_of(answer, guest.scanner, token, now)
            view = partial(landing.view_of, answer, guest.scanner, slug, now, token=token, trial=trial, ahead=ahead)
            reply = page_reply(200, self._pages.page_by(key, view))
        headers = self._with_cookie(reply.headers, guest, answer)
        return reply if headers is reply.headers else Reply(reply.status, headers, reply.body)

    def _with_cookie(self, headers: Headers, guest: Guest, answer: Answer) -> Headers:
        """Nobody who only looks is given a cookie: having one is how a person is told from a preview."""
        if guest.scanner.is_preview or answer.snapshot is None:
            return headers
        cookie = self._visitors.cookie_after(guest, answer)
        return headers if cookie is None else [*headers, ("Set-Cookie", cookie)]

    def _leads_to(self, environ: Environ, guest: Guest, answer: Answer) -> str | None:
        """Where a live code that redirects sends this phone: a link that opens by itself, unless WeChat blocks it."""
        member, snapshot = answer.decision.member, answer.snapshot
        if member is None or snapshot is None or snapshot.open != "redirect" or not member.opens_by_itself:
            return None
        if answer.decision.outcome not in OPENED or wants_json(environ):
            return None
        if KINDS[member.kind].blocked_in_wechat and guest.scanner.app in IN_WECHAT:
            return None
        return ascii_form(told(member, channel_of(answer, guest.scanner)).target_url or "")

    def _unknown(self, environ: Environ) -> Reply:
        language = self._visitors.language(environ)
        if environ["REQUEST_METHOD"] == "POST":
            return error_reply(404, "not_found", say(language, "unknown"))
        if wants_json(environ):
            return json_reply(404, {**UNKNOWN, "message": say(language, "unknown")})
        return page_reply(404, self._pages.page(landing.unknown(language)))

    def _refuse(self, environ: Environ, slug: str | None, refusing: Refusing) -> Reply:
        language = self._visitors.language(environ)
        if wants_json(environ):
            message = say(language, refusing.key)
            return error_reply(refusing.status, refusing.code, message, refusing.fields, refusing.headers)
        is_trial = refusing.code == "trial_expired"
        view = landing.trial_expired(language) if is_trial else landing.notice(language, refusing.key, slug)
        return page_reply(refusing.status, self._pages.page(view), refusing.headers)

    def _give_up(self, environ: Environ, slug: str | None, error: Exception) -> Reply:
        """A bug of ours. It is written down, and the scanner is asked to try again."""
        number, path = secrets.token_hex(8), str(environ.get("PATH_INFO"))[:300]
        fields = {"request_id": number, "method": environ.get("REQUEST_METHOD"), "path": path}
        log.error("unhandled %s at the scan door", type(error).__name__, exc_info=error, extra={"fields": fields})
        headers: Headers = [("X-Request-Id", number), ("Retry-After", "5")]
        language = self._visitors.language(environ)
        if wants_json(environ):
            return error_reply(503, "store_unavailable", say(language, "outage"), headers=headers)
        return page_reply(503, self._pages.page(landing.outage(language, slug)), headers)


def _answered(answer: Answer | Refused) -> Answer:
    if isinstance(answer, Refused):
        raise Refusing(answer.status, answer.code, answer.code if answer.code in TEXTS["zh"] else "refused")
    return answer


def _home(environ: Environ, slug: str, more: str = "") -> str:
    """The short URL, with the placement this visitor came by."""
    name = placement(environ)
    query = "&".join(part for part in (f"p={quote(name)}" if name else "", more) if part)
    return f"/s/{slug}?{query}" if query else f"/s/{slug}"


def _query(environ: Environ) -> str:
    """What a page between the landing page and its answer has to pass on: the placement and the choice."""
    choice_id = choice_asked(environ)
    return _home(environ, "", f"c={choice_id}" if choice_id is not None else "").partition("?")[2]
