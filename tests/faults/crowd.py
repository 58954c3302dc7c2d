"""People at posters of a real service, as load: each scans, comes back, and remembers what they were shown."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

WECHAT = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) MicroMessenger/8.0.54 NetType/4G Language/zh_CN"


@dataclass
class Visitor:
    """One phone, with its cookie. `shown`: every member it was shown; `versions`: which pictures of them."""

    cookie: str = ""
    shown: list[int] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)


@dataclass
class Crowd:
    """Threads that scan one live code until told to stop. `seconds`: how long each answer took, with its moment."""

    port: int
    slug: str
    threads: int = 4
    visitors: list[Visitor] = field(default_factory=list)
    seconds: list[tuple[float, float]] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    pause: float = 0.002
    _stop: threading.Event = field(default_factory=threading.Event)
    _running: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self._running = [threading.Thread(target=self._scan_on) for _ in range(self.threads)]
        for thread in self._running:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._running:
            thread.join(60)

    def __enter__(self) -> "Crowd":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def took(self, since: float, until: float) -> list[float]:
        """How long the scans took that began in this time, the quickest first."""
        took = sorted(seconds for at, seconds in self.seconds if since <= at < until)
        assert len(took) > 20, "nobody scanned"
        return took

    def is_slower(self, normal: Sequence[tuple[float, float]], outage: tuple[float, float]) -> bool:
        """Whether p99 in the outage is more than five times the normal, as it was before or after it."""
        before = [self.p99(*one) for one in normal]
        during = self.p99(*outage)
        told = ", ".join(f"{seconds * 1000:.1f} ms" for seconds in before)
        print(f"p99 of a scan: {told} before and after, {during * 1000:.1f} ms during the outage")
        return during > 5 * max(before)

    def p99(self, since: float, until: float) -> float:
        took = self.took(since, until)
        return took[len(took) * 99 // 100]

    def _scan_on(self) -> None:
        mine: list[Visitor] = []
        number = 0
        while not self._stop.is_set():
            number += 1
            if number % 3 == 0 and mine:
                self.scan(mine[number % len(mine)])
            else:
                mine.append(Visitor())
                self.visitors.append(mine[-1])
                self.scan(mine[-1])
            time.sleep(self.pause)

    def scan(self, visitor: Visitor) -> None:
        """One scan; a connection that broke before its answer is what a phone would try again."""
        began = time.monotonic()
        try:
            status, answer, cookie = self.ask(visitor)
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(f"{type(error).__name__}: {error}")
            return
        self.seconds.append((began, time.monotonic() - began))
        self.statuses[status] += 1
        visitor.cookie = cookie or visitor.cookie
        if status == 200:
            visitor.outcomes.append(answer["outcome"])
            if answer["member"] is not None and answer["outcome"] in ("assigned", "returning"):
                visitor.shown.append(answer["member"]["id"])
                visitor.versions.append(answer["member"]["version"])

    def gets_a_seat_again(self, seconds: float = 60) -> bool:
        """Whether somebody new is assigned within this time: how long a store takes to come back is the machine's."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            visitor = Visitor()
            self.visitors.append(visitor)
            self.scan(visitor)
            if visitor.outcomes[-1:] == ["assigned"]:
                return True
            time.sleep(0.2)
        return False

    def ask(self, visitor: Visitor) -> tuple[int, Any, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"User-Agent": WECHAT, "Accept": "application/json"}
            if visitor.cookie:
                headers["Cookie"] = visitor.cookie
            connection.request("GET", f"/s/{self.slug}", headers=headers)
            reply = connection.getresponse()
            body = reply.read()
            cookie = (reply.getheader("Set-Cookie") or "").partition(";")[0]
            return reply.status, json.loads(body), cookie
        finally:
            connection.close()
