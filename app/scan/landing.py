"""What a scanner is told: which sentences, buttons and pictures belong to which answer.

Turns an answer into a `page.View`. What is decided, and whose turn it is, was settled before; how one gets in from this
phone is `way_in`'s, how the page becomes bytes `page`'s business.
"""

import re
from collections.abc import Hashable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from markupsafe import Markup

from app.rules import regions
from app.rules.kinds import openable
from app.rules.model import ChoicePolicy, Contact, Member, Outcome, Snapshot
from app.scan.answer import Answer, ChoiceRoom, Scanner, asks_position
from app.scan.channel import channel_of, told
from app.scan.page import Card, Link, Reach, Stuck, Text, View, Where, plain
from app.scan.way_in import presses, way_in
from app.scan.wording import TEXTS, act, moment, say

# More than this many places are not counted out on the page: the number would be old before it is read.
ROOM_COUNTED_OUT = 30
# A visitor sent back to the short URL by a form is still at their first look: nobody "returns" within this time.
FIRST_LOOK_SECONDS = 90

EVERYDAY = (Outcome.ASSIGNED, Outcome.RETURNING, Outcome.FALLBACK)
SHOWN = (Outcome.ASSIGNED, Outcome.RETURNING, Outcome.ELSEWHERE, Outcome.FALLBACK)
PLACED = (*EVERYDAY, Outcome.HELD, Outcome.CHOOSE, Outcome.FULL, Outcome.UNAVAILABLE)
SEATED = (Outcome.ASSIGNED, Outcome.RETURNING, Outcome.ELSEWHERE)


def view_of(
    answer: Answer, scanner: Scanner, slug: str, now: datetime, *, token: str, trial: str = "", ahead: bool = False
) -> View:
    """What this scanner sees.

    token: names what the page shows, for the freshness check. trial: the trial scan's own token. ahead: a browser
    fetched the page before anybody asked for it, so it asks again as soon as it is looked at.
    """
    outcome, snapshot = answer.decision.outcome, answer.snapshot
    if snapshot is None:
        return _outage(scanner.language, slug) if answer.provisional else unknown(scanner.language)
    view = replace(frame(snapshot, slug, scanner.language, token), unsure=scanner.app != "browser")
    if snapshot.asks_city and outcome in PLACED:
        view = replace(view, where=_where(answer, scanner.language, is_trial=bool(trial)))
    if trial:
        view = replace(view, bar=say(scanner.language, "trial"), trial=trial, may_be_framed=True)
    if outcome in SHOWN and answer.decision.member is not None:
        return _with_code(view, answer, told(answer.decision.member, channel_of(answer, scanner)), scanner, now)
    if outcome is Outcome.HELD:
        return _held(view, answer)
    if outcome is Outcome.CHOOSE:
        return _asking(view, answer)
    if outcome is Outcome.PREVIEW:
        return _preview(view, ahead)
    return _refusing(view, answer, now)


def key_of(answer: Answer, scanner: Scanner, token: str, now: datetime) -> Hashable | None:
    """What `view_of` makes of an everyday answer depends on this alone, and it costs a tenth of the View.

    A live code's version stands for everything in its snapshot. None for every other page: those tell the time, count
    places, or show a member of another live code, whose version is not known here.
    """
    outcome, snapshot, member = answer.decision.outcome, answer.snapshot, answer.decision.member
    if snapshot is None or member is None or outcome not in EVERYDAY:
        return None
    choice, seat = answer.decision.choice, answer.seat
    return (
        (snapshot.id, snapshot.version, member.id, choice and choice.id, outcome, token),
        (scanner.language, scanner.app, scanner.device, channel_of(answer, scanner)),
        answer.decision.place if snapshot.asks_city else None,
        (outcome is Outcome.RETURNING and _just_taken(answer, now), seat is not None and seat.changes == 0),
    )


def _where(answer: Answer, language: str, *, is_trial: bool) -> Where | None:
    """你好像在 广州 · 换一个. A trial has no cookie to remember a choice in."""
    if answer.provisional:
        return None
    place = answer.decision.place
    region = place.region if place is not None else None
    if place is None or region is None:
        return Where(say(language, "where_unknown"), "" if is_trial else say(language, "where_choose"))
    words = say(language, "where_chosen" if place.source == "chosen" else "where", place=regions.name(region, language))
    return Where(words, "" if is_trial else say(language, "where_change"))


def unknown(language: str) -> View:
    """No such code: nothing of anybody's is shown."""
    return _bare(language, say(language, "unknown"), mark="?")


def notice(language: str, key: str, slug: str | None = None) -> View:
    """A sentence and a way back: what the door itself refuses."""
    link = Link(f"/s/{slug}", say(language, "back")) if slug else None
    return _bare(language, say(language, key), link=link, home=f"/s/{slug}" if slug else "")


def trial_expired(language: str) -> View:
    """Without a way back: that would be a real scan."""
    return replace(notice(language, "trial_expired"), may_be_framed=True)


def _outage(language: str, slug: str) -> View:
    link = Link(f"/s/{slug}", say(language, "retry"))
    return _bare(language, say(language, "outage"), mark="…", link=link, home=f"/s/{slug}")


def outage(language: str, slug: str | None) -> View:
    """The one page for when nothing can be decided."""
    return _outage(language, slug) if slug else _bare(language, say(language, "outage"), mark="…")


def _bare(language: str, message: str, *, home: str = "", mark: str = "!", link: Link | None = None) -> View:
    return View(language, home, say(language, "untitled"), message=message, mark=mark, link=link)


def frame(snapshot: Snapshot, slug: str, language: str, token: str) -> View:
    """What every page of this live code has in common."""
    return View(
        language,
        f"/s/{slug}",
        snapshot.title or say(language, "untitled"),
        token=token,
        notice=snapshot.notice,
        paint=_paint(snapshot),
        footer=say(language, "privacy"),
        leaves=snapshot.open == "redirect",
    )


def _with_code(view: View, answer: Answer, member: Member, scanner: Scanner, now: datetime) -> View:
    """A member's code, with how to get in from where this phone is."""
    snapshot = answer.snapshot
    assert snapshot is not None
    outcome, language = answer.decision.outcome, view.language
    name = member.name or view.title
    is_old = outcome is Outcome.RETURNING and not _just_taken(answer, now)
    view = replace(
        view,
        query=_query(answer),
        message=_lead(language, outcome, member, name, is_old, scanner),
        name=member.name or "",
        image=f"/m/{member.image}" if member.image else None,
        alt=plain(say(language, "code_of", name=name)),
        file=f"{plain(name)[:40]}{Path(member.image or '').suffix}",
        press=outcome in SEATED and not view.trial,
        stuck=_stuck(language, member) if outcome in SEATED and not view.trial else None,
    )
    if outcome in EVERYDAY and not view.trial:
        view = replace(view, finds=asks_position(snapshot))
    if snapshot.is_grouped and outcome is not Outcome.ELSEWHERE and not view.trial:
        view = _may_choose_again(view, answer, snapshot)
    return way_in(view, member, scanner)


def _just_taken(answer: Answer, now: datetime) -> bool:
    return answer.seat is not None and abs((now - answer.seat.taken_at).total_seconds()) < FIRST_LOOK_SECONDS


def _query(answer: Answer) -> str:
    """Where several choices are allowed, a page is about one of them: its presses and its stuck button say which."""
    choice, snapshot = answer.decision.choice, answer.snapshot
    several = snapshot is not None and snapshot.is_grouped and snapshot.choice_policy is ChoicePolicy.SEVERAL
    return f"?c={choice.id}" if several and choice is not None else ""


def _lead(language: str, outcome: Outcome, member: Member, name: str, is_old: bool, scanner: Scanner) -> Text:
    if outcome is Outcome.ELSEWHERE:
        return _named(language, "elsewhere", name)
    if not is_old:
        return ""
    if presses(member, scanner):
        return _named(language, "returning_contact" if act(member.kind) == "contact" else "returning", name)
    return _named(language, "returning_plain", name)


def _named(language: str, key: str, name: str) -> Markup:
    """The sentence with its name held in: a mark inside the name must not turn the words around it."""
    return Markup(TEXTS[language][key]).format(name=Markup("<bdi>{}</bdi>").format(name))


def _stuck(language: str, member: Member, *, is_open: bool = False, key: str = "stuck") -> Stuck | None:
    """Groups and people may not let somebody in; a link that opens has no such wall."""
    kind = act(member.kind)
    if kind not in ("group", "contact"):
        return None
    who = "_contact" if kind == "contact" and key == "stuck" else ""
    full = say(language, "stuck_full_contact" if kind == "contact" else "stuck_full")
    return Stuck(say(language, key + who), full, is_open)


def _held(view: View, answer: Answer) -> View:
    member, language = answer.decision.member, view.language
    assert member is not None
    return replace(
        view,
        query=_query(answer),
        message=_named(language, "held", member.name or view.title),
        mark="↻",
        stuck=_stuck(language, member, is_open=False, key="held_button"),
    )


def _asking(view: View, answer: Answer) -> View:
    cards = _cards(answer.choices, view.language)
    snapshot = answer.snapshot
    assert snapshot is not None
    all_full = bool(cards) and all(card.is_full for card in cards)
    key = "full" if all_full else "choose"
    contact = _reach(snapshot.contact, view.language, "contact_full") if all_full else None
    return replace(view, message=say(view.language, key), asks=True, choices=cards, contact=contact)


def _cards(choices: tuple[ChoiceRoom, ...], language: str) -> tuple[Card, ...]:
    spare = next((c.choice.title for c in choices if c.room != 0), None)
    return tuple(
        Card(
            c.choice.id,
            c.choice.title,
            c.choice.description,
            _room(c.room, spare, language),
            c.room == 0,
            f"/m/{c.choice.image}" if c.choice.image else None,
            say(language, "your_city") if c.is_local and c.room != 0 else "",
        )
        for c in choices
    )


def _room(room: int | None, spare: str | None, language: str) -> str:
    if room is None or room > ROOM_COUNTED_OUT:
        return say(language, "room_some")
    if room > 0:
        return say(language, "room_left", room=room)
    return say(language, "room_next", title=plain(spare)) if spare else say(language, "room_none")


def _may_choose_again(view: View, answer: Answer, snapshot: Snapshot) -> View:
    """Another choice: once, where the live code allows a change; any time, where it allows several."""
    language, mine = view.language, answer.decision.choice
    if snapshot.choice_policy is ChoicePolicy.SEVERAL:
        return replace(view, link=Link(view.home, say(language, "choose_again")))
    may_change = snapshot.choice_policy is ChoicePolicy.CHANGE_ONCE and answer.seat is not None
    if not may_change or answer.seat is None or answer.seat.changes > 0:
        return view
    others = tuple(c for c in snapshot.choices if c != mine)
    cards = tuple(Card(c.id, c.title, c.description, "", False, None) for c in others)
    return replace(view, choices=cards)


def _preview(view: View, ahead: bool) -> View:
    """For whoever only looks: no code. A person presses the button; a page fetched ahead asks again by itself."""
    sentence = say(view.language, "preview")
    return replace(
        view,
        message=sentence,
        describes=plain(view.notice[:120]) or sentence,
        shows_on_click=True,
        ahead=ahead,
        token="ahead" if ahead else "",
    )


def _refusing(view: View, answer: Answer, now: datetime) -> View:
    snapshot = answer.snapshot
    assert snapshot is not None
    outcome, language = answer.decision.outcome, view.language
    key = "contact_full" if outcome is Outcome.FULL else "contact"
    view = replace(
        view,
        message=refusal_text(answer, language, now),
        mark=say(language, "full_mark") if outcome is Outcome.FULL else _MARKS.get(outcome, "!"),
        contact=_reach(snapshot.contact, language, key),
    )
    if answer.provisional and outcome is Outcome.UNAVAILABLE:
        return replace(view, mark="…", link=Link(view.home, say(language, "retry")))
    if snapshot.is_grouped and outcome in (Outcome.FULL, Outcome.UNAVAILABLE) and len(snapshot.choices) > 1:
        return replace(view, link=Link(view.home, say(language, "choose_again")))
    return view


_MARKS = {Outcome.PAUSED: "Ⅱ", Outcome.ENDED: "✓"}


def refusal_text(answer: Answer, language: str, now: datetime) -> str:
    """The sentence of an answer that shows no code."""
    outcome, snapshot, opens_at = answer.decision.outcome, answer.snapshot, answer.decision.opens_at
    if outcome is Outcome.UNAVAILABLE and answer.provisional:
        return say(language, "outage")
    if opens_at is not None and snapshot is not None and outcome in (Outcome.UNAVAILABLE, Outcome.NOT_STARTED):
        key = "not_started" if outcome is Outcome.NOT_STARTED else "unavailable_until"
        return say(language, key, time=moment(opens_at, now, snapshot.zone, language))
    return say(language, "not_started_soon" if outcome is Outcome.NOT_STARTED else outcome.value)


def _reach(contact: Contact, language: str, key: str) -> Reach | None:
    digits = re.sub(r"[^0-9+*#,;]", "", contact.phone)
    url = openable(contact.url) if contact.url else None
    if not (contact.text or digits or url):
        return None
    return Reach(
        head=say(language, key),
        text=contact.text,
        tel=f"tel:{digits}" if digits else None,
        call=say(language, "contact_call", phone=plain(contact.phone)),
        url=url,
        label=say(language, "contact_open"),
    )


def _paint(snapshot: Snapshot) -> str:
    """The live code's own colour and cover, as the one rule that differs between pages."""
    rules = []
    if snapshot.colour and _COLOUR.fullmatch(snapshot.colour):
        rules.append(f"--brand:{snapshot.colour};--on-brand:{_readable_on(snapshot.colour)}")
    if snapshot.cover and _FILE.fullmatch(snapshot.cover):
        # Darkened, so that white words stand on any picture.
        rules.append(f"--on-brand:#fff;--cover:linear-gradient(#0007,#0007),url(/m/{snapshot.cover})")
    return f"body{{{';'.join(rules)}}}" if rules else ""


_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_FILE = re.compile(r"[0-9a-zA-Z_-]+\.[a-z]{3,4}")


def _readable_on(colour: str) -> str:
    """White or near-black, whichever has the better contrast by WCAG's relative luminance."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#fff" if 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.06 else "#1b1c1a"
