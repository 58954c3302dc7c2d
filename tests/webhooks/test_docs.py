"""docs/webhooks.md is what people build on: its snippet works, and its table is complete."""

import re
from typing import Any

import pytest

from app.rules.webhooks import EVENTS
from app.settings import ROOT
from tests.happen import event
from tests.webhooks.conftest import World

TEXT = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")


def snippet() -> Any:
    found = re.search(r"```python\n(.+?)```", TEXT, re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(compile(found[1], "docs/webhooks.md", "exec"), names)
    return names["is_ours"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_snippet_knows_our_messages_and_no_others(world: World) -> None:
    is_ours = snippet()
    secret = world.endpoint()["secret"]
    world.happened(event())
    world.send()
    [heard] = world.receiver.heard
    header, now = heard.headers["x-huozi-signature"], world.now.timestamp()
    assert is_ours(secret, header, heard.body, now)
    assert not is_ours(secret, header, heard.body + b" ", now)
    assert not is_ours("whsec_another", header, heard.body, now)
    assert not is_ours(secret, header, heard.body, now + 301)
    assert not is_ours(secret, header.replace("t=", "t=1"), heard.body, now)
    for broken in ("", "t=", "v1=abc", "t=x,v1=y", "nonsense"):
        assert not is_ours(secret, broken, heard.body, now)


def test_every_event_is_in_the_table() -> None:
    assert set(re.findall(r"^\| `([a-z.]+)` \|", TEXT, re.MULTILINE)) == {*EVENTS, "test"}
