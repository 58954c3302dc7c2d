"""Names every Redis key, and says which of them live together.

All that one claim touches carries one hash tag, a bucket of the scope's root: a live code, or a dedupe group with every
live code in it. So a script works on Redis Cluster as it does on one server. `huozi:` keeps other tenants apart.

Of a bucket: `v` what stands here (live code → version, or the scope it has moved to; `e` the epoch; a dedupe group's
scope once its seats are loaded) · `c:<live code>` counts by `<member>.<counted_from>`, presses by
`p<member>.<generation>` · `t:<live code>` turns by tier · `s:<scope>`, `s<n>:<scope>` seats · `n` every scope with
seats · `k:<member>` who could not get in · `x` tombstones · `e` the stream of events · `l:<scope>` who loads it.
"""

from zlib import crc32

BUCKETS = 64
GROUP = "pipeline"  # of consumers


def root_of(scope: str) -> str:
    """The scope that names the bucket: a choice's seats stand with its live code."""
    return scope.partition(":c:")[0] if scope.startswith("lc:") else scope


def own_scope(live_code_id: int) -> str:
    return f"lc:{live_code_id}"


def live_code_in(scope: str) -> int:
    """The live code a scope is of; 0 for a dedupe group, whose seats say theirs themselves."""
    return int(scope.split(":")[1]) if scope.startswith("lc:") else 0


def bucket_of(scope: str) -> int:
    return crc32(root_of(scope).encode()) % BUCKETS


def prefix(bucket: int) -> str:
    return f"{{huozi:{bucket}}}:"


def versions(bucket: int) -> str:
    return prefix(bucket) + "v"


def stream(bucket: int) -> str:
    return prefix(bucket) + "e"
