"""Ways to Redis: passwords, sockets, TLS, Clusters that answer oddly, servers that die in the middle of a word."""

import contextlib
import multiprocessing
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import hiredis
import pytest
import redis

from app.ledger import InDoubt, LedgerDown, keys
from app.ledger.scripts import SLOTS, Scripts
from app.ledger.servers import Servers
from app.ledger.streams import Streams
from app.ledger.watch import Watch
from app.ledger.wire import ANSWER_SECONDS, Refused, Wire, encode
from tests.servers import Running, free_port, start_redis

PING = encode([b"PING"])


@contextlib.contextmanager
def connected(url: str) -> Iterator[Servers]:
    servers = Servers(url)
    yield servers
    servers.close()


@contextlib.contextmanager
def started(*options: str, port: int | None = None) -> Iterator[Running]:
    server = start_redis(*options, port=port)
    yield server
    server.stop()


def test_password_user_and_database_are_sent(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.execute_command("ACL", "SETUSER", "huozi", "on", ">p@ss word", "~*", "+@all")
        client.config_set("requirepass", "for everybody else")
    try:
        host = redis_url.removeprefix("redis://").partition("/")[0]
        with connected(f"redis://huozi:p%40ss%20word@{host}/3") as servers:
            assert servers.ask(0, encode([b"SET", b"where", b"three"])) == b"OK"
        with redis.Redis.from_url(f"redis://:for everybody else@{host}/3") as client:
            assert client.get("where") == b"three"
        with connected(f"redis://:for%20everybody%20else@{host}/3") as servers:
            assert servers.ask(0, encode([b"GET", b"where"])) == b"three"
        with connected(f"redis://:wrong@{host}") as servers, pytest.raises(LedgerDown):
            servers.ask(0, PING)
    finally:
        with redis.Redis.from_url(f"redis://:for everybody else@{host}/0") as client:
            client.config_set("requirepass", "")
            client.execute_command("ACL", "DELUSER", "huozi")


def test_socket_of_this_machine(tmp_path: Path) -> None:
    with started("--unixsocket", str(tmp_path / "redis.sock")), connected(f"unix://{tmp_path}/redis.sock") as servers:
        assert servers.ask(0, PING) == b"PONG"


def test_tls_to_a_server_that_this_machine_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key, port = tmp_path / "cert.pem", tmp_path / "key.pem", free_port()
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    named = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*made, "-keyout", str(key), "-out", str(certificate), *named], check=True, capture_output=True)
    files = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-ca-cert-file", str(certificate))
    with started("--tls-port", str(port), *files, "--tls-auth-clients", "no"):
        with connected(f"rediss://127.0.0.1:{port}") as servers, pytest.raises(LedgerDown):
            servers.ask(0, PING)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with connected(f"rediss://127.0.0.1:{port}") as servers:
            assert servers.ask(0, PING) == b"PONG"


def test_server_that_closed_an_idle_connection_is_asked_again(redis_url: str) -> None:
    with connected(redis_url) as servers, redis.Redis.from_url(redis_url) as client:
        assert servers.ask(0, PING) == b"PONG"
        client.client_kill_filter(_type="normal", skipme=True)
        assert servers.ask(0, PING) == b"PONG"


def test_connection_of_a_thread_that_has_ended_is_closed_by_the_next_one() -> None:
    with started() as server, connected(server.url) as servers, redis.Redis.from_url(server.url) as client:
        before = len(client.client_list())
        thread = threading.Thread(target=servers.ask, args=(0, PING))
        thread.start()
        thread.join()
        assert len(client.client_list()) == before + 1
        assert servers.ask(0, PING) == b"PONG"
        wait_until(lambda: len(client.client_list()) == before + 1)


def test_server_that_is_gone_is_in_doubt_only_for_who_was_talking_to_it() -> None:
    with started() as server, connected(server.url) as servers:
        assert servers.ask(0, PING) == b"PONG"
        server.kill()
        with pytest.raises(InDoubt):
            servers.ask(0, PING)
        with pytest.raises(LedgerDown) as refused:
            servers.ask(0, PING)
        assert not isinstance(refused.value, InDoubt)
        with connected(server.url) as others:
            for _ in range(2):  # nobody knows where the keys are, nor will anybody look again at once
                with pytest.raises(LedgerDown) as refused:
                    others.ask(0, PING)
                assert not isinstance(refused.value, InDoubt)


def test_server_that_takes_nothing_and_one_that_says_nothing_are_waited_for_no_longer_than_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        wire = Wire(("127.0.0.1", deaf.getsockname()[1]), (), None)
        try:
            with pytest.raises(TimeoutError):
                wire.ask(PING, 0.2)
            with pytest.raises(TimeoutError):
                wire.ask(b"x" * 50_000_000, 0.2)
        finally:
            wire.close()


def test_server_that_comes_back_is_found_without_anybody_waiting() -> None:
    with started() as server, connected(server.url) as servers:
        servers.ask(0, PING)
        server.freeze()
        began = time.monotonic()
        with pytest.raises(InDoubt):
            servers.ask(0, PING)
        assert time.monotonic() - began < 5
        began = time.monotonic()
        for _ in range(200):
            with pytest.raises(LedgerDown):
                servers.ask(0, PING)
        assert time.monotonic() - began < 1
        server.thaw()
        wait_until(lambda: servers.ask(0, PING) == b"PONG")


def test_server_that_one_worker_found_down_is_not_waited_for_by_another() -> None:
    with started() as server, connected(server.url) as servers:
        assert servers.ask(0, PING) == b"PONG"
        with forked(lambda: seconds_until_told_down(servers)) as (go, told):
            server.freeze()
            with pytest.raises(InDoubt):
                servers.ask(0, PING)
            go()
            assert told() < ANSWER_SECONDS / 2
            server.thaw()


def seconds_until_told_down(servers: Servers) -> float:
    began = time.monotonic()
    try:
        servers.ask(0, PING)
    except InDoubt:
        return 99.0
    except LedgerDown:
        return time.monotonic() - began
    return 98.0


@contextlib.contextmanager
def forked(work: Callable[[], float]) -> Iterator[tuple[Callable[[], object], Callable[[], float]]]:
    """A worker process of today's state, that works when told `go()`, and what it then says."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()

    def run() -> None:
        there.recv()
        there.send(work())

    process = context.Process(target=run)
    process.start()
    yield lambda: here.send(None), lambda: here.recv() if here.poll(20) else 97.0
    process.join(20)
    assert process.exitcode == 0


def wait_until(ready: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(LedgerDown):
            if ready():
                return
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def test_watch_runs_once_in_a_process_and_again_after_a_fork() -> None:
    others = set(threading.enumerate())
    asked: list[int] = []
    watch = Watch(lambda: bool(asked.append(os.getpid())), 0.01)
    watch.stop()
    with contextlib.ExitStack() as stack:
        stack.callback(watch.stop)
        threads = [threading.Thread(target=watch.ensure_running) for _ in range(8)]
        with watch._lock:  # all of them have seen that nobody watches, and wait here
            for thread in threads:
                thread.start()
            time.sleep(0.1)
        for thread in threads:
            thread.join()
        wait_until(lambda: len(asked) > 2)
        assert [thread.name for thread in threading.enumerate() if thread not in others] == ["watch"]


class Odd:
    """A small server that speaks Redis's protocol and answers what it is told to."""

    def __init__(self, answer: Callable[[list[bytes]], bytes]) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        reader = hiredis.Reader()
        with contextlib.suppress(OSError):
            while data := connection.recv(65536):
                reader.feed(data)
                while (command := reader.gets()) is not False:
                    said = self._answer(command)
                    if not said:
                        connection.close()
                        return
                    connection.sendall(said)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            connection.close()
        self._thread.join(5)


@contextlib.contextmanager
def odd(answers: dict[bytes, bytes], info: bytes = b"$17\r\ncluster_enabled:1\r\n") -> Iterator[Odd]:
    """By a command's first word; every other one is PONG."""
    server = Odd(lambda command: {b"INFO": info, **answers}.get(command[0], b"+PONG\r\n"))
    yield server
    server.close()


def slots(port: int, first: int = 0, last: int = 16383) -> bytes:
    return b"*1\r\n*3\r\n:%d\r\n:%d\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n" % (first, last, port)


INFO = b"$17\r\ncluster_enabled:1\r\n"


def test_cluster_that_sends_us_in_circles_is_given_up() -> None:
    server = Odd(lambda command: INFO if command[0] == b"INFO" else b"-MOVED 0 127.0.0.1:%d\r\n" % server.port)
    with connected(server.url) as servers:
        servers._where[0] = ("127.0.0.1", server.port)
        with pytest.raises(LedgerDown, match="in circles"):
            servers.ask(0, PING)
        servers._where[0] = ("127.0.0.1", server.port)
        with pytest.raises(LedgerDown, match="in circles"):
            servers.ask_all(0, [PING])
    server.close()


def test_cluster_is_asked_once_where_all_its_slots_are() -> None:
    asked: list[bytes] = []

    def answer(command: list[bytes]) -> bytes:
        asked.append(command[0])
        return {b"INFO": INFO, b"CLUSTER": slots(server.port)}.get(command[0], b"+PONG\r\n")

    server = Odd(answer)
    with connected(server.url) as servers:
        assert servers.ask_each([(slot, PING) for slot in (0, 7, 16383)]) == [b"PONG"] * 3
    server.close()
    assert asked == [b"INFO", b"CLUSTER", *[b"PING"] * 3]


def test_slot_that_is_just_moving_is_asked_for_where_it_goes() -> None:
    with odd({b"GET": b"+there\r\n"}) as target, odd({b"GET": b"-ERR no\r\n"}) as refusing, odd({b"GET": b""}) as dying:
        for other, expected in ((target, b"there"), (refusing, Refused), (dying, LedgerDown)):
            source = Odd(
                lambda command, other=other: (
                    INFO
                    if command[0] == b"INFO"
                    else slots(source.port)  # noqa: B023
                    if command[0] == b"CLUSTER"
                    else b"-ASK 0 127.0.0.1:%d\r\n" % other.port
                )
            )
            with connected(source.url) as servers:
                if isinstance(expected, bytes):
                    assert servers.ask(0, encode([b"GET", b"x"])) == expected
                else:
                    with pytest.raises(expected):
                        servers.ask(0, encode([b"GET", b"x"]))
            source.close()


def is_down(url: str, words: str) -> None:
    with connected(url) as servers, pytest.raises(LedgerDown, match=words):
        servers.ask(0, PING)


def test_cluster_with_a_hole_and_servers_that_know_nothing_are_down() -> None:
    with odd({b"CLUSTER": slots(1, 5, 9)}) as server:
        is_down(server.url, "no server")
    with odd({b"CLUSTER": b"-ERR not now\r\n"}) as server:
        is_down(server.url, "of the cluster answers")
    with odd({}, info=b"-NOPERM\r\n") as server:
        is_down(server.url, "no Redis answers")


def test_replica_that_takes_no_writes_is_left_alone() -> None:
    with odd({b"PING": b"-READONLY You can't write\r\n"}, info=b"$17\r\ncluster_enabled:0\r\n") as server:
        is_down(server.url, "READONLY")


def test_server_that_hangs_up_instead_of_answering_is_in_doubt() -> None:
    with odd({b"GET": b""}, info=b"$17\r\ncluster_enabled:0\r\n") as server, connected(server.url) as servers:
        with pytest.raises(InDoubt):
            servers.ask(0, encode([b"GET", b"a"]))
        servers._down.clear()
        with pytest.raises(LedgerDown):
            servers.ask_all(0, [encode([b"GET", b"a"])])


def test_sentinels_are_asked_in_turn_until_one_knows(redis_url: str) -> None:
    port = int(redis_url.rpartition(":")[2].partition("/")[0])
    master = b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%d\r\n" % (len(str(port)), port)
    with odd({b"SENTINEL": b"*-1\r\n"}) as ignorant, odd({b"SENTINEL": master}) as knowing:
        gone = f"127.0.0.1:{free_port()}"
        url = f"redis+sentinel://{gone},127.0.0.1:{ignorant.port},127.0.0.1:{knowing.port}/seats/0"
        with connected(url) as servers:
            assert servers.ask(0, PING) == b"PONG"
        with connected(f"redis+sentinel://127.0.0.1:{ignorant.port}") as servers:
            with pytest.raises(LedgerDown, match="knows the master"):
                servers.ask(0, PING)
            with pytest.raises(LedgerDown, match="a moment ago"):
                servers.ask(0, PING)


def test_who_looks_for_a_lost_server_holds_nobody_up() -> None:
    with connected(f"redis://127.0.0.1:{free_port()}") as servers:
        with pytest.raises(LedgerDown):
            servers.ask(0, PING)
        with servers._locating, pytest.raises(LedgerDown, match="somebody is looking"):
            servers.ask(0, PING)


def test_refusals_are_told_as_an_outage(redis_url: str) -> None:
    with connected(redis_url) as servers, redis.Redis.from_url(redis_url) as client:
        scripts = Scripts(servers)
        with pytest.raises(LedgerDown, match="GET: WRONGTYPE"):
            client.lpush("{huozi:0}:v", "no hash")
            scripts.command(0, b"GET", keys.versions(0).encode())
        for _ in range(2):  # once to a server that must learn the script first, once to one that knows it
            with pytest.raises(LedgerDown, match="publish: WRONGTYPE"):
                scripts.run("publish", 0, b"1", b"1")
        client.flushall()
        client.script_flush()
        client.config_set("maxmemory", "1")
        try:
            with pytest.raises(LedgerDown, match="OOM"):
                scripts.run("record", 0, b"", b"", b"{}")
            with pytest.raises(LedgerDown, match="OOM"):
                Streams(servers).read()
        finally:
            client.config_set("maxmemory", "0")
        assert servers.ask(SLOTS[0], PING) == b"PONG"
