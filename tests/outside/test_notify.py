"""Messages to services that are spoken by local servers; Apprise itself is the real one."""

import hashlib
import hmac
import ipaddress
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.outside.notify import KINDS, Message, Notifier, NotSent, Target
from tests.outside.services import Services, mailbox, nobody_listens, services

LOCAL = (ipaddress.ip_network("127.0.0.0/8"),)
MESSAGE = Message("m-1", "活字", "广州读书会②群还有 12 小时过期", {"alerts": [{"kind": "expiring"}]})
KEY = "693a91f6-7f0c-4bc4-97a0-0ec2s1fa5aaa"
TARGETS = {
    "wecom": Target("wecom", f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={KEY}"),
    "dingtalk": Target("dingtalk", f"https://oapi.dingtalk.com/robot/send?access_token={'a1' * 32}", "SEC" + "b" * 40),
    "feishu": Target("feishu", f"https://open.feishu.cn/open-apis/bot/v2/hook/{KEY}"),
    "serverchan": Target("serverchan", "https://sctapi.ftqq.com/SCT12345abcdefghijk.send"),
    "bark": Target("bark", "https://api.day.app/Abcdefgh123/"),
    "telegram": Target("telegram", "123456789:" + "A" * 35, to="-10012345"),
    "slack": Target("slack", "https://hooks.slack.com/services/T0000ABCD/B0000ABCD/abcdefghijklmnopqrstuvwx"),
    "webhook": Target("webhook", "https://hook.example.cn/huozi?x=1", "sign me"),
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    with services(tmp_path) as found:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(found.authority))
        yield found


@pytest.fixture
def notifier(world: Services) -> Notifier:
    return Notifier(LOCAL, world.resolve)


def reason(notifier: Notifier, target: Target) -> str:
    with pytest.raises(NotSent) as caught:
        notifier.send(target, MESSAGE)
    return str(caught.value)


@pytest.mark.parametrize("kind", TARGETS)
def test_each_service_is_spoken_to_in_its_own_way(kind: str, notifier: Notifier, world: Services) -> None:
    notifier.send(TARGETS[kind], MESSAGE)
    heard = world.heard[-1]
    text = json.dumps(heard.sent, ensure_ascii=False)
    assert "广州读书会②群还有 12 小时过期" in text
    expected = {
        "wecom": ("qyapi.weixin.qq.com", f"/cgi-bin/webhook/send?key={KEY}"),
        "dingtalk": ("oapi.dingtalk.com", f"/robot/send?access_token={'a1' * 32}"),
        "feishu": ("open.feishu.cn", f"/open-apis/bot/v2/hook/{KEY}"),
        "serverchan": ("sctapi.ftqq.com", "/SCT12345abcdefghijk.send"),
        "bark": ("api.day.app", "/push"),
        "telegram": ("api.telegram.org", f"/bot123456789:{'A' * 35}/sendMessage"),
        "slack": ("hooks.slack.com", "/services/T0000ABCD/B0000ABCD/abcdefghijklmnopqrstuvwx"),
        "webhook": ("hook.example.cn", "/huozi?x=1"),
    }[kind]
    assert heard.host == expected[0]
    assert heard.path.startswith(expected[1])


def test_wecom_gets_what_its_robot_takes(notifier: Notifier, world: Services) -> None:
    notifier.send(TARGETS["wecom"], MESSAGE)
    assert world.heard[-1].sent["msgtype"] == "text"
    assert world.heard[-1].sent["text"]["content"].startswith("活字")


def test_dingtalk_is_signed(notifier: Notifier, world: Services) -> None:
    notifier.send(TARGETS["dingtalk"], MESSAGE)
    assert "&timestamp=" in world.heard[-1].path and "&sign=" in world.heard[-1].path


@pytest.mark.parametrize(
    ("kind", "answer", "expected"),
    [
        ("wecom", b'{"errcode":93000,"errmsg":"invalid webhook url"}', "errcode 93000"),
        ("dingtalk", b'{"errcode":310000,"errmsg":"sign not match"}', "errcode 310000"),
        ("feishu", b'{"code":19001,"msg":"param invalid"}', "code 19001"),
        ("serverchan", b'{"code":40001,"message":"bad pushtoken"}', "code 40001"),
        ("bark", b'{"code":400,"message":"failed to get device token"}', "code 400"),
    ],
)
def test_a_no_inside_a_yes_is_a_no(
    kind: str, answer: bytes, expected: str, notifier: Notifier, world: Services
) -> None:
    world.answers.append((200, answer, {}))
    assert reason(notifier, TARGETS[kind]) == expected


@pytest.mark.parametrize("kind", TARGETS)
def test_a_service_that_is_down_is_told_by_its_number(kind: str, notifier: Notifier, world: Services) -> None:
    world.answers += [(500, b"oh", {})] * 3
    assert reason(notifier, TARGETS[kind]) == "answered 500"


def test_a_webhook_gets_facts_an_id_and_a_signature(notifier: Notifier, world: Services) -> None:
    notifier.send(TARGETS["webhook"], MESSAGE)
    heard = world.heard[-1]
    assert heard.sent == {"id": "m-1", "title": "活字", "text": MESSAGE.body, "alerts": [{"kind": "expiring"}]}
    mark = hmac.new(b"sign me", heard.body, hashlib.sha256).hexdigest()
    assert heard.headers["x-huozi-signature"] == f"sha256={mark}"
    assert heard.headers["x-huozi-id"] == "m-1"


def test_nobody_there_is_told_without_the_address(world: Services) -> None:
    port = nobody_listens()
    said = reason(Notifier(LOCAL), Target("webhook", f"http://127.0.0.1:{port}/secret"))
    assert "secret" not in said and str(port) not in said


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/", "http://localhost:6379/", "http://10.1.2.3/", "http://192.168.1.1/", "http://[::1]/",
        "http://169.254.169.254/latest/meta-data/", "http://[::ffff:127.0.0.1]/", "http://0.0.0.0/", "http://[fd00::1]/",
        "http://2130706433/", "http://0x7f.1/", "http://100.64.0.1/", "http://224.0.0.1/",
    ],
)  # fmt: skip
def test_private_addresses_are_not_called(address: str) -> None:
    assert reason(Notifier(), Target("webhook", address)) == "private_address"


def test_a_name_with_one_private_address_among_public_ones_is_not_called() -> None:
    mixed = Notifier((), lambda _host, port: [("93.184.216.34", port), ("10.0.0.1", port)])
    assert reason(mixed, TARGETS["webhook"]) == "private_address"


def test_the_address_that_was_looked_at_is_the_one_that_is_called(world: Services) -> None:
    """A name that points elsewhere the second time it is asked for."""
    asked: list[str] = []

    def turning(host: str, port: int) -> list[tuple[str, int]]:
        asked.append(host)
        return world.resolve(host, port) if len(asked) == 1 else [("10.0.0.1", port)]

    Notifier(LOCAL, turning).send(TARGETS["webhook"], MESSAGE)
    assert asked == ["hook.example.cn"]


def test_a_redirect_into_the_house_is_not_followed(notifier: Notifier, world: Services) -> None:
    world.answers.append((307, b"", {"Location": "http://10.0.0.1/"}))
    assert reason(notifier, TARGETS["webhook"]) == "answered 307"
    world.answers.append((307, b"", {"Location": "http://10.0.0.1/"}))
    assert reason(notifier, TARGETS["wecom"]) in ("answered 307", "private_address", "not accepted")
    assert all(heard.host != "10.0.0.1" for heard in world.heard)


def test_bark_servers_and_mail_servers_of_ones_own_are_looked_at_too() -> None:
    assert reason(Notifier(), Target("bark", "http://127.0.0.1:8080/Abcdefgh123/")) == "private_address"
    assert reason(Notifier(), Target("mail", "smtp://127.0.0.1:25", to="a@b.cn")) == "private_address"


def test_an_unknown_name_is_told() -> None:
    def unknown(_host: str, _port: int) -> list[tuple[str, int]]:
        raise OSError

    assert reason(Notifier((), unknown), TARGETS["webhook"]) == "unknown_host"


def test_an_endless_answer_is_not_read_to_its_end(notifier: Notifier, world: Services) -> None:
    world.answers.append((200, b"x" * 20_000_000, {}))
    notifier.send(TARGETS["webhook"], MESSAGE)


def test_keys_are_not_written_into_the_log(
    notifier: Notifier, world: Services, caplog: pytest.LogCaptureFixture
) -> None:
    world.answers.append((500, b"", {}))
    with caplog.at_level(logging.INFO):
        reason(notifier, TARGETS["wecom"])
    assert KEY not in caplog.text
    assert KEY not in repr(TARGETS["wecom"])


def test_mail_is_handed_in() -> None:
    with mailbox() as box:
        target = Target("mail", f"smtp://127.0.0.1:{box.port}", to="xiaohe@example.cn, boss@example.cn")
        Notifier(LOCAL).send(target, MESSAGE)
        assert sorted(box.recipients) == ["boss@example.cn", "xiaohe@example.cn"]
        assert len(box.letters) == 2


def test_mail_that_is_refused_was_not_sent() -> None:
    with mailbox() as box:
        box.refuses = True
        reason(Notifier(LOCAL), Target("mail", f"smtp://127.0.0.1:{box.port}", to="nobody@example.cn"))
        assert box.letters == []


@pytest.mark.parametrize("kind", TARGETS)
def test_what_people_paste_is_understood(kind: str) -> None:
    assert Notifier().wrong(TARGETS[kind]) is None


def test_bare_keys_are_understood_too() -> None:
    notifier = Notifier()
    assert notifier.wrong(Target("wecom", KEY)) is None
    assert notifier.wrong(Target("dingtalk", "a1" * 32)) is None
    assert notifier.wrong(Target("bark", "Abcdefgh123")) is None
    assert notifier.wrong(Target("mail", "smtps://me%40qq.com@smtp.qq.com:465", "word", "a@b.cn")) is None
    assert notifier.wrong(Target("mail", "smtp+starttls://smtp.qq.com", to="a@b.cn")) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "address", ["", "nonsense", "file:///etc/passwd", "http://", "dbus://", "exec://rm", "http://[x"]
)
def test_what_is_no_address_is_refused(kind: str, address: str) -> None:
    target = Target(kind, address, to="a@b.cn")
    allowed = {("bark", "nonsense")}  # it looks like a key
    assert (Notifier().wrong(target) is None) is ((kind, address) in allowed)


@pytest.mark.parametrize(
    ("kind", "to"), [("mail", ""), ("mail", "nobody"), ("mail", "a@b.cn\nBcc: c@d"), ("telegram", "")]
)
def test_recipients_are_looked_at(kind: str, to: str) -> None:
    address = "smtp://smtp.qq.com" if kind == "mail" else "123456789:" + "A" * 35
    assert Notifier().wrong(Target(kind, address, to=to)) == "to"
