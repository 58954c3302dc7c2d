"""Who is scanning: cookies that are believed and cookies that are not, places, languages, previews."""

import os
from datetime import timedelta
from typing import Any

import pytest

from app.ledger import KeptSeat
from app.rules.model import Decision, Outcome
from app.rules.regions import Place
from app.scan.answer import Answer
from app.scan.cookie import MOST_SEATS, Kept
from app.scan.visitor import LONGEST_COOKIE, REFRESH_DAYS, Guest, Visitors, placement_of, query_value, remembered
from app.settings import load
from tests import make
from tests.scan.phone import GOOGLEBOT, KEY, SAFARI, WECHAT

NETWORKS = load({"HUOZI_SECRET_KEY": "x", "HUOZI_TRUSTED_PROXIES": "10.0.0.0/8"}).trusted_proxies


class Clock:
    def __init__(self) -> None:
        self.now = make.NOW

    def __call__(self) -> Any:
        return self.now


def visitors(clock: Clock | None = None, **changes: Any) -> Visitors:
    settings: dict[str, Any] = {
        "key": KEY,
        "locate": lambda address: Place(f"seen from {address}", "address"),
        "trusted_proxies": (),
        "clock": clock or Clock(),
        "secure": False,
        "language": "zh",
    }
    return Visitors(**(settings | changes))


def environ(cookie: str | None = None, **more: Any) -> dict[str, Any]:
    found = {"REQUEST_METHOD": "GET", "REMOTE_ADDR": "114.114.114.114", "HTTP_USER_AGENT": WECHAT, **more}
    return found if cookie is None else {**found, "HTTP_COOKIE": cookie}


def pair(set_cookie: str) -> str:
    return set_cookie.partition(";")[0]


def answered(seat: Any = None, scope: str | None = "lc:1", **more: Any) -> Answer:
    return Answer(Decision(Outcome.ASSIGNED), make.snapshot(), scope, seat, epoch=3, **more)


def test_a_phone_without_a_cookie_is_a_new_visitor() -> None:
    guest = visitors().guest(environ(), None)
    assert guest.scanner.first
    assert len(guest.scanner.visitor) == 22
    assert guest.scanner.visitor != visitors().guest(environ(), None).scanner.visitor


def test_workers_that_are_forked_from_one_process_name_their_visitors_differently() -> None:
    """Ids are drawn ahead; what a parent has drawn its children must not hand out."""

    def drawn() -> list[str]:
        return [visitors().guest(environ(), None).scanner.visitor for _ in range(3)]

    drawn()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writing, " ".join(drawn()).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as told:
        os.close(writing)
        theirs = told.read().decode().split()
    assert len(theirs) == 3 and not set(theirs) & set(drawn())


def test_a_phone_comes_back_with_its_seats() -> None:
    desk = visitors()
    first = desk.guest(environ(), None)
    sent = desk.cookie_after(first, answered(make.seat(7)))
    assert sent is not None
    again = desk.guest(environ(pair(sent)), None).scanner
    assert again.visitor == first.scanner.visitor
    assert not again.first
    assert again.kept == (("lc:1", KeptSeat(live_code_id=1, member_id=7, generation=1, epoch=3)),)


def test_the_cookie_says_what_a_browser_may_do_with_it() -> None:
    plain, https = (visitors(secure=secure).cookie(Kept("A" * 22, 1)) for secure in (False, True))
    assert plain.endswith("; Max-Age=63072000; Path=/; HttpOnly; SameSite=Lax")
    assert https == plain + "; Secure"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda value: value[:-1] + ("A" if value[-1] != "A" else "B"),
        lambda value: value[:20] + ("A" if value[20] != "A" else "B") + value[21:],
        lambda value: value[:30],
        lambda value: "",
        lambda value: value + "=",
        lambda value: "é" * 40,
        lambda value: "A" * 9000,
    ],
)
def test_a_spoilt_cookie_makes_a_new_visitor_and_no_error(spoil: Any) -> None:
    desk = visitors()
    kept = desk.guest(environ(), None).kept
    value = pair(desk.cookie(kept)).partition("=")[2]
    guest = desk.guest(environ(f"huozi_v={spoil(value)}"), None)
    assert guest.scanner.first
    assert guest.scanner.visitor != kept.visitor


def test_a_cookie_of_another_house_is_not_believed() -> None:
    foreign = visitors(key="another key").cookie(Kept("A" * 22, 1))
    assert visitors().guest(environ(pair(foreign)), None).scanner.first


def test_of_two_cookies_the_good_one_counts() -> None:
    desk = visitors()
    good = pair(desk.cookie(Kept("A" * 22, 1)))
    scanner = desk.guest(environ(f"theme=dark; huozi_v=old; {good}; huozi_vx=1"), None).scanner
    assert scanner.visitor == "A" * 22


def test_nothing_is_sent_when_nothing_changed() -> None:
    desk = visitors()
    guest = desk.guest(environ(pair(desk.cookie(Kept("A" * 22, 20_759)))), None)
    sent = desk.cookie_after(guest, answered(make.seat(7)))
    assert sent is not None
    again = desk.guest(environ(pair(sent)), None)
    assert desk.cookie_after(again, answered(make.seat(7))) is None


def test_two_years_begin_anew_now_and_then() -> None:
    clock = Clock()
    desk = visitors(clock)
    sent = desk.cookie_after(desk.guest(environ(), None), answered(make.seat(7)))
    assert sent is not None
    guest = desk.guest(environ(pair(sent)), None)
    clock.now += timedelta(days=REFRESH_DAYS - 1)
    assert desk.cookie_after(guest, answered(make.seat(7))) is None
    clock.now += timedelta(days=1)
    assert desk.cookie_after(guest, answered(make.seat(7))) is not None


def test_a_cookie_from_a_clock_that_ran_ahead_is_written_anew() -> None:
    clock = Clock()
    clock.now += timedelta(days=400)
    ahead = pair(visitors(clock).cookie(Kept("A" * 22, 30_000)))
    desk = visitors()
    assert desk.cookie_after(desk.guest(environ(ahead), None), answered(None, None)) is not None


def test_twenty_seats_in_groups_with_long_names_still_fit_the_cookie() -> None:
    kept = Kept("A" * 22, 1)
    for number in range(1, MOST_SEATS + 1):
        kept = kept.with_seat(f"g:{number}:" + "春" * 50, KeptSeat(number, number, 1, 2**40))
    desk = visitors()
    sent = pair(desk.cookie(kept))
    assert len(sent.partition("=")[2]) <= LONGEST_COOKIE
    found = desk.guest(environ(sent), None).scanner.kept
    assert found == kept.seats[: len(found)]
    assert len(found) >= 8


def test_a_scope_that_holds_no_seat_any_more_is_forgotten() -> None:
    kept = Kept("A" * 22, 1).with_seat("lc:1", KeptSeat(1, 1, 1, 1))
    assert remembered(kept, answered(None)).seats == ()


def test_an_outage_forgets_nothing() -> None:
    kept = Kept("A" * 22, 1).with_seat("lc:1", KeptSeat(1, 1, 1, 1))
    assert remembered(kept, answered(None, provisional=True)) == kept


def test_an_answer_without_a_scope_changes_nothing() -> None:
    kept = Kept("A" * 22, 1).with_seat("lc:1", KeptSeat(1, 1, 1, 1))
    assert remembered(kept, answered(None, None)) == kept


def test_the_same_group_in_a_new_life_of_the_store_is_written_anew() -> None:
    kept = Kept("A" * 22, 1).with_seat("lc:1", KeptSeat(1, 7, 1, 1))
    assert remembered(kept, answered(make.seat(7))).seats == (("lc:1", KeptSeat(1, 7, 1, 3)),)


@pytest.mark.parametrize(
    "headers",
    [
        {"REQUEST_METHOD": "HEAD"},
        {"HTTP_SEC_PURPOSE": "prefetch"},
        {"HTTP_SEC_PURPOSE": "prefetch;prerender"},
        {"HTTP_PURPOSE": "prefetch"},
        {"HTTP_X_PURPOSE": "preview"},
        {"HTTP_X_MOZ": "prefetch"},
        {"HTTP_USER_AGENT": GOOGLEBOT},
    ],
)
def test_whoever_only_looks_is_marked(headers: dict[str, str]) -> None:
    assert visitors().guest(environ(**headers), None).scanner.is_preview


def test_an_ordinary_scan_is_not_marked() -> None:
    assert not visitors().guest(environ(HTTP_SEC_PURPOSE="navigation"), None).scanner.is_preview


def test_a_robots_name_with_a_cookie_of_ours_is_a_person_who_pressed_the_button() -> None:
    desk = visitors()
    cookie = pair(desk.cookie(Kept("A" * 22, 1)))
    assert not desk.guest(environ(cookie, HTTP_USER_AGENT=GOOGLEBOT), None).scanner.is_preview
    assert desk.guest(environ(cookie, HTTP_SEC_PURPOSE="prefetch"), None).scanner.is_preview


def test_the_place_is_found_by_the_phones_own_address() -> None:
    desk = visitors(trusted_proxies=NETWORKS)
    proxied = environ(REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="1.2.3.4, 223.5.5.5, 10.0.0.9")
    assert desk.guest(proxied, None).scanner.address_place.region == "seen from 223.5.5.5"
    assert visitors().guest(proxied, None).scanner.address_place.region == "seen from 10.0.0.1"


@pytest.mark.parametrize(
    ("accept", "user_agent", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", SAFARI, "zh"),
        ("en-GB,en;q=0.9", SAFARI, "en"),
        ("zh-TW", SAFARI, "zh"),
        ("fr-FR,fr;q=0.9,en;q=0.5", SAFARI, "en"),
        ("fr-FR,fr", SAFARI, "en"),
        ("fr-FR,fr", WECHAT, "zh"),
        ("", WECHAT, "zh"),
        ("", SAFARI, "zh"),
        ("*", SAFARI, "zh"),
    ],
)
def test_the_page_speaks_the_phones_language(accept: str, user_agent: str, language: str) -> None:
    phone = environ(HTTP_ACCEPT_LANGUAGE=accept, HTTP_USER_AGENT=user_agent)
    assert visitors().language(phone) == language


def test_a_phone_that_asks_for_nothing_gets_the_houses_language() -> None:
    assert visitors(language="en").language(environ(HTTP_USER_AGENT=SAFARI)) == "en"


@pytest.mark.parametrize(
    ("query", "placement"),
    [
        ("p=door-3", "door-3"),
        ("x=1&p=Door_3&p=second", "Door_3"),
        ("p=%E5%8D%97%E9%97%A8", "南门"),
        ("", None),
        ("p=", None),
        ("q=door", None),
        ("p=" + "a" * 33, None),
        ("p=%3Cscript%3E", None),
        ("p=a%00b", None),
        ("p=%ff%fe", None),
        ("&".join(["p=x"] * 60), None),
    ],
)
def test_a_placement_is_a_name_or_nothing(query: str, placement: str | None) -> None:
    assert placement_of(query) == placement


def test_a_query_value_is_the_first_of_its_name() -> None:
    assert query_value("at=1&t=2&t=3", "t") == "2"


def test_a_guest_brings_the_city_they_chose() -> None:
    desk = visitors()
    cookie = pair(desk.cookie(Kept("A" * 22, 1, "CN/CN-GD/440100")))
    guest: Guest = desk.guest(environ(cookie), "door")
    assert (guest.scanner.chosen_city, guest.scanner.placement) == ("CN/CN-GD/440100", "door")
