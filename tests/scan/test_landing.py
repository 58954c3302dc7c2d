"""Every outcome's page: what a scanner reads on it, and what is not on it."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.rules.model import ChoicePolicy, Contact, Decision, Member, Outcome, Snapshot
from app.rules.regions import Place
from app.scan import landing
from app.scan.answer import Answer, ChoiceRoom, Scanner
from app.scan.page import View, render
from tests import make
from tests.scan.phone import words

O = Outcome  # noqa: E741
CONTACT = Contact("客服小林", "020-8888 6666", "https://example.com/kf")
OLD_SEAT = make.seat(taken_at=make.NOW - timedelta(days=1))
CHOICES = (
    make.choice(1, title="护肤", description="成分党"),
    make.choice(2, title="母婴"),
    make.choice(3, title="厨房"),
)


def scanner(**more: Any) -> Scanner:
    defaults: dict[str, Any] = {"language": "zh", "device": "ios", "app": "wechat"}
    return Scanner("v" * 22, False, Place.UNKNOWN, **(defaults | more))


def group(**more: Any) -> Member:
    return make.member(**({"name": "广州福利群"} | more))


def answer(outcome: Outcome, member: Member | None = None, snapshot: Snapshot | None = None, **more: Any) -> Answer:
    told = {name: more.pop(name) for name in ("choice", "opens_at") if name in more}
    return Answer(Decision(outcome, member, **told), snapshot or make.snapshot(contact=CONTACT), **more)


def view(answer: Answer, phone: Scanner | None = None, **more: Any) -> View:
    return landing.view_of(answer, phone or scanner(), "k3f9qa", make.NOW, **({"token": "m1.1.1"} | more))


def page(answer: Answer, phone: Scanner | None = None, **more: Any) -> str:
    return render(view(answer, phone, **more)).body.decode()


def text(answer: Answer, phone: Scanner | None = None, **more: Any) -> str:
    return words(page(answer, phone, **more))


def grouped(**more: Any) -> Snapshot:
    return make.snapshot(**({"kind": "grouped", "choices": CHOICES, "contact": CONTACT} | more))


def rooms(*left: int | None) -> tuple[ChoiceRoom, ...]:
    return tuple(ChoiceRoom(choice, room) for choice, room in zip(CHOICES, left, strict=True))


def test_assigned_shows_one_code_and_how_to_get_in() -> None:
    seen = page(answer(O.ASSIGNED, group(), seat=make.seat()))
    assert "长按下方二维码 → 识别 → 加入群聊" in words(seen)
    assert "广州福利群" in words(seen)
    images = re.findall(r"<img\b[^>]*>", seen)
    assert len(images) == 1
    assert f'src="/m/{1:064x}.png"' in images[0]
    assert 'alt="「广州福利群」的二维码"' in images[0]


def test_assigned_without_a_public_name_goes_by_the_live_codes_title() -> None:
    seen = page(answer(O.ASSIGNED, group(name=None)))
    assert 'alt="「福利群」的二维码"' in seen
    assert "「" not in words(seen)


def test_returning_says_whose_code_it_was() -> None:
    seen = text(answer(O.RETURNING, group(), seat=OLD_SEAT))
    assert "这是你上次领到的「 广州福利群 」，没进群再长按一次" in seen
    assert "长按下方二维码" in seen


def test_returning_within_the_first_minute_is_still_the_first_look() -> None:
    assert "上次" not in text(answer(O.RETURNING, group(), seat=make.seat()))


def test_returning_to_a_person_asks_whether_they_were_added() -> None:
    seen = text(answer(O.RETURNING, group(kind="wechat_personal", target_url=make.personal_url(1)), seat=OLD_SEAT))
    assert "还没加上再长按一次" in seen


def test_returning_outside_wechat_does_not_speak_of_pressing() -> None:
    seen = text(answer(O.RETURNING, group(), seat=OLD_SEAT), scanner(app="browser"))
    assert "还没进群就再试一次" in seen
    assert "① 保存图片　② 打开微信扫一扫　③ 从相册选这张图" in seen


def test_held_shows_no_code_and_lets_one_change() -> None:
    seen = page(answer(O.HELD, group(), seat=OLD_SEAT))
    assert "<img" not in seen
    assert "「 广州福利群 」正在换新码。已进群可直接在微信里搜群名；还没进？" in words(seen)
    assert "换一个群" in words(seen)
    assert 'action="/s/k3f9qa/stuck"' in seen


def test_elsewhere_shows_the_one_they_hold() -> None:
    seen = page(answer(O.ELSEWHERE, group(), seat=OLD_SEAT))
    assert "你已领过「 广州福利群 」，同一活动进一个群即可" in words(seen)
    assert len(re.findall("<img", seen)) == 1
    assert 'action="/s/k3f9qa/stuck"' in seen


def test_choose_lists_the_choices_with_the_room_left() -> None:
    seen = page(answer(O.CHOOSE, None, grouped(), choices=rooms(None, 7, 31)))
    assert "你想进哪个群？" in words(seen)
    assert "护肤 成分党 还有名额" in words(seen)
    assert "母婴 还剩 7 个名额" in words(seen)
    assert "厨房 还有名额" in words(seen)
    assert 'method="post" action="/s/k3f9qa/choose"' in seen
    assert re.findall(r'name="choice_id" value="(\d)"', seen) == ["1", "2", "3"]


def test_a_full_choice_says_so_and_offers_the_next() -> None:
    assert "护肤 成分党 已满，可以先选「母婴」" in text(answer(O.CHOOSE, None, grouped(), choices=rooms(0, 7, 0)))


def test_when_every_choice_is_full_the_page_says_so_with_the_contact() -> None:
    seen = text(answer(O.CHOOSE, None, grouped(), choices=rooms(0, 0, 0)))
    assert "群都满了，新群马上开。" in seen
    assert "联系客服拉你进群 客服小林 拨打 020-8888 6666 打开客服页面" in seen


def test_choice_of_the_visitors_city_is_recommended_while_it_has_room() -> None:
    near, other, _ = rooms(3, 3, 3)
    badge = "你的城市推荐"
    assert badge in text(answer(O.CHOOSE, None, grouped(), choices=(replace(near, is_local=True), other)))
    assert badge not in text(answer(O.CHOOSE, None, grouped(), choices=(near, other)))
    assert badge not in text(answer(O.CHOOSE, None, grouped(), choices=(replace(near, is_local=True, room=0), other)))


def test_choices_may_have_pictures() -> None:
    with_picture = replace(CHOICES[0], image="ab.png")
    assert '<img src="/m/ab.png" alt=""' in page(
        answer(O.CHOOSE, None, grouped(choices=(with_picture,)), choices=(ChoiceRoom(with_picture, None),))
    )


def test_fallback_shows_its_code_without_a_seat_to_give_up() -> None:
    spare = group(kind="wechat_personal", target_url=make.personal_url(1), name="客服小林")
    seen = page(answer(O.FALLBACK, spare))
    assert "长按下方二维码 → 识别 → 添加好友" in words(seen)
    assert "stuck" not in words(seen)
    assert "/stuck" not in seen
    assert "data-press" not in seen


def test_full_names_the_contact() -> None:
    seen = page(answer(O.FULL))
    assert "群都满了，新群马上开。" in words(seen)
    assert "联系客服拉你进群" in words(seen)
    assert 'href="tel:02088886666"' in seen
    assert 'href="https://example.com/kf"' in seen
    assert "<img" not in seen


def test_full_without_a_contact_promises_none() -> None:
    assert "联系" not in text(answer(O.FULL, None, make.snapshot()))


def test_full_in_one_choice_leads_back_to_the_others() -> None:
    assert 'href="/s/k3f9qa">选其他分组' in page(answer(O.FULL, None, grouped()))


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "wxp://f2f0"])
def test_a_contact_link_that_is_none_is_not_shown(url: str) -> None:
    assert url not in page(answer(O.FULL, None, make.snapshot(contact=Contact("客服", "", url))))


def test_unavailable_says_when_it_opens() -> None:
    assert "明天 08:00 开放，到时再扫这张码即可" in text(answer(O.UNAVAILABLE, opens_at=make.NOW + timedelta(hours=20)))


def test_unavailable_without_a_moment_asks_to_come_back() -> None:
    assert "现在没有能进的群，稍后再扫这张码即可" in text(answer(O.UNAVAILABLE))


def test_unavailable_while_the_store_is_down_asks_to_wait_a_moment() -> None:
    seen = page(answer(O.UNAVAILABLE, provisional=True))
    assert "稍等片刻再扫一次，群还在" in words(seen)
    assert 'href="/s/k3f9qa">再试一次' in seen


def test_an_outage_in_which_the_code_itself_is_unknown_still_is_a_page() -> None:
    down = Answer(Decision(O.UNAVAILABLE), None, provisional=True)
    assert "稍等片刻再扫一次，群还在" in text(down)


def test_paused_says_so() -> None:
    assert "这个活动暂停了，稍后再来" in text(answer(O.PAUSED))


def test_ended_says_so() -> None:
    assert "这个活动已结束" in text(answer(O.ENDED))


def test_not_started_says_when() -> None:
    assert "周四 12:00 开始，到时再扫这张码即可" in text(answer(O.NOT_STARTED, opens_at=make.NOW + timedelta(days=3)))


def test_not_started_without_a_moment_asks_to_come_back() -> None:
    assert "活动还没开始" in text(answer(O.NOT_STARTED))


def test_unknown_shows_nothing_of_anybody() -> None:
    seen = render(view(Answer(Decision(O.UNKNOWN), None))).body.decode()
    assert "没找到这个码，可能没扫完整，请重新扫一次" in words(seen)
    assert "<form" not in seen


def test_preview_has_a_title_for_link_cards_and_a_button_for_people() -> None:
    seen = page(answer(O.PREVIEW, None, make.snapshot(notice="每周六上午")))
    assert '<meta property="og:title" content="福利群">' in seen
    assert '<meta property="og:description" content="每周六上午">' in seen
    assert 'method="post" action="/s/k3f9qa/show"' in seen
    assert "看二维码" in words(seen)
    assert "<img" not in seen
    assert "<script" not in seen


def test_a_page_fetched_ahead_asks_again_by_itself() -> None:
    assert "data-ahead" in page(answer(O.PREVIEW), ahead=True)
    assert "<script" in page(answer(O.PREVIEW), ahead=True)


def test_a_trial_says_so_and_can_take_nothing() -> None:
    seen = page(answer(O.ASSIGNED, group(), is_trial=True), trial="token")
    assert "测试 · 不占名额" in words(seen)
    assert "data-press" not in seen
    assert "/stuck" not in seen


def test_a_trials_choices_stay_in_the_trial() -> None:
    seen = page(answer(O.CHOOSE, None, grouped(), choices=rooms(1, 2, 3)), trial="token")
    assert '<form method="get" action="/s/k3f9qa">' in seen
    assert '<input type="hidden" name="t" value="token">' in seen
    assert "choice_id" not in seen


def test_the_stuck_button_needs_no_script() -> None:
    seen = page(answer(O.ASSIGNED, group(), seat=make.seat()))
    assert "进不了群？换一个" in words(seen)
    assert re.findall(r'<button name="reason" value="(\w+)">', seen) == ["full", "expired", "other"]
    assert '<form method="post" action="/s/k3f9qa/stuck">' in seen


def test_a_person_who_cannot_be_added_is_changed_too() -> None:
    person = group(kind="wechat_personal", target_url=make.personal_url(1))
    assert "加不上？换一个" in text(answer(O.ASSIGNED, person, seat=make.seat()))


def test_a_link_that_opens_has_no_stuck_button() -> None:
    link = group(kind="other_url", target_url="https://example.com/")
    assert "/stuck" not in page(answer(O.ASSIGNED, link, seat=make.seat()))


@pytest.mark.parametrize("changes", [0, 1])
def test_a_choice_may_be_changed_once(changes: int) -> None:
    code = grouped(choice_policy=ChoicePolicy.CHANGE_ONCE)
    seat = make.seat(choice_id=1, changes=changes)
    seen = page(answer(O.RETURNING, group(), code, choice=CHOICES[0], seat=seat))
    assert ("换个分组" in words(seen)) is (changes == 0)
    assert re.findall(r'name="choice_id" value="(\d)"', seen) == ([] if changes else ["2", "3"])
    assert len(re.findall("<img", seen)) == 1


def test_one_choice_for_good_offers_no_change() -> None:
    seen = text(answer(O.RETURNING, group(), grouped(), choice=CHOICES[0], seat=make.seat(choice_id=1)))
    assert "分组" not in seen


def test_where_several_are_allowed_the_page_knows_which_it_is_about() -> None:
    code = grouped(choice_policy=ChoicePolicy.SEVERAL)
    seen = page(answer(O.RETURNING, group(), code, choice=CHOICES[1], seat=make.seat(choice_id=2)))
    assert 'data-query="?c=2"' in seen
    assert 'action="/s/k3f9qa/stuck?c=2"' in seen
    assert 'href="/s/k3f9qa">选其他分组' in seen


def test_english_says_the_same() -> None:
    seen = text(answer(O.RETURNING, group(), seat=OLD_SEAT), scanner(language="en"))
    assert "You were given “ 广州福利群 ” before." in seen
    assert "Press and hold the code below → Scan QR code → Join group" in seen.replace("\u00a0", " ")
    assert 'lang="en"' in page(answer(O.FULL), scanner(language="en"))


def test_markup_and_turning_marks_in_names_do_no_harm() -> None:
    code = make.snapshot(title="<b>福利</b>群\u202e", notice='"><script>alert(1)</script>', contact=CONTACT)
    nasty = group(name="\u202e反向</p><img src=x>")
    seen = page(answer(O.RETURNING, nasty, code, seat=OLD_SEAT))
    assert "<b>福利" not in seen
    assert "&lt;b&gt;福利&lt;/b&gt;群" in seen
    assert "<script>alert" not in seen
    assert len(re.findall("<img", seen)) == 1
    assert "<bdi>\u202e反向&lt;/p&gt;&lt;img src=x&gt;</bdi>" in seen
    assert re.search(r"<title>[^<]*\u202e", seen) is None
    assert re.search(r'alt="[^"]*\u202e', seen) is None


def test_a_long_notice_stands_below_the_code() -> None:
    for notice, is_below in (("短短一行", False), ("长" * 100, True), ("一\n二\n三\n四", True)):
        seen = page(answer(O.ASSIGNED, group(), make.snapshot(notice=notice)))
        assert (seen.index(notice) > seen.index("<img")) is is_below


def test_a_live_codes_colour_is_painted_with_words_that_can_be_read_on_it() -> None:
    dark, light = (view(answer(O.FULL, None, make.snapshot(colour=c))).paint for c in ("#7a1f3d", "#ffcf33"))
    assert dark == "body{--brand:#7a1f3d;--on-brand:#fff}"
    assert light == "body{--brand:#ffcf33;--on-brand:#1b1c1a}"


@pytest.mark.parametrize("colour", ["red", "#12345", "#123456;}*{}", ""])
def test_a_colour_that_is_none_is_not_painted(colour: str) -> None:
    assert view(answer(O.FULL, None, make.snapshot(colour=colour))).paint == ""


def test_a_cover_is_no_second_picture_for_a_press_to_find() -> None:
    seen = page(answer(O.ASSIGNED, group(), make.snapshot(cover="ab12.jpg")))
    assert "url(/m/ab12.jpg)" in seen
    assert len(re.findall("<img", seen)) == 1


def test_a_cover_that_is_no_file_of_ours_is_left_out() -> None:
    assert view(answer(O.FULL, None, make.snapshot(cover="../../x.jpg); } * {"))).paint == ""


def test_what_an_everyday_page_depends_on_is_its_key() -> None:
    told = answer(O.RETURNING, group(), seat=OLD_SEAT)
    same = landing.key_of(told, scanner(), "m1.1.1", make.NOW)
    older = replace(told, seat=make.seat(taken_at=make.NOW - timedelta(days=2)))
    assert same == landing.key_of(older, scanner(), "m1.1.1", make.NOW)
    others = [
        landing.key_of(replace(told, snapshot=make.snapshot(version=2)), scanner(), "m1.1.1", make.NOW),
        landing.key_of(replace(told, seat=make.seat()), scanner(), "m1.1.1", make.NOW),
        landing.key_of(replace(told, seat=replace(OLD_SEAT, changes=1)), scanner(), "m1.1.1", make.NOW),
        landing.key_of(told, scanner(app="browser"), "m1.1.1", make.NOW),
        landing.key_of(told, scanner(device="android"), "m1.1.1", make.NOW),
        landing.key_of(told, scanner(language="en"), "m1.1.1", make.NOW),
        landing.key_of(told, scanner(), "m1.1.2", make.NOW),
        landing.key_of(answer(O.ASSIGNED, group()), scanner(), "m1.1.1", make.NOW),
    ]
    assert None not in others
    assert len({same, *others}) == len(others) + 1


@pytest.mark.parametrize("outcome", [O.ELSEWHERE, O.HELD, O.CHOOSE, O.UNAVAILABLE, O.UNKNOWN])
def test_pages_that_tell_more_than_a_member_have_no_short_key(outcome: Outcome) -> None:
    member = group() if outcome in (O.ELSEWHERE, O.HELD) else None
    assert landing.key_of(answer(outcome, member), scanner(), "t", make.NOW) is None
