"""The service as it is run: scans over HTTP, workers killed under them, and what SQL knows afterwards."""

import json
import os
import signal
import threading
import time
import urllib.request
from http.client import HTTPException
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.codes.models import LiveCode
from app.db import writing
from app.ledger.tables import seats
from app.people.models import Visitor, VisitorTag
from app.pipeline.models import dead_events, events
from app.stats.models import rollup_total
from tests import make
from tests.happen import count, rows
from tests.pipeline.test_drain import wait_for
from tests.servers import Running

WECHAT = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Mobile/15E148 MicroMessenger/8.0.54 Language/zh_CN"


class Phone:
    """One visitor with a cookie. `acknowledged` counts answers that arrived whole."""

    def __init__(self, base: str) -> None:
        self.base, self.cookie, self.acknowledged, self.sent = base, "", 0, 0

    def ask(self, method: str, path: str, body: bytes | None = None) -> object:
        headers = {"User-Agent": WECHAT, "Accept": "application/json", "Origin": self.base}
        if self.cookie:
            headers["Cookie"] = self.cookie
        if body:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self.base + path, body, headers, method=method)
        self.sent += 1
        with urllib.request.urlopen(request, timeout=20) as answer:
            said = json.loads(answer.read())
            self.cookie = (answer.headers["Set-Cookie"] or self.cookie).split(";")[0]
        self.acknowledged += 1
        return said


def live_code(engine: Engine, **more: object) -> tuple[int, str]:
    with Session(engine) as session, writing(session):
        row = make.live_code_row(session, **more)
        return row.id, row.slug


def worker_pids(server: Running) -> list[int]:
    return [
        int(pid) for pid in Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    ]


def test_a_worker_killed_under_load_loses_no_acknowledged_scan(engine: Engine, live_server: Running) -> None:
    id, slug = live_code(engine)
    with Session(engine) as session, writing(session):
        make.member_row(session, session.get_one(LiveCode, id))
    phones = [Phone(live_server.url) for _ in range(6)]
    stop = threading.Event()
    unanswered: list[Phone] = []

    def scan(phone: Phone) -> None:
        while not stop.is_set():
            try:
                phone.ask("GET", f"/s/{slug}")
            except (OSError, HTTPException, ValueError):
                unanswered.append(phone)
                time.sleep(0.05)

    threads = [threading.Thread(target=scan, args=(phone,)) for phone in phones]
    for thread in threads:
        thread.start()
    try:
        kills = 0
        # Three times, and until a scan was under way at one of them: those that had not been accepted yet wait.
        while kills < 3 or (not unanswered and kills < 20):
            time.sleep(0.8)
            for pid in worker_pids(live_server):  # both at once: whichever drains is among them
                os.kill(pid, signal.SIGKILL)
            kills += 1
        time.sleep(2)
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    acknowledged, sent = sum(phone.acknowledged for phone in phones), sum(phone.sent for phone in phones)
    assert acknowledged > 50
    assert acknowledged < sent, "no scan came while the workers were away"
    wait_for(lambda: count(engine, events) >= acknowledged, 15)
    time.sleep(1)
    assert acknowledged <= count(engine, events) <= sent
    assert sum(row["scans"] for row in rows(engine, rollup_total)) == count(engine, events)
    assert sum(row["scans"] for row in rows(engine, Visitor)) == count(engine, events)
    # A line the kill tore is no acknowledged scan.
    assert count(engine, dead_events) <= 2


def test_choices_seats_and_tags_agree(engine: Engine, live_server: Running) -> None:
    id, slug = live_code(engine, kind="grouped")
    with Session(engine) as session, writing(session):
        code = session.get_one(LiveCode, id)
        choices = [make.choice_row(session, code, title=name, tag=name) for name in ("母婴", "数码", "美食")]
        ids = [choice.id for choice in choices]
        for choice_id in ids:
            make.member_row(session, code, choice_id=choice_id)
    phones = [Phone(live_server.url) for _ in range(30)]

    def choose(number: int, phone: Phone) -> None:
        phone.ask("GET", f"/s/{slug}")
        body = json.dumps({"choice_id": ids[number % 3]}).encode()
        for _ in range(2):  # a double tap takes one
            phone.ask("POST", f"/s/{slug}/choose", body)

    threads = [threading.Thread(target=choose, args=pair) for pair in enumerate(phones)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [phone.acknowledged for phone in phones] == [3] * 30
    wait_for(lambda: count(engine, events) == 90, 15)
    held = [(row["visitor"], row["choice_id"]) for row in rows(engine, seats) if row["member_id"]]
    keys = {row["id"]: row["key"] for row in rows(engine, Visitor)}
    tagged = [(keys[row["visitor_id"]], row["choice_id"]) for row in rows(engine, VisitorTag)]
    assert sorted(held) == sorted(tagged)
    assert len(tagged) == 30
