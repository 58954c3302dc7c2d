"""Brings into Redis what SQL knows of a live code, when a claim finds it missing: new, or lost with the store.

One worker loads, under a lock in Redis that every step of the load checks; the others wait a moment. Nobody claims
before the end, for the version is written last. Where a live code's dedupe group was changed its counts move to the
group's bucket by the same way.
"""

import contextlib
import secrets
import threading
import time
from collections.abc import Callable

from app.ledger import keys
from app.ledger.protocol import LedgerDown, NotReady
from app.ledger.scripts import Scripts
from app.ledger.truth import Life, Standing, Truth

WAIT_SECONDS = 3.0
LOCK_MILLISECONDS = 60_000
CLOSED_MILLISECONDS = 600_000


class Loader:
    """`wait_seconds`: how long one waits for another's load. `clock`: seconds since 1970."""

    def __init__(
        self,
        scripts: Scripts,
        truth: Truth,
        wait_seconds: float = WAIT_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._scripts = scripts
        self._truth = truth
        self._wait_seconds = wait_seconds
        self._clock = clock
        self._turns = [threading.Lock() for _ in range(64)]

    def ensure(self, live_code_id: int) -> Standing | None:
        """Where the live code stands, after it was loaded if need be; None when there is no such live code."""
        with self._turns[live_code_id % len(self._turns)]:
            deadline = time.monotonic() + self._wait_seconds
            while True:
                standing = self._truth.standing(live_code_id)
                if standing is None:
                    return None
                there = self._there(live_code_id, standing.home)
                if there is not None:
                    return Standing(there, standing.home)
                token = secrets.token_hex(8).encode()
                if not self._is_closed(standing.home) and self._lock(standing.home, token):
                    try:
                        self._load(live_code_id, standing, token)
                    except LedgerDown:
                        self._unlock(standing.home, token)
                        raise
                elif time.monotonic() > deadline:
                    raise NotReady(f"live code {live_code_id} is being loaded")
                else:
                    time.sleep(0.02)

    def begin(self) -> int:
        """Names the life of every bucket that has no name yet; the newest name of all."""
        newest = 0
        stones: list[bytes] | None = None
        life: Life | None = None
        for bucket in range(keys.BUCKETS):
            key = keys.versions(bucket).encode()
            epoch = self._scripts.command(bucket, b"HGET", key, b"e")
            if epoch is None:
                stones = self._truth.tombstones() if stones is None else stones
                life = self._truth.next_life(int(self._clock())) if life is None else life
                for start in range(0, len(stones), 1000):
                    part = stones[start : start + 1000]
                    self._scripts.command(bucket, b"SADD", keys.prefix(bucket).encode() + b"x", *part)
                self._go_on_after(bucket, life.newest)
                self._scripts.command(bucket, b"HSETNX", key, b"e", b"%d" % life.epoch)
                epoch = self._scripts.command(bucket, b"HGET", key, b"e")
            newest = max(newest, int(epoch))
        return newest

    def _go_on_after(self, bucket: int, newest: int) -> None:
        """New entries must be newer than all that SQL has seen, even if the clock was set back meanwhile. `newest`: in
        milliseconds since 1970."""
        if newest > self._clock() * 1000:
            name, id_ = keys.stream(bucket).encode(), b"%d-0" % (newest + 1)
            with contextlib.suppress(LedgerDown):  # it is already further
                self._scripts.command(bucket, b"XADD", name, id_, b"e", b"")
                self._scripts.command(bucket, b"XDEL", name, id_)

    def close(self, bucket: int) -> None:
        """Nobody claims or loads here until the key of versions is gone: by hand, or by itself if we are killed."""
        self._scripts.run("close", bucket, b"%d" % CLOSED_MILLISECONDS)

    def _is_closed(self, home: str) -> bool:
        bucket = keys.bucket_of(home)
        return self._scripts.command(bucket, b"HGET", keys.versions(bucket).encode(), b"closed") is not None

    def _there(self, live_code_id: int, home: str) -> int | None:
        bucket = keys.bucket_of(home)
        epoch, version, loaded = self._scripts.command(
            bucket, b"HMGET", keys.versions(bucket).encode(), b"e", b"%d" % live_code_id, home.encode()
        )
        if epoch is None or version is None or not version.isdigit() or (home.startswith("g:") and loaded is None):
            return None
        return int(version)

    def _lock(self, scope: str, token: bytes) -> bool:
        bucket = keys.bucket_of(scope)
        name = keys.prefix(bucket).encode() + b"l:" + scope.encode()
        taken = self._scripts.command(bucket, b"SET", name, token, b"NX", b"PX", b"%d" % LOCK_MILLISECONDS)
        return taken is not None

    def _unlock(self, scope: str, token: bytes) -> None:
        with contextlib.suppress(LedgerDown):  # then it runs out
            self._scripts.run("unlock", keys.bucket_of(scope), b"l:" + scope.encode(), token)

    def _load(self, live_code_id: int, standing: Standing, token: bytes) -> None:
        home, bucket = standing.home, keys.bucket_of(standing.home)
        lock = b"l:" + home.encode()
        if self._there(live_code_id, home) is not None:
            self._scripts.command(bucket, b"DEL", keys.prefix(bucket).encode() + lock)
            return
        self.begin()
        came_from, counts = self._from_elsewhere(live_code_id, home)
        if came_from is None:
            counts = self._truth.counts(live_code_id)
        now_here = [b"%d" % live_code_id, b"%d" % standing.version]
        if home.startswith("g:"):
            known = self._scripts.command(bucket, b"HGET", keys.versions(bucket).encode(), home.encode())
            if known is None:
                self._put(bucket, lock, token, home)
            now_here += [home.encode(), b"1"]
        else:
            self._put_own(live_code_id, bucket, lock, token, anew=came_from is None)
        fields = [word for pair in counts.items() for word in pair]
        self._scripts.run("ready", bucket, lock, token, b"%d" % live_code_id, *fields, b"", *now_here)
        self._settle(live_code_id, home, came_from)

    def _put_own(self, live_code_id: int, bucket: int, lock: bytes, token: bytes, *, anew: bool) -> None:
        for scope in self._truth.scopes(live_code_id):
            known = self._scripts.command(bucket, b"SISMEMBER", keys.prefix(bucket).encode() + b"n", scope.encode())
            if anew or not known:
                self._put(bucket, lock, token, scope)

    def _put(self, bucket: int, lock: bytes, token: bytes, scope: str) -> None:
        self._run_locked("put", bucket, lock, token, scope.encode())
        for seats in self._truth.seats(scope, keys.live_code_in(scope)):
            words = [word for pair in seats for word in pair]
            self._run_locked("put", bucket, lock, token, scope.encode(), *words)

    def _run_locked(self, name: str, bucket: int, *words: bytes) -> None:
        if self._scripts.run(name, bucket, *words) != 1:
            raise LedgerDown("a load took so long that another one has begun")

    def _from_elsewhere(self, live_code_id: int, home: str) -> tuple[str | None, dict[bytes, bytes]]:
        """In which scope's bucket this live code stood so far, and its counts; from now on nobody claims there."""
        own = keys.own_scope(live_code_id)
        name = b"%d" % live_code_id
        own_bucket = keys.bucket_of(own)
        pointer = self._scripts.command(own_bucket, b"HGET", keys.versions(own_bucket).encode(), name)
        places = [own] if pointer is None or pointer.isdigit() else [own, pointer.decode()]
        for scope in places:
            bucket = keys.bucket_of(scope)
            if bucket == keys.bucket_of(home):
                continue
            version = self._scripts.command(bucket, b"HGET", keys.versions(bucket).encode(), name)
            key = keys.prefix(bucket).encode() + b"c:" + name
            counts = self._scripts.command(bucket, b"EXISTS", key)
            if counts or (version is not None and version.isdigit()):
                flat = self._scripts.run("leave", bucket, name, home.encode())
                return scope, dict(zip(flat[::2], flat[1::2], strict=True))
        return None, {}

    def _settle(self, live_code_id: int, home: str, came_from: str | None) -> None:
        """Leaves the way to its home where everybody looks first, and drops what has moved."""
        name = b"%d" % live_code_id
        own = keys.own_scope(live_code_id)
        own_bucket = keys.bucket_of(own)
        if own_bucket != keys.bucket_of(home):
            self._scripts.command(own_bucket, b"HSET", keys.versions(own_bucket).encode(), name, home.encode())
        if came_from is not None:
            bucket = keys.bucket_of(came_from)
            base = keys.prefix(bucket).encode()
            self._scripts.command(bucket, b"DEL", base + b"c:" + name, base + b"t:" + name)
            if bucket not in (own_bucket, keys.bucket_of(home)):
                self._scripts.command(bucket, b"HDEL", keys.versions(bucket).encode(), name)
