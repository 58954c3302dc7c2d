"""A month at forty groups, played through by real processes; only the clock is ours.

Scanners come to the scan door at random, day and night, and take seats. Codes expire after seven days. Two processes
of `flask alerts run` look every half hour at the same moment, are killed in the middle of a round, and come back. Who
swaps knows nothing but what the alerts told: they open the link in the message and send a screenshot, some hours
later; a few of them too late.

Beside it stands a book of its own, kept from what scanners were shown and when codes were swapped: which thresholds
were passed when. What the messages told is compared with it.
"""

import io
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.alerts import deliveries
from app.alerts.desk import DESK
from app.alerts.models import AlertChannel
from app.codes.models import LiveCode, Member, MemberVersion
from app.db import writing
from app.outside.notify import Target
from app.rules.kinds import KINDS
from app.scan.decide import Decider
from app.settings import Settings
from tests import make, pictures
from tests.outside.services import Heard, Services
from tests.scan.phone import Doorway, Phone
from tests.servers import ROOT

# What a fresh code is taken to be good for.
GOOD_FOR = timedelta(hours=KINDS["wechat_group"].lifetime_hours or 0)
HOURS = (48, 12)
PERCENTS = (80, 95, 100)
QUIET = (22 * 60, 8 * 60)
# How lively each hour of a local day is; the mean is 1.
OF_DAY = (0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.3, 0.6, 0.9, 1.1, 1.2, 1.5, 1.6, 1.2, 1.1, 1.1, 1.2, 1.3, 1.5, 1.9, 2.2, 2.0,
          1.5, 0.9)  # fmt: skip


@dataclass
class Code:
    """One member as the book knows it: whether it is good, and how many live in its group."""

    id: int
    live_code_id: int
    capacity: int
    expires_at: datetime
    version: int = 1
    generation: int = 1
    taken: int = 0
    percents: set[int] = field(default_factory=set)  # told in this generation
    hours: set[int] = field(default_factory=set)  # told of this version; 0: it has expired
    is_late: bool = False

    def is_good(self, at: datetime) -> bool:
        return at < self.expires_at

    def has_room(self, at: datetime) -> bool:
        return self.is_good(at) and self.taken < self.capacity


@dataclass(frozen=True)
class Due:
    """A threshold that was passed: which, and between which rounds."""

    kind: str
    member_id: int
    mark: int  # hours, percent; 0
    version: int  # of the code for dates, the group's generation for room
    since: datetime
    at: datetime  # the first round at which it held


class Teller:
    """One process of the real command, told the time line by line."""

    def __init__(self, environ: dict[str, str]) -> None:
        flask = [sys.executable, "-m", "flask", "--app", "tests.alerts.teller:make_app"]
        command = [*flask, "alerts", "run", "--now", "-"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def begin(self, at: datetime) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(at.isoformat() + "\n")
        self.process.stdin.flush()

    def finish(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the alert process ended by itself with {self.process.wait(10)}"
        found: dict[str, Any] = json.loads(line)
        return found

    def kill(self) -> None:
        self.process.kill()
        self.close()

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process.wait(30)


class Month:
    def __init__(self, app: Flask, settings: Settings, session: Session, hook: Services, robot: Services, **how: Any):
        self.app, self.settings, self.session, self.hook, self.robot = app, settings, session, hook, robot
        self.days: int = how.get("days", 30)
        self.codes_of: int = how.get("live_codes", 8)
        self.step: timedelta = how.get("step", timedelta(minutes=30))
        self.a_day: float = how.get("scans_a_day", 24.0)
        self.late_days: list[int] = list(how.get("late_days", (5, 12, 19)))
        self.dice = random.Random(how.get("seed", 20261102))
        self.now = make.NOW
        self.book: dict[int, Code] = {}
        self.slugs: dict[int, str] = {}
        self.swaps: dict[int, tuple[datetime, str, bool]] = {}
        self.due: list[Due] = []
        self.met: Counter[str] = Counter()
        self.dead: list[tuple[datetime, int]] = []
        self.turned_away: list[datetime] = []
        self.kills = self.read = self.late = self.swapped = self.rounds = 0
        self.robot_heard: list[tuple[datetime, Heard]] = []
        self.guests: list[tuple[int, Phone]] = []
        self._time_travel()
        self._people()

    # -- the service, at the month's time --------------------------------------------------------------------------

    def _time_travel(self) -> None:
        for name in (DESK, "huozi.codes"):
            self.app.extensions[name] = replace(self.app.extensions[name], clock=lambda: self.now)
        self.house = house = self.app.extensions["huozi"]
        self.decider = Decider(house.snapshots, house.ledger, lambda: self.now, self.dice.random)
        self.doorway = Doorway(self, house.files)  # type: ignore[arg-type]  # it asks for `now` and `decider` alone
        self.owner = FlaskClient(self.app)

    def _people(self) -> None:
        modes = ("sequential", "round_robin", "random")
        with writing(self.session):
            boss = make.user_row(self.session, role="admin")
            for number in range(self.codes_of):
                code = make.live_code_row(self.session, boss, mode=modes[number % 3], unpressed_seat_hours=0)
                self.slugs[code.id] = code.slug
                for _ in range(5):
                    self._group(code)
            self._channels(boss)
        self.boss_id = boss.id

    def _group(self, code: LiveCode) -> None:
        expires_at = self.now + timedelta(minutes=self.dice.randrange(2 * 24 * 60, 7 * 24 * 60))
        row: Member = make.member_row(
            self.session, code, capacity=30, expires_at=expires_at, public_name=f"{len(self.book) + 1}群"
        )
        self.book[row.id] = Code(row.id, code.id, 30, expires_at)

    def _channels(self, boss: User) -> None:
        key = self.app.extensions[DESK].key
        webhook = Target("webhook", f"http://127.0.0.1:{self.hook.port}/all")
        robot = Target(
            "wecom", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=633a31f6-7f9a-4bb2-97a0-0ec1eefa5898"
        )
        for target, more in ((webhook, {}), (robot, {"quiet_from": QUIET[0], "quiet_until": QUIET[1]})):
            sealed = deliveries.sealed(target, key)
            kind = {"name": target.kind, "kind": target.kind, "language": "en", "covers_all": True}
            self.session.add(AlertChannel(owner_id=boss.id, sealed=sealed, **kind, **more))

    # -- what happens ----------------------------------------------------------------------------------------------

    def play(self) -> None:
        rounds = int(timedelta(days=self.days) / self.step)
        tellers = [self._teller(), self._teller()]
        try:
            for number in range(rounds):
                self._until(make.NOW + (number + 1) * self.step)
                self._thresholds(self.now - self.step)
                self._round(tellers, number)
                self._listen()
        finally:
            for teller in tellers:
                teller.close()

    def _teller(self) -> Teller:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HUOZI_")}
        environ = {
            "HUOZI_DATA_DIR": str(self.settings.data_dir),
            "HUOZI_DATABASE_URL": self.settings.database_url,
            "HUOZI_SECRET_KEY": self.settings.secret_key,
            "HUOZI_PUBLIC_URL": self.settings.public_url,
            "HUOZI_ALERT_NETWORKS": "127.0.0.0/8",
            "TELLER_SERVICES": str(self.robot.port),
            "REQUESTS_CA_BUNDLE": str(self.robot.authority),
        }
        return Teller({**inherited, **environ})

    def _round(self, tellers: list[Teller], number: int) -> None:
        """Both look at the same moment. Now and then one is killed while it does, or both."""
        victims = {37: (0,), 61: (1,), 101: (0, 1)}.get(number % 120, ())
        for teller in tellers:
            teller.begin(self.now)
        for index in victims:
            # Dead at another point of the round each time: before it, in it, while it sends.
            if self.dice.random() < 0.7:
                self._wait_a_little()
            tellers[index].kill()
            self.kills += 1
        for index, teller in enumerate(tellers):
            if index in victims:
                tellers[index] = self._teller()
            else:
                teller.finish()
        if len(victims) == 2:  # nobody looked through to the end: the next ones do, at the same moment
            for teller in tellers:
                teller.begin(self.now)
            for teller in tellers:
                teller.finish()
        self.rounds += 1

    def _wait_a_little(self) -> None:
        time.sleep(self.dice.uniform(0.0, 0.06))

    def _until(self, end: datetime) -> None:
        """Scans and swaps between two rounds, each at its own moment."""
        begin = self.now
        moments: list[tuple[datetime, str, int]] = []
        for live_code_id in self.slugs:
            rate = self.a_day * self.step / timedelta(days=1) * OF_DAY[begin.astimezone(make.ZONE).hour]
            for _ in range(_poisson(self.dice, rate)):
                moments.append((begin + self.dice.random() * (end - begin), "scan", live_code_id))
        for member_id, (at, _, _) in self.swaps.items():
            if at < end:
                moments.append((max(at, begin), "swap", member_id))
        for at, what, which in sorted(moments):
            self.now = at
            if what == "scan":
                self._scan(which)
            else:
                self._swap(which)
        self.now = end
        self.house.drainer.run_until_empty()

    def _scan(self, live_code_id: int) -> None:
        """Somebody new, or (one time in six) somebody who was here before."""
        slug = self.slugs[live_code_id]
        known = [phone for code, phone in self.guests[-400:] if code == live_code_id]
        phone = self.dice.choice(known) if known and self.dice.random() < 1 / 6 else self.doorway.phone()
        if phone not in known:
            self.guests.append((live_code_id, phone))
        said = phone.scan(slug)
        self.met[said["outcome"]] += 1
        room = any(code.has_room(self.now) for code in self.book.values() if code.live_code_id == live_code_id)
        shown = self.book[said["member"]["id"]] if said["member"] else None
        if shown is not None and said["member"]["image_url"] and not shown.is_good(self.now):
            self.dead.append((self.now, shown.id))
        if said["outcome"] in ("full", "unavailable", "held") and room:
            self.turned_away.append(self.now)
        if said["outcome"] == "assigned" and shown is not None:
            shown.taken += 1
            if self.dice.random() < 0.6:
                phone.post(f"/s/{slug}/press")

    def _swap(self, member_id: int) -> None:
        """The group's owner with the link of the message: page, screenshot, yes."""
        _, link, new_group = self.swaps.pop(member_id)
        code = self.book[member_id]
        path = link[link.index("/swap/") :]
        page = self.owner.get(path)
        assert page.status_code == 200, page.text
        screenshot = io.BytesIO()
        pictures.screen(make.group_url(), width=540).save(screenshot, "PNG")
        screenshot.seek(0)
        read = self.owner.post(path, data={"image": (screenshot, "new.png")}, content_type="multipart/form-data")
        found = re.search(r'name="bound" value="([^"]+)"', read.text)
        assert found is not None, read.text
        more = {"new_group": "1"} if new_group else {}
        done = self.owner.post(path, data={"bound": found[1], **more})
        assert done.status_code == 200, done.text
        self.swapped += 1
        self.late += code.expires_at <= self.now
        code.version, code.expires_at, code.hours, code.is_late = code.version + 1, self.now + GOOD_FOR, set(), False
        if new_group:
            code.generation, code.taken, code.percents = code.generation + 1, 0, set()

    # -- what should have been told, and what was ------------------------------------------------------------------

    def _thresholds(self, since: datetime) -> None:
        """What this round is the first to find. Of several of one family the last speaks for all."""
        for code in self.book.values():
            found = [hours for hours in HOURS if code.expires_at - timedelta(hours=hours) <= self.now < code.expires_at]
            found = [hours for hours in found if hours not in code.hours]
            if code.expires_at <= self.now and 0 not in code.hours:
                found = [0]
            if found:
                hours = min(found)
                passed = code.expires_at - timedelta(hours=hours)
                self._owe("expired" if hours == 0 else "expiring", code, hours, code.version, passed)
                code.hours |= set(found)
            if code.expires_at <= self.now:
                continue
            full = [percent for percent in PERCENTS if code.taken * 100 >= code.capacity * percent]
            new = [percent for percent in full if percent not in code.percents]
            if new:
                percent = max(new)
                self._owe("full" if percent == 100 else "filling", code, percent, code.generation, since)
                code.percents |= set(full)

    def _owe(self, kind: str, code: Code, mark: int, number: int, since: datetime) -> None:
        self.due.append(Due(kind, code.id, mark, number, since, self.now))

    def _listen(self) -> None:
        """Who acts does so on what has just arrived, and on nothing else."""
        for heard in self.hook.heard[self.read :]:
            links = re.findall(r"/members/(\d+)/swap\n.*?(http\S+/swap/\S+)", heard.sent["text"])
            for alert in heard.sent["alerts"]:
                self._plan(alert, {int(member_id): link for member_id, link in links})
        self.read = len(self.hook.heard)
        self.robot_heard += [(self.now, heard) for heard in self.robot.heard[len(self.robot_heard) :]]

    def _plan(self, alert: dict[str, Any], links: dict[int, str]) -> None:
        member_id = int(alert["cause"].split(":")[1])
        if alert["kind"] not in ("expiring", "expired", "full") or member_id not in links:
            return
        code, link = self.book[member_id], links[member_id]
        hours = alert["cause"].rpartition(":")[2]
        if alert["kind"] == "full" and not code.is_late:
            # People are given another code meanwhile: a new group when somebody has made one. Whoever was about to swap
            # this code before it dies does not put that off because it is full as well.
            at = self.now + timedelta(hours=self.dice.uniform(0.5, 5))
            planned = self.swaps.get(member_id)
            self.swaps[member_id] = min(at, planned[0]) if planned else at, link, True
        elif alert["kind"] == "expiring" and hours == "12" and member_id not in self.swaps:
            if (
                self.late_days
                and code.taken < code.capacity // 2
                and self.now > make.NOW + timedelta(days=self.late_days[0])
            ):
                self.late_days.pop(0)
                code.is_late = True
                return
            self.swaps[member_id] = self.now + timedelta(hours=self.dice.uniform(0.2, 11)), link, False
        elif alert["kind"] == "expired":
            told = [(one["cause"], heard.sent["sent_at"]) for heard in self.hook.heard for one in heard.sent["alerts"]]
            assert code.is_late, (
                f"{code} died although nobody was late; told: {[one for one in told if f':{member_id}:' in one[0]]}"
            )
            self.swaps[member_id] = self.now + timedelta(hours=self.dice.uniform(2, 15)), link, False

    def told(self) -> dict[str, list[Heard]]:
        """What the webhook heard, by the message's number: one that was sent again comes under the same."""
        found: dict[str, list[Heard]] = {}
        for heard in self.hook.heard:
            found.setdefault(heard.headers["x-huozi-id"], []).append(heard)
        return found


def key_of(due: Due, codes: dict[int, Code], expires: dict[tuple[int, int], datetime]) -> str:
    """What the alert of this threshold is called."""
    if due.kind in ("filling", "full"):
        return f"{due.kind}:{due.member_id}:{due.version}:{due.mark}"
    at = int(expires[due.member_id, due.version].timestamp())
    return f"{due.kind}:{due.member_id}:{due.version}:{at}" + (f":{due.mark}" if due.mark else "")


def expiries(session: Session) -> dict[tuple[int, int], datetime]:
    session.rollback()
    rows = session.execute(sa.select(MemberVersion.member_id, MemberVersion.number, MemberVersion.expires_at))
    return {(row[0], row[1]): row[2] for row in rows}


def _poisson(dice: random.Random, mean: float) -> int:
    limit, product, count = pow(2.718281828459045, -mean), dice.random(), 0
    while product > limit:
        product *= dice.random()
        count += 1
    return count


def causes_in(messages: Iterable[list[Heard]]) -> list[tuple[str, dict[str, Any], datetime]]:
    """Each alert of each message (counted once however often it was sent), and when it was sent first."""
    return [
        (alert["cause"], alert, datetime.fromisoformat(sent[0].sent["sent_at"]))
        for sent in messages
        for alert in sent[0].sent["alerts"]
    ]
