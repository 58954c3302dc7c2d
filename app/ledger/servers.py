"""Which Redis has a key: one server, a Cluster, or whoever Sentinels say is the master.

Decides how a command reaches the server that has its keys, and how long an outage may cost: whoever meets it first
waits for one time-out; from then on everybody is refused at once, in every worker process, while a thread of ours finds
out whether the server is back. Safe over threads (a connection a thread and server) and across fork.
"""

import contextlib
import os
import ssl
import threading
import time
from collections.abc import Sequence
from functools import lru_cache
from threading import get_ident
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit
from zlib import crc32

import hiredis
from redis.crc import key_slot

from app.db.breaker import Moments
from app.ledger.protocol import InDoubt, LedgerDown
from app.ledger.watch import PAUSE_SECONDS, Watch
from app.ledger.wire import Address, Command, Refused, Wire, encode

LONGEST_PAUSE_SECONDS = 5.0  # between two searches for where the keys are
TOLD_SECONDS = 2.0  # how long a server is taken to be down on another worker's word
SERVERS = 64  # places for such words; two servers in one place only cost a question too many
REDIRECTS = 5
MOVED_AWAY = ("READONLY", "MASTERDOWN", "CLUSTERDOWN", "LOADING", "TRYAGAIN")


class Servers:
    """Where the keys are. `url`: redis://, rediss://, unix:// (a Cluster is recognised), or redis+sentinel://host,host/name.
    `ask` and `ask_all` raise LedgerDown when the server does not answer, Refused with its error answers."""

    def __init__(self, url: str) -> None:
        self._url = url
        scheme, _, rest = url.partition("://")
        hosts, _, path = rest.partition("/")
        account, _, hosts = hosts.rpartition("@")
        self._sentinel = scheme == "redis+sentinel"
        self._default_port = 26379 if self._sentinel else 6379
        self._seeds: list[Address | str] = [self._address(urlsplit(f"x://{host}")) for host in hosts.split(",")]
        if scheme == "unix":
            self._seeds = [f"/{path.partition('?')[0]}"]
        parts = [part for part in path.partition("?")[0].split("/") if part] if scheme != "unix" else []
        self._master = parts.pop(0) if self._sentinel and parts else "mymaster"
        self._login = _login(account, parts[0] if parts else "0")
        self._context = ssl.create_default_context() if scheme == "rediss" else None
        self._held: dict[tuple[int, Any], Wire] = {}
        self._slots: list[tuple[int, int, Address]] = []
        self._where: dict[int, Address | str] = {}  # by slot
        self._is_cluster: bool | None = None
        self._nowhere_until = 0.0
        self._locating = threading.Lock()
        self._down: set[Any] = set()  # servers that did not answer; nobody asks them but the watch
        self._told_down = Moments(SERVERS)  # until when other workers believe whoever found a server down
        self._watch = Watch(self._is_back)

    def _address(self, host: SplitResult) -> Address:
        return (host.hostname or "127.0.0.1", host.port or self._default_port)

    # -- asking --------------------------------------------------------------------------------------------------------

    def ask(self, slot: int, data: bytes) -> Any:
        """The answer of the server that has this slot."""
        for _ in range(REDIRECTS):
            address = self._where.get(slot) or self._locate(slot)
            answer = self._exchange(address, data)
            if not isinstance(answer, hiredis.ReplyError):
                return answer
            self._redirected(slot, address, str(answer))
            word = str(answer).split(" ", 2)
            if word[0] == "ASK":
                return self._ask_there(word[2], data)
        raise LedgerDown("the cluster sends us in circles")

    def ask_all(self, slot: int, commands: Sequence[bytes]) -> list[Any]:
        """Answers to several commands, sent at once; for loads and the pipeline, so waited for longer."""
        for _ in range(REDIRECTS):
            address = self._where.get(slot) or self._locate(slot)
            try:
                wire = self._wire(address)
                wire.send(b"".join(commands))
                answers = [wire.answer() for _ in commands]
            except OSError as error:
                raise self._lost(address, error) from error
            wrong = next((str(a) for a in answers if isinstance(a, hiredis.ReplyError)), None)
            if wrong is None:
                return answers
            self._redirected(slot, address, wrong)
        raise LedgerDown("the cluster sends us in circles")

    def ask_each(self, commands: Sequence[tuple[int, bytes]]) -> list[Any]:
        """`ask_all` of commands for several slots, in their order: one exchange with each server."""
        by_server: dict[Address | str, list[int]] = {}
        for place, (slot, _) in enumerate(commands):
            by_server.setdefault(self._where.get(slot) or self._locate(slot), []).append(place)
        answers: list[Any] = [None] * len(commands)
        for places in by_server.values():
            got = self.ask_all(commands[places[0]][0], [commands[place][1] for place in places])
            for place, answer in zip(places, got, strict=True):
                answers[place] = answer
        return answers

    def _exchange(self, address: Address | str, data: bytes) -> Any:
        if address in self._down or self._is_told_down(address):
            self._watch.ensure_running()  # a fork leaves threads behind
            raise LedgerDown(f"{_told(address)} did not answer a moment ago")
        held = self._held.get((get_ident(), address))
        if held is not None and held.pid == os.getpid():
            try:
                return held.ask(data)
            except TimeoutError as error:  # not tried again, since the command may have been done
                raise self._lost_in_doubt(address, error) from error
            except OSError:
                # A connection the server closed while idle says nothing about the server: once, on a new one.
                self._forget(address)
        try:
            wire = self._wire(address)
        except OSError as error:
            raise (self._lost if held is None else self._lost_in_doubt)(address, error) from error
        try:
            return wire.ask(data)
        except OSError as error:
            raise self._lost_in_doubt(address, error) from error

    def _is_told_down(self, address: Any) -> bool:
        """Whether another worker has just waited for it in vain; ours finds out for itself from then on."""
        if self._told_down[_cell(address)] <= time.monotonic():
            return False
        self._down.add(address)
        return True

    def _is_back(self) -> bool:
        """Asks every server that did not answer; True when none is left."""
        for address in list(self._down):
            try:
                Wire(address, [*self._login, [b"PING"]], self._context).close()
            except OSError:
                self._told_down[_cell(address)] = time.monotonic() + TOLD_SECONDS
                continue
            self._told_down[_cell(address)] = 0.0
            self._down.discard(address)
        return not self._down

    def _ask_there(self, where: str, data: bytes) -> Any:
        host, _, port = where.rpartition(":")
        address = (host, int(port))
        try:
            wire = self._wire(address)
            wire.ask(encode([b"ASKING"]))
            answer = wire.ask(data)
        except OSError as error:
            raise self._lost(address, error) from error
        if isinstance(answer, hiredis.ReplyError):
            raise Refused(str(answer))
        return answer

    def _redirected(self, slot: int, address: Address | str, error: str) -> None:
        """Learns from a redirection; raises for every other error."""
        word = error.split(" ", 2)
        if word[0] == "MOVED":
            self._slots, self._where = [], {}
            host, _, port = word[2].rpartition(":")
            self._where[slot] = (host or str(address[0]), int(port))
        elif word[0] in MOVED_AWAY:
            raise self._lost(address, OSError(error))
        elif word[0] != "ASK":
            raise Refused(error)

    def _lost(self, address: Any, error: Exception) -> LedgerDown:
        self._forget(address)
        self._down.add(address)
        self._told_down[_cell(address)] = time.monotonic() + TOLD_SECONDS
        self._watch.ensure_running()
        self._slots, self._where = [], {}
        return LedgerDown(f"{_told(address)}: {type(error).__name__}: {error}"[:300])

    def _lost_in_doubt(self, address: Any, error: Exception) -> LedgerDown:
        return InDoubt(str(self._lost(address, error)))

    # -- which server --------------------------------------------------------------------------------------------------

    def _locate(self, slot: int) -> Address | str:
        """One looks, and the others wait for what is found; unless nothing was found the last time."""
        if not self._locating.acquire(blocking=not self._nowhere_until):
            raise LedgerDown("somebody is looking for where the keys are")
        begun = time.monotonic()
        try:
            if begun < self._nowhere_until:
                raise LedgerDown("nobody knew where the keys are a moment ago")
            try:
                found = self._where.get(slot) or self._located(slot)
            except LedgerDown:
                now = time.monotonic()
                self._nowhere_until = now + min(LONGEST_PAUSE_SECONDS, PAUSE_SECONDS + 10 * (now - begun))
                raise
            self._nowhere_until = 0.0
            return found
        finally:
            self._locating.release()

    def _located(self, slot: int) -> Address | str:
        if self._sentinel:
            address: Address | str = self._current_master()
        else:
            if self._is_cluster is None:
                self._is_cluster = self._asked_if_cluster()
            address = self._cluster_address(slot) if self._is_cluster else self._seeds[0]
        self._where[slot] = address
        return address

    def _asked_if_cluster(self) -> bool:
        for seed in self._seeds:
            with contextlib.suppress(LedgerDown):
                info = self._exchange(seed, encode([b"INFO", b"cluster"]))
                if isinstance(info, bytes):
                    return b"cluster_enabled:1" in info
        raise LedgerDown("no Redis answers")

    def _cluster_address(self, slot: int) -> Address:
        if not self._slots:
            self._slots = self._read_slots()
        for first, last, address in self._slots:
            if first <= slot <= last:
                return address
        self._slots = []
        raise LedgerDown("a slot of the cluster has no server")

    def _read_slots(self) -> list[tuple[int, int, Address]]:
        for seed in [*self._seeds, *{address for _, address in self._held}]:
            with contextlib.suppress(LedgerDown):
                answer = self._exchange(seed, encode([b"CLUSTER", b"SLOTS"]))
                if isinstance(answer, list):
                    return [(a, b, (node[0].decode() or str(seed[0]), int(node[1]))) for a, b, node, *_ in answer]
        raise LedgerDown("no server of the cluster answers")

    def _current_master(self) -> Address:
        for seed in self._seeds:
            try:
                wire = Wire(seed, (), self._context)
                try:
                    found = wire.ask(encode([b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", self._master.encode()]))
                finally:
                    wire.close()
            except OSError:
                continue
            if isinstance(found, list):
                return (found[0].decode(), int(found[1]))
        raise LedgerDown("no Sentinel knows the master")

    # -- connections ---------------------------------------------------------------------------------------------------

    def _wire(self, address: Any) -> Wire:
        held = self._held.get((get_ident(), address))
        if held is None or held.pid != os.getpid():
            self._sweep()
            held = self._held[(get_ident(), address)] = Wire(address, self._login, self._context)
        return held

    def _forget(self, address: Any) -> None:
        held = self._held.pop((get_ident(), address), None)
        if held is not None:
            held.close()

    def _sweep(self) -> None:
        """Closes what threads that have ended, or the process before a fork, left behind."""
        running = {thread.ident for thread in threading.enumerate()}
        for key, wire in list(self._held.items()):
            if key[0] not in running or wire.pid != os.getpid():
                self._held.pop(key, None)
                wire.close()

    def close(self) -> None:
        self._watch.stop()
        held, self._held = self._held, {}
        for wire in list(held.values()):
            wire.close()


def slot_of(key: str) -> int:
    return int(key_slot(key.encode()))


def _login(account: str, database: str) -> list[Command]:
    commands: list[Command] = []
    if account:
        name, _, password = account.partition(":")
        words = [unquote(word).encode() for word in (name, password) if word]
        commands.append([b"AUTH", *words])
    if database != "0":
        commands.append([b"SELECT", database.encode()])
    return commands


@lru_cache(SERVERS)
def _cell(address: Any) -> int:
    return crc32(repr(address).encode()) % SERVERS


def _told(address: Any) -> str:
    return address if isinstance(address, str) else f"{address[0]}:{address[1]}"
