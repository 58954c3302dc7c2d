"""Several Redis servers that belong together: a Cluster of three, and a master with a replica under a Sentinel."""

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import redis

from tests.servers import Running, free_port, missing, start_redis


@contextlib.contextmanager
def cluster(nodes: int = 3, replicas: int = 0) -> Iterator[list[Running]]:
    """A Redis Cluster; masters first. The URL of any of them is enough."""
    with contextlib.ExitStack() as stack:
        servers = []
        for _ in range(nodes * (replicas + 1)):
            # The bus listens 10,000 above the port unless told otherwise, which may be taken.
            options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()), "--cluster-node-timeout", "1000")
            server = start_redis(*options)
            stack.callback(server.stop)
            servers.append(server)
        _meet(servers, nodes)
        yield servers


def _meet(servers: list[Running], masters: int) -> None:
    clients = [redis.Redis.from_url(server.url) for server in servers]
    buses = [int(client.config_get("cluster-port")["cluster-port"]) for client in clients]
    slots = 16384
    for number, client in enumerate(clients[:masters]):
        first, last = slots * number // masters, slots * (number + 1) // masters - 1
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
    for server, bus in zip(servers[1:], buses[1:], strict=True):
        clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", server.port, bus)
    until(lambda: all(b"cluster_known_nodes:%d" % len(servers) in _info(client) for client in clients))
    for number, client in enumerate(clients[masters:]):
        name = clients[number % masters].execute_command("CLUSTER", "MYID")
        until(lambda client=client, name=name: client.execute_command("CLUSTER", "REPLICATE", name))
    until(lambda: all(b"cluster_state:ok" in _info(client) for client in clients))
    for client in clients:
        client.close()


def _info(client: "redis.Redis") -> bytes:
    answer = client.execute_command("CLUSTER", "INFO")
    text = answer if isinstance(answer, bytes) else "\n".join(f"{k}:{v}" for k, v in answer.items()).encode()
    return text


def until(ready: Callable[[], object], seconds: float = 30) -> None:
    """Waits until `ready` is true; what the servers refuse meanwhile is not true yet."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(redis.RedisError, OSError):
            if ready():
                return
        if time.monotonic() > deadline:
            raise AssertionError("it did not come about")
        time.sleep(0.05)


@contextlib.contextmanager
def sentinel() -> Iterator[tuple[str, Running]]:
    """A master, its replica and a Sentinel that puts the one in the other's place: our URL, and the master."""
    program = shutil.which("redis-sentinel")
    if not program:
        raise missing("redis-sentinel", "redis-sentinel")
    with contextlib.ExitStack() as stack:
        master = start_redis()
        stack.callback(master.stop)
        replica = start_redis("--replicaof", f"127.0.0.1 {master.port}")
        stack.callback(replica.stop)
        folder = Path(tempfile.mkdtemp(prefix="huozi-sentinel-"))
        port = free_port()
        settings = folder / "sentinel.conf"
        settings.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor seats 127.0.0.1 {master.port} 1\n"
            "sentinel down-after-milliseconds seats 700\nsentinel failover-timeout seats 3000\n"
        )
        log = folder / "log"
        with log.open("wb") as out:
            process = subprocess.Popen([program, str(settings)], stdout=out, stderr=out)
        running = Running(process, port, folder, log)
        stack.callback(running.stop)
        with redis.Redis(port=port) as watcher:
            until(lambda: watcher.execute_command("SENTINEL", "REPLICAS", "seats"))
        with redis.Redis.from_url(replica.url) as client:
            until(lambda: client.info("replication")["master_link_status"] == "up")
        yield f"redis+sentinel://127.0.0.1:{port}/seats", master
